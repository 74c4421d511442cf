//! Lambda entry point: learns what was used, woken by a schedule.

use lambda_http::{
    Error,
    lambda_runtime::{self, LambdaEvent},
    service_fn,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let app = &shared::boot::usage_job().await?;
    let job =
        async |_: LambdaEvent<serde_json::Value>| Ok::<_, Error>(shared::costs::usage(app).await?);
    lambda_runtime::run(service_fn(job)).await
}
