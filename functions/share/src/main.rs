//! Lambda entry point: opens share links for guests.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    shared::lambda::serve(shared::boot::share().await?).await
}
