//! Vercel entry point: videos, and the links of one video.

#[tokio::main]
async fn main() -> Result<(), vercel_runtime::Error> {
    shared::vercel::serve(shared::boot::assets().await?).await
}
