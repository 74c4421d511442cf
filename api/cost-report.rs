//! Vercel entry point: what a month costs.

#[tokio::main]
async fn main() -> Result<(), vercel_runtime::Error> {
    shared::vercel::serve(shared::boot::cost_report().await?).await
}
