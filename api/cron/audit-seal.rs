//! Vercel entry point: seals what was written down, woken over HTTP.

#[tokio::main]
async fn main() -> Result<(), vercel_runtime::Error> {
    shared::vercel::serve(shared::boot::audit_seal().await?).await
}
