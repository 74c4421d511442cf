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
    state::Kind,
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
        let mut asset: Asset = super::found(step, Kind::Asset, &id)?;
        if asset.status == AssetStatus::Errored {
            return Err(ApiError::invalid("Asset is errored"));
        }
        if asset.static_renditions.iter().any(|it| it.by_mp4_support) {
            return Err(settings::exclusive());
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
        let mut asset: Asset = super::found(step, Kind::Asset, &id)?;
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
    forget(&sim, &id, &[gone]).await;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends what is being made, and removes what has been: files that nothing leads to any more.
async fn forget(sim: &Sim, asset: &str, gone: &[StaticRendition]) {
    for rendition in gone {
        sim.watches()
            .cancel_one(&format!("{asset}/{}", rendition.id));
        let file = sim.extras_folder(asset).join(rendition.file_name());
        let _ = tokio::fs::remove_file(file).await; // it may not have been made yet
    }
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
    let (shown, gone) = sim.state().step(|step| {
        let mut asset: Asset = super::found(step, Kind::Asset, &id)?;
        let older = |it: &mut StaticRendition| it.by_mp4_support;
        let gone: Vec<StaticRendition> = asset.static_renditions.extract_if(.., older).collect();
        if !asset.static_renditions.is_empty() && support != "none" {
            return Err(settings::exclusive());
        }
        asset.settings.insert("mp4_support".to_owned(), wanted);
        let added = jobs::by_mp4_support(&support);
        let preparing = !added.is_empty();
        asset.static_renditions.extend(added);
        step.put(Kind::Asset, &id, &asset)?;
        if preparing {
            events::of_asset(&sim, step, "static_renditions.preparing", &asset)?;
        } else if !gone.is_empty() {
            events::of_asset(&sim, step, "static_renditions.deleted", &asset)?;
        }
        Ok((asset.show(None), gone))
    })?;
    sim.ring();
    forget(&sim, &id, &gone).await;
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
        let mut asset: Asset = super::found(step, Kind::Asset, &id)?;
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
