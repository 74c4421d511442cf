//! Direct uploads: create, get, list, cancel.

use axum::{
    Json, Router,
    extract::State,
    response::Response,
    routing::{get, post, put},
};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Authorized, Input, Named, Paging, created, data};
use crate::{
    documents::{Policy, Upload, UploadStatus},
    error::ApiError,
    ids, ingest, jobs,
    sim::Sim,
    state::Kind,
};

/// Seconds (mux.com/docs/api-reference/video/direct-uploads).
const TIMEOUT: u32 = 3600;
const TIMEOUT_MIN: u32 = 60;
const TIMEOUT_MAX: u32 = 604_800;

/// Characters of `passthrough` (the same page).
const PASSTHROUGH_MAX: usize = 255;

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
    let settings = checked(body.new_asset_settings.unwrap_or_default())?;
    let now = sim.now();
    let mut upload = Upload {
        id: ids::long(),
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
        jobs::tell_upload(&sim, step, "video.upload.created", &upload)
    })?;
    sim.ring();
    Ok(created(&upload.show(now)))
}

pub(super) fn check_passthrough(text: &str) -> Result<(), ApiError> {
    if text.chars().count() > PASSTHROUGH_MAX {
        return Err(ApiError::invalid(
            "passthrough must be at most 255 characters",
        ));
    }
    Ok(())
}

/// The settings as Mux shows them: whatever it was called and however it was written, there is a list
/// of playback policies.
fn checked(mut settings: Map<String, Value>) -> Result<Map<String, Value>, ApiError> {
    if let Some(text) = settings.get("passthrough").and_then(Value::as_str) {
        check_passthrough(text)?;
    }
    let deprecated = settings.remove("playback_policy");
    let policy = settings.remove("playback_policies").or(deprecated);
    let Some(policy) = policy.filter(|it| !it.is_null()) else {
        return Ok(settings);
    };
    let list = if policy.is_array() {
        policy
    } else {
        vec![policy].into()
    };
    if serde_json::from_value::<Vec<Policy>>(list.clone()).is_err() {
        return Err(ApiError::invalid(
            "playback_policies must be public or signed; drm is not supported here",
        ));
    }
    settings.insert("playback_policies".to_owned(), list);
    Ok(settings)
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
        let mut upload: Upload = step
            .get(Kind::Upload, &id)?
            .ok_or_else(ApiError::not_found)?;
        if upload.status(now) != UploadStatus::Waiting {
            return Err(ApiError::forbidden("Cancellation no longer possible"));
        }
        upload.status = UploadStatus::Cancelled;
        step.put(Kind::Upload, &upload.id, &upload)?;
        jobs::tell_upload(&sim, step, "video.upload.cancelled", &upload)?;
        Ok(upload.show(now))
    })?;
    sim.ring();
    Ok(data(&shown))
}
