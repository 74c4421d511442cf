//! The schedule's route, for platforms whose schedules speak HTTP.

use axum::extract::State;
use serde::Serialize;

use super::{Pass, ReconcileError, reconcile};
use crate::{app::App, http::Json, jobs::Scheduled, problem::Problem, router::Route};

pub fn routes() -> Vec<Route> {
    vec![Route::get("/api/cron/reconcile", run)]
}

/// `pass` is missing when another run was at it.
#[derive(Serialize)]
struct RunBody {
    ran: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pass: Option<Pass>,
}

async fn run(_: Scheduled, State(app): State<App>) -> Result<Json<RunBody>, Problem> {
    let pass = reconcile(&app).await?;
    Ok(Json(RunBody {
        ran: pass.is_some(),
        pass,
    }))
}

impl From<ReconcileError> for Problem {
    fn from(error: ReconcileError) -> Self {
        Self::internal(error)
    }
}
