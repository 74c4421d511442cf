//! Vercel entry point: does what is due about links, woken over HTTP.

#[tokio::main]
async fn main() -> Result<(), vercel_runtime::Error> {
    shared::vercel::serve(shared::boot::retire().await?).await
}
