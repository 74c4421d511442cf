//! Vercel entry point: asks Mux what webhooks have not told, woken over HTTP.

#[tokio::main]
async fn main() -> Result<(), vercel_runtime::Error> {
    shared::vercel::serve(shared::boot::reconcile().await?).await
}
