//! Lambda entry point: what a month costs.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    lambda_http::run(shared::boot::cost_report().await?).await
}
