//! The health routes.

use axum::{
    extract::State,
    http::{HeaderName, HeaderValue, StatusCode, header},
};
use serde::Serialize;
use time::OffsetDateTime;

use super::{body::SystemBody, model::Health, service};
use crate::{
    address::ClientAddress,
    app::App,
    auth::MaybeOperator,
    http::Json,
    problem::{Kind, Problem},
    router::Route,
};

pub fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/health", health),
        Route::get("/api/health/mux-system", system),
    ]
}

/// That this process answers. Asks nobody.
#[derive(Serialize)]
struct HealthBody {
    status: &'static str,
    #[serde(with = "time::serde::rfc3339")]
    timestamp: OffsetDateTime,
    version: &'static str,
    /// What somebody has switched off, and should not forget.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<&'static str>,
}

async fn health(State(app): State<App>) -> Json<HealthBody> {
    Json(HealthBody {
        status: "healthy",
        timestamp: app.clock.now(),
        version: env!("CARGO_PKG_VERSION"),
        warnings: service::warnings(&app),
    })
}

type System = (StatusCode, [(HeaderName, HeaderValue); 1], Json<SystemBody>);

/// A look is two seconds old at the most, and whoever stands between may keep it as long.
async fn system(
    State(app): State<App>,
    MaybeOperator(operator): MaybeOperator,
    address: Option<ClientAddress>,
) -> Result<System, Problem> {
    let may = app.last_look.ask(address, app.clock.now());
    may.map_err(|seconds| {
        Problem::new(Kind::RateLimited, "wait as long as Retry-After says").retry_after(seconds)
    })?;
    let look = service::look(&app).await;
    let status = match look.health {
        Health::Healthy | Health::Degraded => StatusCode::OK,
        Health::Unhealthy => StatusCode::SERVICE_UNAVAILABLE,
    };
    let kept = if operator {
        "no-store"
    } else {
        "public, max-age=2"
    };
    let kept = (header::CACHE_CONTROL, HeaderValue::from_static(kept));
    Ok((status, [kept], Json(SystemBody::of(&look, &app, operator))))
}
