//! Vercel entry point: begins, shows and cancels uploads.

#[tokio::main]
async fn main() -> Result<(), vercel_runtime::Error> {
    shared::vercel::serve(shared::boot::uploads().await?).await
}
