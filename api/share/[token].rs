//! Vercel entry point: opens share links for guests.

#[tokio::main]
async fn main() -> Result<(), vercel_runtime::Error> {
    shared::vercel::serve(shared::boot::share().await?).await
}
