//! Lambda entry point: videos, and the links of one video.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    shared::lambda::serve(shared::boot::assets().await?).await
}
