//! The local stack believes the connection, and no header.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use dev::stack::{Place, Stack};
use reqwest::Client;

/// How many opens the caller has left, as the answer says it.
async fn left(stack: &Stack, headers: &[(&str, &str)]) -> u32 {
    let unknown = format!("{}/api/share/{}", stack.url, "A".repeat(86));
    let mut request = Client::new().get(unknown);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.send().await.unwrap();
    let told = answer.headers()["ratelimit"].to_str().unwrap();
    let (_, left) = told.split_once("\"opens-per-address\";r=").unwrap();
    let (left, _) = left.split_once(';').unwrap();
    left.parse().unwrap()
}

#[tokio::test]
async fn no_header_changes_where_a_request_comes_from() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place {
        folder: folder.path().to_owned(),
        port: 0,
        dynamodb_port: 0,
        sqs_port: 0,
        functions: None,
    };
    let stack = Stack::start(&place).await.unwrap();
    let mut expected = left(&stack, &[]).await;
    for forged in [
        vec![("x-forwarded-for", "198.51.100.1")],
        vec![("x-forwarded-for", "198.51.100.2, 198.51.100.3")],
        vec![
            ("x-forwarded-for", "198.51.100.4"),
            ("x-forwarded-for", "198.51.100.5"),
        ],
        vec![
            ("x-real-ip", "198.51.100.6"),
            ("forwarded", "for=198.51.100.6"),
        ],
        vec![("x-vercel-forwarded-for", "198.51.100.7")],
        vec![("x-forwarded-for", "garbage';--"), ("forwarded", ";;=")],
    ] {
        expected -= 1;
        assert_eq!(left(&stack, &forged).await, expected, "{forged:?}");
    }
    stack.stop().await;
}
