//! The operators' routes.

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{
    RestoreError,
    model::{Drill, Outcome},
    service::{self, Standing},
};
use crate::{
    app::{App, Parts},
    auth::Operator,
    dlq::Note,
    http::Json,
    problem::{Kind, Problem},
    router::Route,
};

pub fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/ops/restores", standing),
        Route::post("/api/ops/restores/release", release),
        Route::post("/api/ops/restore-drills", tested),
    ]
}

/// Whether links are held because the table was restored, and what the last drill came to.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StandingBody {
    held: bool,
    /// The table that the backup was made of.
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    #[serde(
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    held_since: Option<OffsetDateTime>,
    /// Since when everything has been compared with Mux.
    #[serde(
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    compared_at: Option<OffsetDateTime>,
    #[serde(skip_serializing_if = "Option::is_none")]
    drill: Option<DrillBody>,
}

#[derive(Serialize)]
struct DrillBody {
    #[serde(flatten)]
    drill: Drill,
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
}

async fn body(app: &Parts) -> Result<Json<StandingBody>, Problem> {
    let Standing { known, drill } = service::standing(app).await?;
    let restored = known.filter(|it| it.is_restored(&app.config.table));
    Ok(Json(StandingBody {
        held: restored.is_some(),
        held_since: restored.as_ref().and_then(|it| it.held_since),
        compared_at: restored.as_ref().and_then(|it| it.compared_at),
        from: restored.map(|it| it.table),
        drill: drill.map(|it| DrillBody {
            drill: it.drill,
            at: it.at,
        }),
    }))
}

async fn standing(State(app): State<App>, _: Operator) -> Result<Json<StandingBody>, Problem> {
    body(&app).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReleaseBody {
    reason: String,
}

async fn release(
    State(app): State<App>,
    Operator(operator): Operator,
    Json(asked): Json<ReleaseBody>,
) -> Result<Json<StandingBody>, Problem> {
    let reason = Note::try_from(asked.reason);
    let reason = reason.map_err(|it| Problem::new(Kind::InvalidField, it.to_string()))?;
    service::release(&app, &operator, reason).await?;
    body(&app).await
}

/// What a drill came to.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TestedBody {
    table: String,
    items: u64,
    digest: String,
    seconds: u64,
    outcome: Outcome,
}

async fn tested(
    State(app): State<App>,
    Operator(operator): Operator,
    Json(asked): Json<TestedBody>,
) -> Result<Response, Problem> {
    let drill = Drill {
        table: asked.table.parse().map_err(RestoreError::Field)?,
        items: asked.items,
        digest: asked.digest.parse().map_err(RestoreError::Field)?,
        seconds: asked.seconds,
        outcome: asked.outcome,
    };
    let held = service::tested(&app, &operator, drill).await?;
    let body = DrillBody {
        drill: held.drill,
        at: held.at,
    };
    Ok((StatusCode::CREATED, Json(body)).into_response())
}
