//! The stand-in's own handles, at `/_muxsim`: its clock, its events, its faults, what it delivered.
//! Mux has none of these.

use axum::{
    Json, Router,
    extract::{Path, Query, State, rejection::QueryRejection},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};
use time::{Duration, format_description::well_known::Rfc3339};

use crate::{
    api::{Authorized, Input, data},
    documents::LoggedEvent,
    error::ApiError,
    examples,
    faults::{Fault, Faults},
    sim::Sim,
    state::Kind,
    usage, webhooks,
};

/// How far time can be moved at once.
const ADVANCE_MAX: Duration = Duration::days(400);

pub(crate) fn router() -> Router<Sim> {
    Router::new()
        .route("/_muxsim/clock", get(clock).post(advance))
        .route("/_muxsim/events", get(events))
        .route("/_muxsim/events/{id}", get(one))
        .route("/_muxsim/events/{id}/replay", post(replay))
        .route("/_muxsim/trigger", post(trigger))
        .route(
            "/_muxsim/faults",
            get(faults).put(set_faults).delete(clear_faults),
        )
        .route("/_muxsim/mishaps", get(mishaps))
        .route("/_muxsim/usage", get(used))
}

fn shown(sim: &Sim) -> Json<Value> {
    let now = sim.now().truncate_to_second();
    data(&json!({
        "now": now.format(&Rfc3339).unwrap_or_default(),
        "unix": now.unix_timestamp(),
        "ahead_seconds": sim.ahead().whole_seconds(),
    }))
}

async fn clock(State(sim): State<Sim>, _: Authorized) -> Json<Value> {
    shown(&sim)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AdvanceBody {
    advance_seconds: u32,
}

/// Answers when the retries that fall into that time have been made.
async fn advance(
    State(sim): State<Sim>,
    _: Authorized,
    Input(body): Input<AdvanceBody>,
) -> Result<Json<Value>, ApiError> {
    let by = Duration::seconds(body.advance_seconds.into());
    if by > ADVANCE_MAX {
        return Err(ApiError::invalid(
            "advance_seconds must be at most 400 days",
        ));
    }
    sim.advance(by).await?;
    Ok(shown(&sim))
}

#[derive(Deserialize)]
struct EventsQuery {
    #[serde(rename = "type")]
    kind: Option<String>,
    limit: Option<usize>,
}

/// Newest first.
async fn events(
    State(sim): State<Sim>,
    _: Authorized,
    query: Result<Query<EventsQuery>, QueryRejection>,
) -> Result<Json<Value>, ApiError> {
    let Query(query) = query.map_err(|error| ApiError::invalid(error.body_text()))?;
    let all: Vec<(String, LoggedEvent)> = sim.state().all(Kind::Event)?;
    let wanted = |it: &LoggedEvent| {
        query
            .kind
            .as_ref()
            .is_none_or(|kind| it.event["type"] == **kind)
    };
    let newest = all.into_iter().rev().map(|(_, it)| it).filter(wanted);
    let shown: Vec<Value> = newest
        .take(query.limit.unwrap_or(100))
        .map(|it| json!({"event": it.event, "attempts": it.attempts}))
        .collect();
    Ok(data(&shown.into()))
}

async fn one(
    State(sim): State<Sim>,
    _: Authorized,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let logged: Option<LoggedEvent> = sim.state().get(Kind::Event, &id)?;
    Ok(data(&json!(logged.ok_or_else(ApiError::not_found)?)))
}

/// Sends an event to everybody once more, with its own id.
async fn replay(
    State(sim): State<Sim>,
    _: Authorized,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let sent = sim.state().step(|step| {
        let logged: Option<LoggedEvent> = step.get(Kind::Event, &id)?;
        let logged = logged.ok_or_else(ApiError::not_found)?;
        Ok::<_, ApiError>(webhooks::replay(&sim, step, &logged.event)?)
    })?;
    sim.ring();
    Ok(data(&json!({"id": id, "endpoints": sent})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TriggerBody {
    #[serde(rename = "type")]
    kind: String,
    /// Whether endpoints are told, or only whoever asks.
    #[serde(default = "yes")]
    send: bool,
}

fn yes() -> bool {
    true
}

/// Sends an event that nothing caused.
async fn trigger(
    State(sim): State<Sim>,
    _: Authorized,
    Input(body): Input<TriggerBody>,
) -> Result<Json<Value>, ApiError> {
    let event = examples::event_of(&sim, &body.kind)?.ok_or_else(|| {
        ApiError::invalid(format!(
            "there is no event type {:?}: `muxsim trigger --list` names them all",
            body.kind
        ))
    })?;
    if body.send {
        sim.state()
            .step(|step| webhooks::send(&sim, step, &event))?;
        sim.ring();
    }
    Ok(data(&event))
}

fn shown_faults(faults: &Faults) -> Json<Value> {
    let all = Fault::ALL.iter();
    let names: Vec<Value> = all
        .map(|it| json!({"name": it.name(), "what": it.what(), "rate": faults.rates.get(it).copied().unwrap_or(0.0)}))
        .collect();
    let mut shown = data(&json!(faults));
    shown.0["data"]["faults"] = names.into();
    shown
}

async fn faults(State(sim): State<Sim>, _: Authorized) -> Json<Value> {
    shown_faults(&sim.dice().faults())
}

async fn set_faults(
    State(sim): State<Sim>,
    _: Authorized,
    Input(faults): Input<Faults>,
) -> Result<Json<Value>, ApiError> {
    faults
        .check()
        .map_err(|error| ApiError::invalid(error.to_string()))?;
    sim.set_faults(faults.clone());
    Ok(shown_faults(&faults))
}

async fn clear_faults(State(sim): State<Sim>, _: Authorized) -> Json<Value> {
    sim.set_faults(Faults::default());
    shown_faults(&Faults::default())
}

async fn mishaps(State(sim): State<Sim>, _: Authorized) -> Result<Json<Value>, ApiError> {
    Ok(data(&json!(sim.mishaps()?)))
}

/// What was delivered, by the hour and by playback id, without Mux's delay.
async fn used(State(sim): State<Sim>, _: Authorized) -> Result<Json<Value>, ApiError> {
    Ok(data(&json!(usage::within(&sim, i64::MIN, i64::MAX)?)))
}
