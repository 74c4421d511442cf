//! What operators and the deploy script ask.

use axum::extract::State as Handle;
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::{
    freeze::{self, LIFTED_MAX},
    model::{Objective, PERIOD, Standing},
    service::{kept, standings},
    state::State,
};
use crate::{
    app::App,
    auth::Operator,
    dlq::Note,
    http::Json,
    ids::UserId,
    jobs::OperatorOrSchedule,
    problem::{Kind, Problem},
    router::Route,
};

pub fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/slo", slo),
        Route::get("/api/ops/freeze", frozen),
        Route::post("/api/ops/freeze/lift", lift),
        Route::delete("/api/ops/freeze/lift", restore),
    ]
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SloBody {
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    period_days: i64,
    objectives: [Standing; 5],
    freeze: FreezeBody,
}

/// Whether changes are frozen, for which promises, and who let them through.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FreezeBody {
    frozen: bool,
    breached: Vec<BreachBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lifted: Option<LiftedBody>,
}

#[derive(Serialize)]
struct BreachBody {
    objective: Objective,
    #[serde(with = "time::serde::rfc3339")]
    since: OffsetDateTime,
}

#[derive(Serialize)]
struct LiftedBody {
    by: UserId,
    reason: Note,
    #[serde(with = "time::serde::rfc3339")]
    until: OffsetDateTime,
}

impl FreezeBody {
    fn of(state: &State, now: OffsetDateTime) -> Self {
        let breached = state.breached.iter().map(|(objective, it)| BreachBody {
            objective: *objective,
            since: it.since,
        });
        Self {
            frozen: state.is_frozen(now),
            breached: breached.collect(),
            lifted: freeze::lifted(state, now).map(|it| LiftedBody {
                by: it.by,
                reason: it.reason.clone(),
                until: it.until,
            }),
        }
    }
}

async fn slo(Handle(app): Handle<App>, _: Operator) -> Result<Json<SloBody>, Problem> {
    let (state, objectives) = tokio::try_join!(kept(&app), standings(&app))?;
    let at = app.clock.now();
    Ok(Json(SloBody {
        at,
        period_days: PERIOD.whole_days(),
        objectives,
        freeze: FreezeBody::of(&state, at),
    }))
}

async fn frozen(
    Handle(app): Handle<App>,
    _: OperatorOrSchedule,
) -> Result<Json<FreezeBody>, Problem> {
    let state = kept(&app).await?;
    Ok(Json(FreezeBody::of(&state, app.clock.now())))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LiftBody {
    reason: String,
    hours: u8,
}

async fn lift(
    Handle(app): Handle<App>,
    Operator(operator): Operator,
    Json(body): Json<LiftBody>,
) -> Result<Json<FreezeBody>, Problem> {
    let invalid = |detail: String| Problem::new(Kind::InvalidField, detail);
    let reason = Note::try_from(body.reason).map_err(|it| invalid(it.to_string()))?;
    if !(1..=LIFTED_MAX).contains(&body.hours) {
        return Err(invalid(format!("hours must be from 1 to {LIFTED_MAX}")));
    }
    let time = Duration::hours(body.hours.into());
    let state = freeze::lift(&app, &operator, reason, time).await?;
    Ok(Json(FreezeBody::of(&state, app.clock.now())))
}

async fn restore(
    Handle(app): Handle<App>,
    Operator(operator): Operator,
) -> Result<Json<FreezeBody>, Problem> {
    let state = freeze::restore(&app, &operator).await?;
    Ok(Json(FreezeBody::of(&state, app.clock.now())))
}
