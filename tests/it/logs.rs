//! Facts about what is logged. That nothing secret is, every test of this suite looks at
//! (`support::canaries`); here, that looking finds something.

use serde_json::json;

use crate::support::{TestApp, canaries::Canaries};

#[tokio::test]
async fn what_should_not_be_logged_is_found_if_it_is() {
    let canaries = Canaries::new();
    canaries.note(&json!({"share": {"token": "a-canary-of-the-log", "label": "for Sam"}}));
    assert_eq!(canaries.found(), None);
    tracing::info!(token = "a-canary-of-the-log", "opened");
    assert!(canaries.found().unwrap().contains("a-canary-of-the-log"));
}

#[tokio::test]
async fn a_request_is_logged_with_its_route_and_not_with_its_path() {
    let test = TestApp::new().await;
    let id = test.ada().video("Logged").await;
    let share = test.ada().share(&id, "for Sam").await;
    let opened = test.open(&share, None).await;
    let request = opened.headers["x-request-id"].to_str().unwrap().to_owned();
    opened.ok();
    let line = test.canaries.line([&request, "/api/share/{token}"]);
    assert!(line.is_some());
}
