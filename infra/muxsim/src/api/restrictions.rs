//! Playback restrictions: from which pages, and with which programs, a token may be used.

use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::Response,
    routing::{get, put},
};
use serde_json::{Value, json};

use super::{Authorized, Input, Named, Paging, created, data};
use crate::{
    error::ApiError,
    ids,
    restrictions::{Referrer, Restriction, UserAgent},
    sim::Sim,
    state::Kind,
};

pub(super) fn router() -> Router<Sim> {
    let path = "/video/v1/playback-restrictions";
    Router::new()
        .route(path, get(list).post(create))
        .route(&format!("{path}/{{id}}"), get(show).delete(delete))
        .route(&format!("{path}/{{id}}/referrer"), put(referrer))
        .route(&format!("{path}/{{id}}/user_agent"), put(user_agent))
}

fn shown(id: &str, restriction: &Restriction) -> Value {
    json!({
        "id": id,
        "created_at": restriction.created_at.to_string(),
        "updated_at": restriction.updated_at.to_string(),
        "referrer": restriction.referrer,
        "user_agent": restriction.user_agent,
    })
}

#[derive(serde::Deserialize)]
struct CreateBody {
    referrer: Referrer,
    #[serde(default)]
    user_agent: UserAgent,
}

async fn create(
    State(sim): State<Sim>,
    _: Authorized,
    Input(body): Input<CreateBody>,
) -> Result<Response, ApiError> {
    body.referrer.check().map_err(ApiError::invalid)?;
    let now = sim.now().unix_timestamp();
    let restriction = Restriction {
        created_at: now,
        updated_at: now,
        referrer: body.referrer,
        user_agent: body.user_agent,
    };
    let id = ids::long();
    sim.state()
        .step(|step| step.put(Kind::Restriction, &id, &restriction))?;
    Ok(created(&shown(&id, &restriction)))
}

async fn show(
    State(sim): State<Sim>,
    _: Authorized,
    Named(id): Named<String>,
) -> Result<Json<Value>, ApiError> {
    let found: Option<Restriction> = sim.state().get(Kind::Restriction, &id)?;
    Ok(data(&shown(&id, &found.ok_or_else(ApiError::not_found)?)))
}

async fn list(
    State(sim): State<Sim>,
    _: Authorized,
    page: Paging,
) -> Result<Json<Value>, ApiError> {
    let all: Vec<(String, Restriction)> = sim.state().all(Kind::Restriction)?;
    let shown = page.cut(all).iter().map(|(id, it)| shown(id, it)).collect();
    Ok(data(&shown))
}

async fn delete(
    State(sim): State<Sim>,
    _: Authorized,
    Named(id): Named<String>,
) -> Result<StatusCode, ApiError> {
    super::delete(&sim, Kind::Restriction, &id)
}

/// Replaces the whole list.
async fn referrer(
    State(sim): State<Sim>,
    _: Authorized,
    Named(id): Named<String>,
    Input(body): Input<Referrer>,
) -> Result<Json<Value>, ApiError> {
    body.check().map_err(ApiError::invalid)?;
    change(&sim, &id, |it| it.referrer = body)
}

async fn user_agent(
    State(sim): State<Sim>,
    _: Authorized,
    Named(id): Named<String>,
    Input(body): Input<UserAgent>,
) -> Result<Json<Value>, ApiError> {
    change(&sim, &id, |it| it.user_agent = body)
}

fn change(
    sim: &Sim,
    id: &str,
    work: impl FnOnce(&mut Restriction),
) -> Result<Json<Value>, ApiError> {
    sim.state().step(|step| {
        let found: Option<Restriction> = step.get(Kind::Restriction, id)?;
        let mut restriction = found.ok_or_else(ApiError::not_found)?;
        work(&mut restriction);
        restriction.updated_at = sim.now().unix_timestamp();
        step.put(Kind::Restriction, id, &restriction)?;
        Ok(data(&shown(id, &restriction)))
    })
}
