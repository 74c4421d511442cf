//! Vercel entry point: takes Mux's events.

#[tokio::main]
async fn main() -> Result<(), vercel_runtime::Error> {
    shared::vercel::serve(shared::boot::webhooks_mux().await?).await
}
