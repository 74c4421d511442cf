//! The health route.

use axum::extract::State;
use serde::Serialize;
use time::OffsetDateTime;

use crate::{app::App, http::Json, router::Route};

pub fn routes() -> Vec<Route> {
    vec![Route::get("/api/health", health)]
}

#[derive(Serialize)]
struct HealthBody {
    status: &'static str,
    #[serde(with = "time::serde::rfc3339")]
    timestamp: OffsetDateTime,
    version: &'static str,
}

async fn health(State(app): State<App>) -> Json<HealthBody> {
    Json(HealthBody {
        status: "healthy",
        timestamp: app.clock.now(),
        version: env!("CARGO_PKG_VERSION"),
    })
}
