//! Lambda entry point: opens share links for guests.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    lambda_http::run(shared::boot::share().await?).await
}
