//! Lambda entry point: what was done, for those who look into it.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    lambda_http::run(shared::boot::audit().await?).await
}
