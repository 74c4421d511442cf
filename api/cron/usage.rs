//! Vercel entry point: learns what was used, woken over HTTP.

#[tokio::main]
async fn main() -> Result<(), vercel_runtime::Error> {
    shared::vercel::serve(shared::boot::usage().await?).await
}
