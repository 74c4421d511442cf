//! The wire: `awsJson1_0`, where the operation is in a header and every path is the same.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::Sqs;
use crate::fault::Fault;
use crate::input::Input;

/// Four times what a batch may weigh, since JSON escapes what the limit does not count.
const MAX_REQUEST_BYTES: usize = 4 << 20;

pub(crate) fn router(sqs: Sqs) -> Router {
    Router::new()
        .fallback(serve)
        .layer(DefaultBodyLimit::max(MAX_REQUEST_BYTES))
        .with_state(sqs)
}

async fn serve(State(sqs): State<Sqs>, headers: HeaderMap, body: Bytes) -> Response {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let operation = header("x-amz-target")
        .and_then(|target| target.strip_prefix("AmazonSQS."))
        .unwrap_or_default();
    let host = header("host").unwrap_or("localhost");
    let fixed = [
        ("content-type", "application/x-amz-json-1.0".to_owned()),
        ("x-amzn-requestid", sqs.shared.ids.mint()),
    ];
    let answer = match serde_json::from_slice::<Value>(&body) {
        Ok(input) => sqs.answer(operation, Input::new(&input), host).await,
        Err(error) => Err(Fault::Malformed(error)),
    };
    match answer {
        Ok(answer) => (fixed, answer.to_string()).into_response(),
        Err(fault) => (fixed, refusal(&fault)).into_response(),
    }
}

/// The header is how SDKs learn the code that the error had before SQS spoke JSON.
fn refusal(fault: &Fault) -> Response {
    let (status, blamed) = if matches!(fault, Fault::Store(_)) {
        (StatusCode::INTERNAL_SERVER_ERROR, "Receiver")
    } else {
        (StatusCode::BAD_REQUEST, "Sender")
    };
    let code = format!("{};{blamed}", fault.query_code());
    let body = json!({
        "__type": format!("com.amazonaws.sqs#{}", fault.shape()),
        "message": fault.to_string(),
    });
    (status, [("x-amzn-query-error", code)], body.to_string()).into_response()
}
