//! The schedule's route, for platforms whose schedules speak HTTP.

use axum::extract::State;
use serde::Deserialize;

use super::{
    Pass, ReconcileError,
    playback::{self, Look, LookError},
    reconcile,
};
use crate::{
    app::App,
    auth::Operator,
    http::Json,
    jobs::{RunBody, Scheduled},
    problem::{Kind, Problem},
    router::Route,
};

pub fn routes() -> Vec<Route> {
    vec![Route::get("/api/cron/reconcile", run)]
}

async fn run(_: Scheduled, State(app): State<App>) -> Result<Json<RunBody<Pass>>, Problem> {
    Ok(Json(reconcile(&app).await?.into()))
}

/// What operators ask for.
pub fn operators_routes() -> Vec<Route> {
    vec![Route::post("/api/debug/verify-mux-playback-ids", verify)]
}

/// `cursor` is the `nextCursor` of the page before: a hundred assets are looked at by one request.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct VerifyBody {
    cursor: Option<String>,
}

async fn verify(
    Operator(_): Operator,
    State(app): State<App>,
    Json(body): Json<VerifyBody>,
) -> Result<Json<Look>, Problem> {
    Ok(Json(playback::look(&app, body.cursor.as_deref()).await?))
}

impl From<LookError> for Problem {
    fn from(error: LookError) -> Self {
        match error {
            LookError::Mux(ref mux) => {
                let wait = mux.retry_after();
                Self::new(Kind::VideoServiceBusy, "nothing was looked at")
                    .retry_after(wait)
                    .because(error)
            }
            LookError::Ask(_) => Self::unavailable(error),
        }
    }
}

impl From<ReconcileError> for Problem {
    fn from(error: ReconcileError) -> Self {
        Self::internal(error)
    }
}
