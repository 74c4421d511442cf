//! Vercel entry point: adds up what was counted and looks after vendors, woken over HTTP.

#[tokio::main]
async fn main() -> Result<(), vercel_runtime::Error> {
    shared::vercel::serve(shared::boot::watch().await?).await
}
