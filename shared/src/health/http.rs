//! The health route.

use std::time::Duration;

use axum::extract::State;
use serde::Serialize;
use time::OffsetDateTime;

use crate::{
    app::App,
    config::Config,
    http::Json,
    jobs::{self, Job},
    router::Route,
};

/// How long the table has to say when jobs last went well. Whoever asks for health does not wait.
const PATIENCE: Duration = Duration::from_secs(1);

pub fn routes() -> Vec<Route> {
    vec![Route::get("/api/health", health)]
}

#[derive(Serialize)]
struct HealthBody {
    status: &'static str,
    #[serde(with = "time::serde::rfc3339")]
    timestamp: OffsetDateTime,
    version: &'static str,
    /// Empty when the table does not tell.
    jobs: Vec<JobBody>,
    /// What somebody has switched off, and should not forget.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<&'static str>,
}

/// A job that a schedule wakes, and how long ago it last went well; nothing, if it never did.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JobBody {
    name: &'static str,
    #[serde(with = "time::serde::rfc3339::option")]
    last_success: Option<OffsetDateTime>,
    age_seconds: Option<i64>,
}

async fn health(State(app): State<App>) -> Json<HealthBody> {
    let now = app.clock.now();
    let beats = tokio::time::timeout(PATIENCE, jobs::last_successes(&app)).await;
    let jobs = match beats {
        Ok(Ok(jobs)) => jobs.map(|(job, last)| JobBody::of(job, last, now)).into(),
        Ok(Err(_)) | Err(_) => Vec::new(),
    };
    Json(HealthBody {
        status: "healthy",
        timestamp: now,
        version: env!("CARGO_PKG_VERSION"),
        jobs,
        warnings: warnings(&app.config),
    })
}

fn warnings(config: &Config) -> Vec<&'static str> {
    let unsigned = "SIGNED_PLAYBACK_ENFORCED is false: public playback ids are given out";
    (!config.signed_playback)
        .then_some(unsigned)
        .into_iter()
        .collect()
}

impl JobBody {
    fn of(job: Job, last: Option<OffsetDateTime>, now: OffsetDateTime) -> Self {
        Self {
            name: job.name(),
            last_success: last,
            age_seconds: last.map(|it| (now - it).whole_seconds()),
        }
    }
}
