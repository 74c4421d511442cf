//! How often the API may be called: per account, one POST and five other calls a second, with bursts
//! (mux.com/docs/core/make-api-requests). How large a burst may be is not documented.

use std::sync::{Mutex, PoisonError};

use axum::{
    extract::{Request, State},
    http::{HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use time::OffsetDateTime;

use crate::{api, sim::Sim};

/// What an account may do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RateLimit {
    /// How many assets, uploads and other things of `/video/` may be created, for good.
    pub posts_per_second: f64,
    /// How many other calls, for good.
    pub others_per_second: f64,
    /// How many calls of either kind may come at once after a pause.
    pub burst: f64,
}

impl Default for RateLimit {
    /// Mux's sustained rates, with a burst that a person at a page does not meet.
    fn default() -> Self {
        Self {
            posts_per_second: 1.0,
            others_per_second: 5.0,
            burst: 10.0,
        }
    }
}

/// What is left of an account's allowance.
#[derive(Default)]
pub(crate) struct Allowance {
    posts: Mutex<Bucket>,
    others: Mutex<Bucket>,
}

/// Calls that may still come; `None` before the first one, when all of the burst may.
#[derive(Default)]
struct Bucket(Option<(OffsetDateTime, f64)>);

impl Bucket {
    /// Takes one, if there is one.
    fn take(&mut self, rate: f64, burst: f64, now: OffsetDateTime) -> bool {
        let (since, left) = self.0.unwrap_or((now, burst));
        let earned = (now - since).as_seconds_f64().max(0.0) * rate;
        let left = (left + earned).min(burst);
        let taken = left >= 1.0;
        self.0 = Some((now, if taken { left - 1.0 } else { left }));
        taken
    }
}

impl Allowance {
    fn take(&self, request: &Request, limit: RateLimit, now: OffsetDateTime) -> bool {
        let creates = request.method() == Method::POST && request.uri().path().contains("/video/");
        let (bucket, rate) = if creates {
            (&self.posts, limit.posts_per_second)
        } else {
            (&self.others, limit.others_per_second)
        };
        let mut bucket = bucket.lock().unwrap_or_else(PoisonError::into_inner);
        bucket.take(rate, limit.burst, now)
    }
}

/// Refuses what comes too often, as Mux does: with another body than all its errors, and without a
/// word on when to come back (muxinc/next-video#309).
pub(crate) async fn enforce(State(sim): State<Sim>, request: Request, next: Next) -> Response {
    let now = sim.now();
    let limit = sim.options().rate_limit;
    // Whoever cannot name the account uses nothing of its allowance up.
    let limit = limit.filter(|_| api::is_authorized(&sim, request.headers()));
    if limit.is_none_or(|limit| sim.allowance().take(&request, limit, now)) {
        return next.run(request).await;
    }
    too_many()
}

pub(crate) fn too_many() -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/json; charset=utf-8"),
        (header::CACHE_CONTROL, "max-age=0, private, must-revalidate"),
        (header::SERVER, "Mux API Server"),
    ];
    let headers = headers.map(|(name, value)| (name, HeaderValue::from_static(value)));
    let body = r#"{"errors":["Too many requests, retry later."]}"#;
    (StatusCode::TOO_MANY_REQUESTS, headers, body).into_response()
}
