//! Vercel entry point: deals with dead letters, woken over HTTP.

#[tokio::main]
async fn main() -> Result<(), vercel_runtime::Error> {
    shared::vercel::serve(shared::boot::dlq_replay().await?).await
}
