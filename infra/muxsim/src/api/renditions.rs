//! Static renditions, the older `mp4_support`, and the master.

use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::Response,
    routing::{delete, post, put},
};
use serde::Deserialize;
use serde_json::Value;

use super::{Authorized, Input, Named, created, data, settings};
use crate::{
    documents::{Asset, AssetStatus, Master, StaticRendition},
    error::ApiError,
    events, jobs,
    sim::Sim,
    state::{Kind, Step},
};

pub(super) fn router() -> Router<Sim> {
    Router::new()
        .route("/video/v1/assets/{id}/static-renditions", post(create))
        .route(
            "/video/v1/assets/{id}/static-renditions/{rendition}",
            delete(remove),
        )
        .route("/video/v1/assets/{id}/mp4-support", put(mp4_support))
        .route("/video/v1/assets/{id}/master-access", put(master_access))
}

fn asset(step: &Step<'_>, id: &str) -> Result<Asset, ApiError> {
    step.get(Kind::Asset, id)?.ok_or_else(ApiError::not_found)
}

#[derive(Deserialize)]
struct CreateBody {
    resolution: String,
    passthrough: Option<String>,
}

async fn create(
    State(sim): State<Sim>,
    _: Authorized,
    Named(id): Named<String>,
    Input(body): Input<CreateBody>,
) -> Result<Response, ApiError> {
    settings::check_resolution(&body.resolution)?;
    settings::check_passthrough(body.passthrough.as_deref().unwrap_or_default())?;
    let rendition = StaticRendition::wanted(&body.resolution, body.passthrough);
    let rendition = rendition.ok_or_else(ApiError::not_found)?;
    let shown = rendition.show();
    sim.state().step(|step| {
        let mut asset = asset(step, &id)?;
        if asset.status == AssetStatus::Errored {
            return Err(ApiError::invalid("Asset is errored"));
        }
        if asset
            .static_renditions
            .iter()
            .any(|it| it.name == rendition.name)
        {
            return Err(ApiError::invalid("Static rendition already exists"));
        }
        asset.static_renditions.push(rendition.clone());
        step.put(Kind::Asset, &id, &asset)?;
        Ok(events::of_rendition(
            &sim, step, "created", &asset, &rendition,
        )?)
    })?;
    sim.ring();
    Ok(created(&shown))
}

async fn remove(
    State(sim): State<Sim>,
    _: Authorized,
    Named((id, rendition)): Named<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let gone = sim.state().step(|step| {
        let mut asset = asset(step, &id)?;
        let mut renditions = asset.static_renditions.iter();
        let place = renditions.position(|it| it.id == rendition);
        let gone = asset
            .static_renditions
            .remove(place.ok_or_else(ApiError::not_found)?);
        step.put(Kind::Asset, &id, &asset)?;
        events::of_rendition(&sim, step, "deleted", &asset, &gone)?;
        Ok::<_, ApiError>(gone)
    })?;
    sim.ring();
    // It may not have been made yet.
    let _ = tokio::fs::remove_file(sim.extras_folder(&id).join(gone.name)).await;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
struct Mp4Body {
    mp4_support: String,
}

async fn mp4_support(
    State(sim): State<Sim>,
    _: Authorized,
    Named(id): Named<String>,
    Input(body): Input<Mp4Body>,
) -> Result<Json<Value>, ApiError> {
    let wanted = serde_json::Map::from_iter([("mp4_support".to_owned(), body.mp4_support.into())]);
    let wanted = settings::checked(wanted)?
        .remove("mp4_support")
        .unwrap_or_default();
    let support = wanted.as_str().unwrap_or_default().to_owned();
    let shown = sim.state().step(|step| {
        let mut asset = asset(step, &id)?;
        let before = asset.static_renditions.len();
        asset.static_renditions.retain(|it| !it.by_mp4_support);
        let removed = before != asset.static_renditions.len();
        asset.settings.insert("mp4_support".to_owned(), wanted);
        let added = jobs::by_mp4_support(&support);
        let preparing = !added.is_empty();
        asset.static_renditions.extend(added);
        step.put(Kind::Asset, &id, &asset)?;
        if preparing {
            events::of_asset(&sim, step, "static_renditions.preparing", &asset)?;
        } else if removed {
            events::of_asset(&sim, step, "static_renditions.deleted", &asset)?;
        }
        Ok::<_, ApiError>(asset.show(None))
    })?;
    sim.ring();
    Ok(data(&shown))
}

#[derive(Deserialize)]
struct MasterBody {
    master_access: String,
}

async fn master_access(
    State(sim): State<Sim>,
    _: Authorized,
    Named(id): Named<String>,
    Input(body): Input<MasterBody>,
) -> Result<Json<Value>, ApiError> {
    let shown = sim.state().step(|step| {
        let mut asset = asset(step, &id)?;
        let what = match (body.master_access.as_str(), asset.master.is_some()) {
            ("temporary", false) => {
                asset.master = Some(Master::Preparing);
                Some("master.preparing")
            }
            ("none", true) => {
                asset.master = None;
                Some("master.deleted")
            }
            ("temporary" | "none", _) => None,
            _ => return Err(ApiError::invalid("master_access must be temporary or none")),
        };
        if let Some(what) = what {
            step.put(Kind::Asset, &id, &asset)?;
            events::of_asset(&sim, step, what, &asset)?;
        }
        Ok(asset.show(None))
    })?;
    sim.ring();
    Ok(data(&shown))
}
