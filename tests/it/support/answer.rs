//! What came back, and what a test may claim of it.

use axum::{
    body::to_bytes,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use serde_json::Value;

#[must_use]
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
    /// As it came, for what is not JSON.
    pub(crate) bytes: Vec<u8>,
}

impl Answer {
    pub(crate) async fn read(response: Response) -> Self {
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.unwrap();
        Self {
            status: parts.status,
            headers: parts.headers,
            body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
            bytes: bytes.into(),
        }
    }

    #[track_caller]
    pub(crate) fn ok(self) -> Value {
        assert_eq!(self.status, StatusCode::OK, "{}", self.body);
        self.body
    }

    #[track_caller]
    pub(crate) fn created(self) -> Value {
        assert_eq!(self.status, StatusCode::CREATED, "{}", self.body);
        self.body
    }

    /// A problem of this status and slug, and nothing more than a problem has.
    #[track_caller]
    pub(crate) fn problem(self, status: u16, slug: &str) -> Refusal {
        let kind = self.body["type"].as_str().unwrap_or_default();
        assert_eq!(
            (
                self.status.as_u16(),
                kind.rsplit('/').next().unwrap_or_default()
            ),
            (status, slug),
            "{}",
            self.body
        );
        assert_eq!(self.headers["content-type"], "application/problem+json");
        Refusal { body: self.body }
    }

    pub(crate) fn retry_after(&self) -> Option<&str> {
        self.headers.get("retry-after")?.to_str().ok()
    }
}

/// A problem whose status and slug are as they should be.
pub(crate) struct Refusal {
    pub(crate) body: Value,
}

impl Refusal {
    #[track_caller]
    pub(crate) fn saying(self, words: &str) {
        let detail = self.body["detail"].as_str().unwrap_or_default();
        assert!(detail.contains(words), "{}", self.body);
    }
}

/// A field that must be a text.
#[track_caller]
pub(crate) fn text<'a>(body: &'a Value, name: &str) -> &'a str {
    body[name]
        .as_str()
        .unwrap_or_else(|| panic!("no {name} in {body}"))
}
