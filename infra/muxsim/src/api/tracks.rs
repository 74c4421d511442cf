//! Tracks that are added to an asset: create, patch, delete.

use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::Response,
    routing::{patch, post},
};
use serde::Deserialize;
use serde_json::Value;

use super::{Authorized, Input, Named, created, data, settings};
use crate::{
    documents::{AddedTrack, Asset, AssetStatus},
    error::ApiError,
    events, fetch, jobs,
    sim::Sim,
    state::Kind,
};

pub(super) fn router() -> Router<Sim> {
    Router::new()
        .route("/video/v1/assets/{id}/tracks", post(create))
        .route(
            "/video/v1/assets/{id}/tracks/{track}",
            patch(update).delete(delete),
        )
        .route(
            "/video/v1/assets/{id}/tracks/{track}/generate-subtitles",
            post(generate),
        )
}

async fn create(
    State(sim): State<Sim>,
    _: Authorized,
    Named(id): Named<String>,
    Input(body): Input<Value>,
) -> Result<Response, ApiError> {
    let track = checked(&body)?;
    let shown = track.show();
    sim.state().step(|step| {
        let mut asset: Asset = super::found(step, Kind::Asset, &id)?;
        if asset.status != AssetStatus::Ready {
            return Err(ApiError::invalid("Asset is not ready"));
        }
        let twin = |it: &AddedTrack| it.kind == track.kind && it.name == track.name;
        if asset.added_tracks.iter().any(twin) {
            return Err(ApiError::invalid("name is already used by another track"));
        }
        asset.added_tracks.push(track.clone());
        step.put(Kind::Asset, &id, &asset)?;
        events::of_track(&sim, step, "created", &asset, &track)?;
        Ok(())
    })?;
    sim.ring();
    Ok(created(&shown))
}

fn checked(body: &Value) -> Result<AddedTrack, ApiError> {
    let url = body["url"].as_str().unwrap_or_default();
    if fetch::web_address(url).is_none() {
        return Err(ApiError::invalid("url must be http or https"));
    }
    if body["language_code"].as_str().is_none_or(str::is_empty) {
        return Err(ApiError::invalid("language_code is required"));
    }
    for name in ["name", "language_code"] {
        settings::check_name(name, body[name].as_str().unwrap_or_default())?;
    }
    match (body["type"].as_str(), body["text_type"].as_str()) {
        (Some("text"), Some("subtitles")) | (Some("audio"), None) => {}
        (Some("text"), _) => return Err(ApiError::invalid("text_type must be subtitles")),
        _ => return Err(ApiError::invalid("type must be text or audio")),
    }
    jobs::track(body).ok_or_else(|| ApiError::invalid("type must be text or audio"))
}

#[derive(Deserialize)]
struct PatchBody {
    language_code: Option<String>,
    name: Option<String>,
    passthrough: Option<String>,
    closed_captions: Option<bool>,
}

async fn update(
    State(sim): State<Sim>,
    _: Authorized,
    Named((id, track)): Named<(String, String)>,
    Input(body): Input<PatchBody>,
) -> Result<Json<Value>, ApiError> {
    settings::check_name("name", body.name.as_deref().unwrap_or_default())?;
    let language = body.language_code.as_deref();
    settings::check_name("language_code", language.unwrap_or_default())?;
    let shown = sim.state().step(|step| {
        let mut asset: Asset = super::found(step, Kind::Asset, &id)?;
        let mut tracks = asset.added_tracks.iter_mut();
        let found = tracks.find(|it| it.id == track);
        let found = found.ok_or_else(ApiError::not_found)?;
        found.language_code = body
            .language_code
            .unwrap_or_else(|| found.language_code.clone());
        found.name = body.name.unwrap_or_else(|| found.name.clone());
        found.passthrough = body.passthrough.or_else(|| found.passthrough.clone());
        found.closed_captions = body.closed_captions.unwrap_or(found.closed_captions);
        let shown = found.show();
        step.put(Kind::Asset, &id, &asset)?;
        events::of_asset(&sim, step, "updated", &asset)?;
        Ok::<_, ApiError>(shown)
    })?;
    sim.ring();
    Ok(data(&shown))
}

/// Only what was added can be taken away: neither pictures nor the first sound.
async fn delete(
    State(sim): State<Sim>,
    _: Authorized,
    Named((id, track)): Named<(String, String)>,
) -> Result<StatusCode, ApiError> {
    sim.state().step(|step| {
        let mut asset: Asset = super::found(step, Kind::Asset, &id)?;
        if asset.has_own_track(&track) {
            return Err(ApiError::invalid(
                "Neither video nor the primary audio track can be removed",
            ));
        }
        let place = asset.added_tracks.iter().position(|it| it.id == track);
        let gone = asset
            .added_tracks
            .remove(place.ok_or_else(ApiError::not_found)?);
        step.put(Kind::Asset, &id, &asset)?;
        events::of_track(&sim, step, "deleted", &asset, &gone)?;
        Ok(events::of_asset(&sim, step, "updated", &asset)?)
    })?;
    sim.ring();
    sim.watches().cancel_one(&format!("{id}/{track}"));
    // A text has a file, a sound a folder.
    let _ = tokio::fs::remove_file(sim.text_file(&id, &track)).await;
    let _ = tokio::fs::remove_dir_all(sim.extras_folder(&id).join(&track)).await;
    Ok(StatusCode::NO_CONTENT)
}

/// Nobody listens here.
async fn generate(
    State(_): State<Sim>,
    _: Authorized,
    Named(_): Named<(String, String)>,
) -> ApiError {
    ApiError::invalid("generated subtitles are not supported here; add a text track instead")
}
