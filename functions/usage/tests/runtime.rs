//! The function starts alone under the Lambda runtime, and says why it cannot work without a table.

use lambda_lite::Failure;

#[tokio::test]
async fn it_starts_alone_and_says_what_is_missing() {
    let woken = lambda_lite::woken(env!("CARGO_BIN_EXE_usage")).await;
    let Err(Failure::Error(error)) = woken else {
        panic!("it did not fail: {woken:?}")
    };
    assert!(error.contains("what was used or the lease"), "{error}");
}
