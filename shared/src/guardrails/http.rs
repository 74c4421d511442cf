//! The operators' view of guardrails, and their hand on them.

use std::{borrow::Cow, collections::BTreeMap};

use axum::extract::State as Handle;
use serde::{Deserialize, Serialize};

use super::{
    model::{State, Whose},
    rails::{Mode, Rail},
    service::{Target, kept, turn},
};
use crate::{
    app::{App, Parts},
    auth::Operator,
    dlq::Note,
    http::Json,
    ids::ShareId,
    problem::{Kind, Problem},
    router::Route,
};

pub fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/ops/guardrails", guardrails),
        Route::post("/api/ops/guardrails/lift", lift),
        Route::post("/api/ops/guardrails/restore", restore),
    ]
}

#[derive(Serialize)]
struct GuardrailsBody {
    modes: BTreeMap<Rail, Mode>,
    #[serde(flatten)]
    state: State,
}

impl GuardrailsBody {
    fn of(app: &Parts, state: State) -> Self {
        let modes = Rail::ALL.map(|it| (it, app.config.guardrails.mode(it)));
        Self {
            modes: modes.into(),
            state,
        }
    }
}

async fn guardrails(
    Handle(app): Handle<App>,
    _: Operator,
) -> Result<Json<GuardrailsBody>, Problem> {
    let state = kept(&app).await?;
    Ok(Json(GuardrailsBody::of(&app, state)))
}

/// Which guardrail of whose budget, or which link of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LiftBody {
    of: Whose,
    rail: Option<Rail>,
    share: Option<ShareId>,
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RestoreBody {
    of: Whose,
    rail: Option<Rail>,
    share: Option<ShareId>,
}

fn target(rail: Option<Rail>, share: Option<ShareId>) -> Result<Target, Problem> {
    match (rail, share) {
        (Some(rail), None) => Ok(Target::Rail(rail)),
        (None, Some(share)) => Ok(Target::Link(share)),
        _ => Err(invalid("either rail or share must be there")),
    }
}

fn invalid(detail: impl Into<Cow<'static, str>>) -> Problem {
    Problem::new(Kind::InvalidField, detail)
}

async fn lift(
    Handle(app): Handle<App>,
    Operator(operator): Operator,
    Json(body): Json<LiftBody>,
) -> Result<Json<GuardrailsBody>, Problem> {
    let reason = Note::try_from(body.reason).map_err(|it| invalid(it.to_string()))?;
    let target = target(body.rail, body.share)?;
    let state = turn(&app, &operator, body.of, target, Some(reason)).await?;
    Ok(Json(GuardrailsBody::of(&app, state)))
}

async fn restore(
    Handle(app): Handle<App>,
    Operator(operator): Operator,
    Json(body): Json<RestoreBody>,
) -> Result<Json<GuardrailsBody>, Problem> {
    let target = target(body.rail, body.share)?;
    let state = turn(&app, &operator, body.of, target, None).await?;
    Ok(Json(GuardrailsBody::of(&app, state)))
}
