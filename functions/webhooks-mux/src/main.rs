//! Lambda entry point: takes Mux's events.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    shared::lambda::serve(shared::boot::webhooks_mux().await?).await
}
