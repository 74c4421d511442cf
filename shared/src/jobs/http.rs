//! What a schedule proves itself with, and what it is answered, where schedules speak HTTP.

use axum::{
    extract::FromRequestParts,
    http::{header, request::Parts},
};
use serde::Serialize;

use crate::{
    app::App,
    auth::Operator,
    problem::{Kind, Problem},
};

/// What a run did; nothing, if another one was at it.
#[derive(Serialize)]
pub struct RunBody<T> {
    ran: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pass: Option<T>,
}

impl<T> From<Option<T>> for RunBody<T> {
    fn from(pass: Option<T>) -> Self {
        Self {
            ran: pass.is_some(),
            pass,
        }
    }
}

/// Proof that a schedule calls: it knows `CRON_SECRET`, which Vercel sends as a bearer token
/// (vercel.com/docs/cron-jobs/manage-cron-jobs). Without a secret nobody does.
pub struct Scheduled;

impl FromRequestParts<App> for Scheduled {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let sent = parts.headers.get(header::AUTHORIZATION);
        let known = sent.is_some_and(|it| app.keys().is_schedule(it.as_bytes()));
        known.then_some(Self).ok_or_else(|| {
            Problem::new(
                Kind::Unauthenticated,
                "this is for the schedule, which knows a secret",
            )
        })
    }
}

/// The schedule, or somebody who operates the portal: for what scripts ask, too.
pub struct OperatorOrSchedule;

impl FromRequestParts<App> for OperatorOrSchedule {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        if Scheduled::from_request_parts(parts, app).await.is_ok() {
            return Ok(Self);
        }
        let operator = Operator::from_request_parts(parts, app).await;
        operator.map(|_| Self)
    }
}
