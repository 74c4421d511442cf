//! Assets: get, list, patch, delete.

use axum::{Json, Router, extract::State, http::StatusCode, routing::get};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Authorized, Input, Named, Paging, data, uploads};
use crate::{documents::Asset, error::ApiError, jobs, sim::Sim, state::Kind};

pub(super) fn router() -> Router<Sim> {
    Router::new().route("/video/v1/assets", get(list)).route(
        "/video/v1/assets/{id}",
        get(show).patch(patch).delete(delete),
    )
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
    Ok(data(&asset.show()))
}

async fn list(
    State(sim): State<Sim>,
    _: Authorized,
    page: Paging,
) -> Result<Json<Value>, ApiError> {
    let mut assets: Vec<(String, Asset)> = sim.state().all(Kind::Asset)?;
    if let Some(upload) = &page.upload_id {
        assets.retain(|(_, asset)| asset.upload_id.as_ref() == Some(upload));
    }
    let next_cursor = page.next_cursor(assets.len());
    let shown: Vec<Value> = page.cut(assets).iter().map(|(_, it)| it.show()).collect();
    Ok(Json(json!({"data": shown, "next_cursor": next_cursor})))
}

/// What may be changed later; an empty `passthrough` takes it away.
#[derive(Deserialize)]
struct PatchBody {
    passthrough: Option<String>,
    meta: Option<Map<String, Value>>,
}

async fn patch(
    State(sim): State<Sim>,
    _: Authorized,
    Named(id): Named<String>,
    Input(body): Input<PatchBody>,
) -> Result<Json<Value>, ApiError> {
    let shown = sim.state().step(|step| {
        let mut asset: Asset = step
            .get(Kind::Asset, &id)?
            .ok_or_else(ApiError::not_found)?;
        match body.passthrough {
            Some(text) if text.is_empty() => drop(asset.settings.remove("passthrough")),
            Some(text) => {
                uploads::check_passthrough(&text)?;
                asset.settings.insert("passthrough".to_owned(), text.into());
            }
            None => {}
        }
        if let Some(meta) = body.meta {
            asset.settings.insert("meta".to_owned(), meta.into());
        }
        step.put(Kind::Asset, &id, &asset)?;
        jobs::tell_asset(&sim, step, "video.asset.updated", &asset)?;
        Ok::<_, ApiError>(asset.show())
    })?;
    sim.ring();
    Ok(data(&shown))
}

async fn delete(
    State(sim): State<Sim>,
    _: Authorized,
    Named(id): Named<String>,
) -> Result<StatusCode, ApiError> {
    let deleted = sim.state().step(|step| {
        let asset: Asset = step
            .get(Kind::Asset, &id)?
            .ok_or_else(ApiError::not_found)?;
        step.delete(Kind::Asset, &id)?;
        for playback in &asset.playback_ids {
            step.delete(Kind::Playback, &playback.id)?;
        }
        jobs::tell_asset(&sim, step, "video.asset.deleted", &asset)?;
        Ok::<_, ApiError>(asset)
    })?;
    sim.ring();
    // The row is gone, so nobody is led to the files any more; what stays behind costs only space.
    let files = [sim.media_folder(&id)];
    let upload = deleted.upload_id.map(|upload| sim.upload_file(&upload));
    let _ = tokio::fs::remove_dir_all(&files[0]).await;
    if let Some(file) = upload {
        let _ = tokio::fs::remove_file(file).await;
    }
    Ok(StatusCode::NO_CONTENT)
}
