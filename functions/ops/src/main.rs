//! Lambda entry point: health.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    lambda_http::run(shared::boot::ops().await?).await
}
