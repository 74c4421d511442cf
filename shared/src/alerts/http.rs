//! The operators' view of what is watched.

use axum::extract::State;
use serde::Serialize;
use time::OffsetDateTime;

use super::{
    model::{Alert, Raised, Standing},
    service,
};
use crate::{
    app::App, auth::Operator, dlq::Depth, http::Json, problem::Problem, router::Route,
    webhooks::Tally,
};

pub fn routes() -> Vec<Route> {
    vec![Route::get("/api/ops/alerts", alerts)]
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AlertsBody {
    alerts: Vec<AlertBody>,
    /// The value of everything that is watched, and from where on it is too high.
    watched: Vec<WatchedBody>,
    #[serde(with = "time::serde::rfc3339::option")]
    replayed_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    reconciled_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    compared_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    sealed_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    watched_at: Option<OffsetDateTime>,
    queue: Option<Depth>,
    /// Webhooks of this hour and the last.
    webhooks: Tally,
}

#[derive(Serialize)]
struct AlertBody {
    alert: Alert,
    #[serde(flatten)]
    standing: Standing,
}

#[derive(Serialize)]
struct WatchedBody {
    alert: Alert,
    value: u64,
    highest: u64,
}

async fn alerts(State(app): State<App>, _: Operator) -> Result<Json<AlertsBody>, Problem> {
    let (reading, raised) = Box::pin(service::read(&app)).await?;
    let now = app.clock.now();
    let raised = raised.unwrap_or_else(|| Raised::none(now));
    let values = reading.values(now, raised.watched_since);
    let watched = values.into_iter().map(|(alert, value)| WatchedBody {
        alert,
        value,
        highest: alert.highest(),
    });
    let alerts = raised.alerts.into_iter();
    Ok(Json(AlertsBody {
        alerts: alerts
            .map(|(alert, standing)| AlertBody { alert, standing })
            .collect(),
        watched: watched.collect(),
        replayed_at: reading.replayed,
        reconciled_at: reading.reconciled,
        compared_at: reading.compared,
        sealed_at: reading.sealed,
        watched_at: reading.watched,
        queue: reading.depth,
        webhooks: reading.tally,
    }))
}
