//! What clients are told of limits: the header fields `RateLimit-Policy` and `RateLimit`
//! (draft-ietf-httpapi-ratelimit-headers-10), on answers that passed and on those that did not.
//!
//! A use case that takes a slot has no answer at hand, and should not carry one. So each request
//! collects what it was told, as it collects its log lines in a span.

use std::cell::RefCell;

use axum::{
    extract::Request,
    http::{HeaderName, HeaderValue},
    middleware::Next,
    response::Response,
};

use super::model::{Limit, Mode, Rule};

/// How much there is, and of what.
pub const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
/// How much is left.
pub const LEFT: HeaderName = HeaderName::from_static("ratelimit");

/// How somebody stands with one rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    pub rule: Rule,
    pub limit: Limit,
    pub left: u16,
    /// Seconds until there is one more.
    pub reset: u32,
}

tokio::task_local! {
    static TOLD: RefCell<Vec<Standing>>;
}

/// Notes it for the answer to the request at hand. Outside of one, nobody is told.
pub(super) fn tell(standing: Standing) {
    if !standing.rule.is_told() || standing.limit.mode == Mode::Shadow {
        return; // what does not hold is not announced
    }
    let _ = TOLD.try_with(|told| {
        let mut told = told.borrow_mut();
        told.retain(|it| it.rule != standing.rule);
        told.push(standing);
    });
}

/// Writes on each answer what its request was told.
pub async fn headers(request: Request, next: Next) -> Response {
    let answering = async {
        let mut response = next.run(request).await;
        let told = TOLD.with(RefCell::take);
        if !told.is_empty() {
            response.headers_mut().extend(fields(&told));
        }
        response
    };
    TOLD.scope(RefCell::default(), answering).await
}

/// Both fields: lists of strings with parameters (RFC 9651, sections 3.1 and 3.3.3).
fn fields(told: &[Standing]) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
    let list = |member: fn(&Standing) -> String| {
        let members: Vec<String> = told.iter().map(member).collect();
        HeaderValue::from_str(&members.join(", ")).ok()
    };
    let policy = list(|it| {
        let Limit { most, seconds, .. } = it.limit;
        format!("\"{}\";q={most};w={seconds}", it.rule.name())
    });
    let left = list(|it| format!("\"{}\";r={};t={}", it.rule.name(), it.left, it.reset));
    let fields = [(POLICY, policy), (LEFT, left)];
    fields
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
}
