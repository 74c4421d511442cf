//! Lambda entry point: lists and revokes share links.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    shared::lambda::serve(shared::boot::shares().await?).await
}
