//! Vercel entry point: lists and revokes share links.

#[tokio::main]
async fn main() -> Result<(), vercel_runtime::Error> {
    shared::vercel::serve(shared::boot::shares().await?).await
}
