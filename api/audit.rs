//! Vercel entry point: what was done, for those who look into it.

#[tokio::main]
async fn main() -> Result<(), vercel_runtime::Error> {
    shared::vercel::serve(shared::boot::audit().await?).await
}
