//! Webhook endpoints: create, get, list, patch, delete. A secret is told once, and is never changed:
//! who wants another one makes a second endpoint.

use axum::{Json, Router, extract::State, http::StatusCode, response::Response, routing::get};
use rand::Rng;
use serde::Deserialize;
use serde_json::Value;

use super::{Authorized, Input, Named, Paging, created, data};
use crate::{
    documents::Webhook,
    error::ApiError,
    fetch,
    sim::Sim,
    state::{Kind, Step},
};

pub(super) fn router() -> Router<Sim> {
    let path = "/system/v1/webhooks";
    Router::new().route(path, get(list).post(create)).route(
        &format!("{path}/{{id}}"),
        get(show).patch(update).delete(delete),
    )
}

/// Nobody else in the environment may have the address.
fn check_address(step: &Step<'_>, address: &str, but: &str) -> Result<(), ApiError> {
    if fetch::web_address(address).is_none() {
        return Err(ApiError::invalid("address must be http or https"));
    }
    let taken = step.all::<Webhook>(Kind::Webhook)?;
    if taken
        .iter()
        .any(|(id, it)| it.address == address && id != but)
    {
        return Err(ApiError::invalid(
            "address is already used by another webhook",
        ));
    }
    Ok(())
}

#[derive(Deserialize)]
struct CreateBody {
    address: String,
}

async fn create(
    State(sim): State<Sim>,
    _: Authorized,
    Input(body): Input<CreateBody>,
) -> Result<Response, ApiError> {
    let mut secret = [0; 16];
    rand::rng().fill_bytes(&mut secret);
    let shown = sim.state().step(|step| {
        check_address(step, &body.address, "")?;
        let others = step.all::<Webhook>(Kind::Webhook)?;
        let now = sim.now().unix_timestamp();
        let webhook = Webhook::beside(&others, body.address, hex::encode(secret), now);
        step.put(Kind::Webhook, &webhook.id, &webhook)?;
        let mut shown = webhook.show();
        shown["signing_secret"] = webhook.secret.into();
        Ok::<_, ApiError>(shown)
    })?;
    Ok(created(&shown))
}

async fn show(
    State(sim): State<Sim>,
    _: Authorized,
    Named(id): Named<String>,
) -> Result<Json<Value>, ApiError> {
    let found: Option<Webhook> = sim.state().get(Kind::Webhook, &id)?;
    Ok(data(&found.ok_or_else(ApiError::not_found)?.show()))
}

async fn list(
    State(sim): State<Sim>,
    _: Authorized,
    page: Paging,
) -> Result<Json<Value>, ApiError> {
    let all: Vec<(String, Webhook)> = sim.state().all(Kind::Webhook)?;
    Ok(data(
        &page.cut(all).iter().map(|(_, it)| it.show()).collect(),
    ))
}

#[derive(Deserialize)]
struct PatchBody {
    address: Option<String>,
    enabled: Option<bool>,
}

async fn update(
    State(sim): State<Sim>,
    _: Authorized,
    Named(id): Named<String>,
    Input(body): Input<PatchBody>,
) -> Result<Json<Value>, ApiError> {
    if body.address.is_none() && body.enabled.is_none() {
        return Err(ApiError::invalid("address or enabled is required"));
    }
    sim.state().step(|step| {
        let found: Option<Webhook> = step.get(Kind::Webhook, &id)?;
        let mut webhook = found.ok_or_else(ApiError::not_found)?;
        if let Some(address) = body.address {
            check_address(step, &address, &id)?;
            webhook.address = address;
        }
        webhook.enabled = body.enabled.unwrap_or(webhook.enabled);
        step.put(Kind::Webhook, &id, &webhook)?;
        Ok(data(&webhook.show()))
    })
}

async fn delete(
    State(sim): State<Sim>,
    _: Authorized,
    Named(id): Named<String>,
) -> Result<StatusCode, ApiError> {
    super::delete(&sim, Kind::Webhook, &id)
}
