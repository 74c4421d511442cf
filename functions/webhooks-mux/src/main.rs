//! Lambda entry point: takes Mux's events.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    lambda_http::run(shared::boot::webhooks_mux().await?).await
}
