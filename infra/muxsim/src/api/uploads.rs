//! Direct uploads: create, get, list, cancel.

use axum::{
    Json, Router,
    extract::State,
    response::Response,
    routing::{get, post, put},
};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Authorized, Input, Named, Paging, created, data, settings};
use crate::{
    documents::{Upload, UploadStatus},
    error::ApiError,
    events, ingest,
    sim::Sim,
    state::Kind,
};

/// Seconds (mux.com/docs/api-reference/video/direct-uploads).
const TIMEOUT: u32 = 3600;
const TIMEOUT_MIN: u32 = 60;
const TIMEOUT_MAX: u32 = 604_800;

pub(super) fn router() -> Router<Sim> {
    Router::new()
        .route("/video/v1/uploads", post(create).get(list))
        .route("/video/v1/uploads/{id}", get(show))
        .route("/video/v1/uploads/{id}/cancel", put(cancel))
}

#[derive(Deserialize)]
struct CreateBody {
    cors_origin: Option<String>,
    timeout: Option<u32>,
    #[serde(default)]
    test: bool,
    new_asset_settings: Option<Map<String, Value>>,
}

async fn create(
    State(sim): State<Sim>,
    _: Authorized,
    Input(body): Input<CreateBody>,
) -> Result<Response, ApiError> {
    let timeout = body.timeout.unwrap_or(TIMEOUT);
    if !(TIMEOUT_MIN..=TIMEOUT_MAX).contains(&timeout) {
        return Err(ApiError::invalid(
            "timeout must be between 60 and 604800 seconds",
        ));
    }
    super::check_plan(&sim)?;
    let settings = settings::checked(body.new_asset_settings.unwrap_or_default())?;
    let now = sim.now();
    let mut upload = Upload {
        id: sim.ids().long(),
        status: UploadStatus::Waiting,
        timeout,
        cors_origin: body.cors_origin.unwrap_or_default(),
        test: body.test,
        settings,
        asset_id: None,
        error: None,
        created_at: now.unix_timestamp(),
        url: String::new(),
    };
    upload.url = ingest::address(&sim, &upload);
    sim.state().step(|step| {
        step.put(Kind::Upload, &upload.id, &upload)?;
        events::of_upload(&sim, step, "created", &upload)
    })?;
    sim.ring();
    Ok(created(&upload.show(now)))
}

async fn show(
    State(sim): State<Sim>,
    _: Authorized,
    Named(id): Named<String>,
) -> Result<Json<Value>, ApiError> {
    let upload: Upload = sim
        .state()
        .get(Kind::Upload, &id)?
        .ok_or_else(ApiError::not_found)?;
    Ok(data(&upload.show(sim.now())))
}

async fn list(
    State(sim): State<Sim>,
    _: Authorized,
    page: Paging,
) -> Result<Json<Value>, ApiError> {
    let uploads: Vec<(String, Upload)> = sim.state().all(Kind::Upload)?;
    let now = sim.now();
    let shown = page
        .cut(uploads)
        .iter()
        .map(|(_, it)| it.show(now))
        .collect();
    Ok(data(&shown))
}

/// Succeeds only while the upload waits, and nobody has begun an asset of it.
async fn cancel(
    State(sim): State<Sim>,
    _: Authorized,
    Named(id): Named<String>,
) -> Result<Json<Value>, ApiError> {
    let now = sim.now();
    let shown = sim.state().step(|step| {
        let mut upload: Upload = super::found(step, Kind::Upload, &id)?;
        if upload.status(now) != UploadStatus::Waiting {
            return Err(ApiError::forbidden("Cancellation no longer possible"));
        }
        upload.status = UploadStatus::Cancelled;
        step.put(Kind::Upload, &upload.id, &upload)?;
        events::of_upload(&sim, step, "cancelled", &upload)?;
        Ok(upload.show(now))
    })?;
    sim.ring();
    Ok(data(&shown))
}
