//! Assets: create from an address, get, list, patch, delete, and what they were made of.

use std::collections::BTreeMap;

use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::Response,
    routing::{delete, get},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Authorized, Input, Named, Paging, created, data, settings};
use crate::{
    documents::{Asset, rounded},
    error::ApiError,
    events, jobs,
    media::InputTrack,
    sim::Sim,
    state::Kind,
};

pub(super) fn router() -> Router<Sim> {
    Router::new()
        .route("/video/v1/assets", get(list).post(create))
        .route(
            "/video/v1/assets/{id}",
            get(show).patch(patch).delete(remove),
        )
        .route("/video/v1/assets/{id}/input-info", get(input_info))
        .route(
            "/video/v1/assets/{id}/thumbnail-time",
            delete(unset_thumbnail_time),
        )
}

async fn create(
    State(sim): State<Sim>,
    _: Authorized,
    Input(body): Input<Map<String, Value>>,
) -> Result<Response, ApiError> {
    super::check_plan(&sim)?;
    let settings = settings::checked(body)?;
    if settings
        .get("inputs")
        .is_none_or(|it| it[0]["url"].is_null())
    {
        return Err(ApiError::invalid("inputs needs a url"));
    }
    let asset = sim
        .state()
        .step(|step| jobs::begin(&sim, step, sim.ids().long(), None, settings))?;
    sim.ring();
    Ok(created(&asset.show(None)))
}

async fn show(
    State(sim): State<Sim>,
    _: Authorized,
    Named(id): Named<String>,
) -> Result<Json<Value>, ApiError> {
    let asset: Asset = sim
        .state()
        .get(Kind::Asset, &id)?
        .ok_or_else(ApiError::not_found)?;
    Ok(data(&asset.show(sim.watches().percent(&id))))
}

async fn list(
    State(sim): State<Sim>,
    _: Authorized,
    page: Paging,
) -> Result<Json<Value>, ApiError> {
    let mut assets: Vec<(String, Asset)> = sim.state().all(Kind::Asset)?;
    if page.live_stream_id.is_some() {
        assets.clear(); // there are none here
    }
    if let Some(upload) = &page.upload_id {
        assets.retain(|(_, asset)| asset.upload_id.as_ref() == Some(upload));
    }
    let next_cursor = page.next_cursor(assets.len());
    let shown = page.cut(assets).into_iter();
    let shown: Vec<Value> = shown
        .map(|(id, it)| it.show(sim.watches().percent(&id)))
        .collect();
    Ok(Json(json!({"data": shown, "next_cursor": next_cursor})))
}

/// What may be changed later; an empty `passthrough` takes it away.
#[derive(Deserialize)]
struct PatchBody {
    passthrough: Option<String>,
    meta: Option<BTreeMap<String, String>>,
    /// Of the picture that is shown when nobody says which, in seconds.
    thumbnail_time: Option<f64>,
}

async fn patch(
    State(sim): State<Sim>,
    _: Authorized,
    Named(id): Named<String>,
    Input(body): Input<PatchBody>,
) -> Result<Json<Value>, ApiError> {
    let shown = change(&sim, &id, |asset| {
        match body.passthrough {
            Some(text) if text.is_empty() => drop(asset.settings.remove("passthrough")),
            Some(text) => {
                settings::check_passthrough(&text)?;
                asset.settings.insert("passthrough".to_owned(), text.into());
            }
            None => {}
        }
        if let Some(meta) = body.meta {
            settings::check_meta(&meta)?;
            asset.settings.insert("meta".to_owned(), json!(meta));
        }
        if let Some(seconds) = body.thumbnail_time {
            if seconds < 0.0 {
                return Err(ApiError::invalid("thumbnail_time must not be negative"));
            }
            let name = "thumbnail_time".to_owned();
            asset.settings.insert(name, seconds.into());
        }
        Ok(())
    })?;
    Ok(data(&shown))
}

/// Changes an asset, tells that it was, and shows it.
fn change(
    sim: &Sim,
    id: &str,
    work: impl FnOnce(&mut Asset) -> Result<(), ApiError>,
) -> Result<Value, ApiError> {
    let shown = sim.state().step(|step| {
        let mut asset: Asset = super::found(step, Kind::Asset, id)?;
        work(&mut asset)?;
        step.put(Kind::Asset, id, &asset)?;
        events::of_asset(sim, step, "updated", &asset)?;
        Ok::<_, ApiError>(asset.show(sim.watches().percent(id)))
    })?;
    sim.ring();
    Ok(shown)
}

async fn remove(
    State(sim): State<Sim>,
    _: Authorized,
    Named(id): Named<String>,
) -> Result<StatusCode, ApiError> {
    let deleted = sim.state().step(|step| {
        let asset: Asset = super::found(step, Kind::Asset, &id)?;
        jobs::remove(&sim, step, &asset)?;
        Ok::<_, ApiError>(asset)
    })?;
    sim.watches().cancel(&id);
    sim.ring();
    jobs::remove_files(&sim, &deleted);
    Ok(StatusCode::NO_CONTENT)
}

async fn unset_thumbnail_time(
    State(sim): State<Sim>,
    _: Authorized,
    Named(id): Named<String>,
) -> Result<StatusCode, ApiError> {
    change(&sim, &id, |asset| {
        asset.settings.remove("thumbnail_time");
        Ok(())
    })?;
    Ok(StatusCode::NO_CONTENT)
}

async fn input_info(
    State(sim): State<Sim>,
    _: Authorized,
    Named(id): Named<String>,
) -> Result<Json<Value>, ApiError> {
    let asset: Asset = sim
        .state()
        .get(Kind::Asset, &id)?
        .ok_or_else(ApiError::not_found)?;
    let inputs = asset.setting("inputs").unwrap_or_else(|| json!([{}]));
    let mut inputs: Vec<Value> = inputs
        .as_array()
        .into_iter()
        .flatten()
        .map(|it| json!({ "settings": it }))
        .collect();
    if let (Some(first), Some(media)) = (inputs.first_mut(), &asset.media) {
        let tracks: Vec<Value> = media.input.tracks.iter().map(show_track).collect();
        first["file"] = json!({"container_format": media.input.container, "tracks": tracks});
    }
    Ok(data(&inputs.into()))
}

fn show_track(track: &InputTrack) -> Value {
    let mut shown = json!(track);
    for name in ["duration", "frame_rate"] {
        if let Some(number) = shown[name].as_f64() {
            shown[name] = rounded(number);
        }
    }
    shown
}
