//! Keys that sign playback tokens: create, get, list, delete. The private half is told once.

use axum::{Json, Router, extract::State, http::StatusCode, response::Response, routing::get};
use serde_json::{Value, json};

use super::{Authorized, Named, Paging, created, data};
use crate::{
    error::ApiError,
    ids,
    keys::{PublicKey, SigningKey},
    sim::Sim,
    state::Kind,
};

pub(super) fn router() -> Router<Sim> {
    // The older address still exists.
    ["/system/v1/signing-keys", "/video/v1/signing-keys"]
        .into_iter()
        .fold(Router::new(), |router, path| {
            router
                .route(path, get(list).post(create))
                .route(&format!("{path}/{{id}}"), get(show).delete(delete))
        })
}

fn shown(key: &PublicKey) -> Value {
    json!({"id": key.id, "created_at": key.created_at.to_string()})
}

async fn create(State(sim): State<Sim>, _: Authorized) -> Result<Response, ApiError> {
    // Looking for primes takes a while.
    let made = tokio::task::spawn_blocking(|| SigningKey::generate(ids::long())).await;
    let key = made
        .ok()
        .and_then(Result::ok)
        .ok_or_else(ApiError::internal)?;
    let public = PublicKey::of(&key, sim.now().unix_timestamp());
    sim.state()
        .step(|step| step.put(Kind::SigningKey, &key.id, &public))?;
    let mut shown = shown(&public);
    shown["private_key"] = key.private_key.into();
    Ok(created(&shown))
}

async fn show(
    State(sim): State<Sim>,
    _: Authorized,
    Named(id): Named<String>,
) -> Result<Json<Value>, ApiError> {
    let key: Option<PublicKey> = sim.state().get(Kind::SigningKey, &id)?;
    Ok(data(&shown(&key.ok_or_else(ApiError::not_found)?)))
}

async fn list(
    State(sim): State<Sim>,
    _: Authorized,
    page: Paging,
) -> Result<Json<Value>, ApiError> {
    let keys: Vec<(String, PublicKey)> = sim.state().all(Kind::SigningKey)?;
    Ok(data(
        &page.cut(keys).iter().map(|(_, it)| shown(it)).collect(),
    ))
}

/// Every token that it signed is worth nothing from now on.
async fn delete(
    State(sim): State<Sim>,
    _: Authorized,
    Named(id): Named<String>,
) -> Result<StatusCode, ApiError> {
    super::delete(&sim, Kind::SigningKey, &id)
}
