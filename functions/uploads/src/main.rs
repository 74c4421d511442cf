//! Lambda entry point: begins, shows and cancels uploads.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    shared::lambda::serve(shared::boot::uploads().await?).await
}
