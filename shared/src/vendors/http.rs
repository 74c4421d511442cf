//! The schedule's route, for platforms whose schedules speak HTTP.

use axum::extract::State;

use super::{Pass, WatchError, watch};
use crate::{
    app::App,
    http::Json,
    jobs::{RunBody, Scheduled},
    problem::Problem,
    router::Route,
};

pub fn routes() -> Vec<Route> {
    vec![Route::get("/api/cron/watch", run)]
}

async fn run(_: Scheduled, State(app): State<App>) -> Result<Json<RunBody<Pass>>, Problem> {
    Ok(Json(watch(&app).await?.into()))
}

impl From<WatchError> for Problem {
    fn from(error: WatchError) -> Self {
        Self::internal(error)
    }
}
