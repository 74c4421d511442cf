//! The function starts alone under the Lambda runtime and answers.

#[tokio::test]
async fn it_starts_alone_and_answers() {
    let binary = env!("CARGO_BIN_EXE_cost-report");
    let answer = lambda_lite::answer(binary, "GET", "/api/cost-report").await;
    assert_eq!(answer.status, 401, "{answer:?}");
}
