//! Assets: get, list, delete.

use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    routing::get,
};
use serde_json::Value;

use super::{Authorized, Paging, data};
use crate::{documents::Asset, error::ApiError, jobs, sim::Sim, state::Kind};

pub(super) fn router() -> Router<Sim> {
    Router::new()
        .route("/video/v1/assets", get(list))
        .route("/video/v1/assets/{id}", get(show).delete(delete))
}

async fn show(
    State(sim): State<Sim>,
    _: Authorized,
    Path(id): Path<String>,
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
    let shown = page.cut(assets).iter().map(|(_, it)| it.show()).collect();
    Ok(data(&shown))
}

async fn delete(
    State(sim): State<Sim>,
    _: Authorized,
    Path(id): Path<String>,
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
