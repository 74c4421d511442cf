//! Playback ids: create, get, delete, and the look-up from one to its asset.

use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::Response,
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Authorized, Input, Named, created, data};
use crate::{
    documents::{Asset, PlaybackPointer, Policy},
    error::ApiError,
    events, jobs,
    sim::Sim,
    state::Kind,
};

pub(super) fn router() -> Router<Sim> {
    Router::new()
        .route("/video/v1/assets/{id}/playback-ids", post(create))
        .route(
            "/video/v1/assets/{id}/playback-ids/{playback}",
            get(show).delete(delete),
        )
        .route("/video/v1/playback-ids/{playback}", get(look_up))
}

#[derive(Deserialize)]
struct CreateBody {
    policy: String,
}

async fn create(
    State(sim): State<Sim>,
    _: Authorized,
    Named(id): Named<String>,
    Input(body): Input<CreateBody>,
) -> Result<Response, ApiError> {
    let policy: Policy = serde_json::from_value(body.policy.into()).map_err(|_| {
        ApiError::invalid("policy must be public or signed; drm is not supported here")
    })?;
    let playback = jobs::playback_id(&sim, policy);
    let shown = json!({"id": playback.id, "policy": policy});
    sim.state().step(|step| {
        let mut asset: Asset = super::found(step, Kind::Asset, &id)?;
        let pointer = PlaybackPointer {
            asset_id: id.clone(),
            policy,
        };
        step.put(Kind::Playback, &playback.id, &pointer)?;
        asset.playback_ids.push(playback);
        step.put(Kind::Asset, &id, &asset)?;
        events::of_asset(&sim, step, "updated", &asset)?;
        Ok::<_, ApiError>(())
    })?;
    sim.ring();
    Ok(created(&shown))
}

async fn show(
    State(sim): State<Sim>,
    _: Authorized,
    Named((id, playback)): Named<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    let pointer: Option<PlaybackPointer> = sim.state().get(Kind::Playback, &playback)?;
    let pointer = pointer
        .filter(|it| it.asset_id == id)
        .ok_or_else(ApiError::not_found)?;
    Ok(data(&json!({"id": playback, "policy": pointer.policy})))
}

async fn delete(
    State(sim): State<Sim>,
    _: Authorized,
    Named((id, playback)): Named<(String, String)>,
) -> Result<StatusCode, ApiError> {
    sim.state().step(|step| {
        let mut asset: Asset = super::found(step, Kind::Asset, &id)?;
        let before = asset.playback_ids.len();
        asset.playback_ids.retain(|it| it.id != playback);
        if asset.playback_ids.len() == before {
            return Err(ApiError::not_found());
        }
        step.delete(Kind::Playback, &playback)?;
        step.put(Kind::Asset, &id, &asset)?;
        events::of_asset(&sim, step, "updated", &asset)?;
        Ok(())
    })?;
    sim.ring();
    Ok(StatusCode::NO_CONTENT)
}

async fn look_up(
    State(sim): State<Sim>,
    _: Authorized,
    Named(playback): Named<String>,
) -> Result<Json<Value>, ApiError> {
    let pointer: Option<PlaybackPointer> = sim.state().get(Kind::Playback, &playback)?;
    let pointer = pointer.ok_or_else(ApiError::not_found)?;
    Ok(data(&json!({
        "id": playback,
        "policy": pointer.policy,
        "object": {"type": "asset", "id": pointer.asset_id},
    })))
}
