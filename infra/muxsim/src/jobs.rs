//! What happens to a file that has arrived: it becomes an asset, and the asset becomes ready or errored.

use std::path::PathBuf;

use futures::{StreamExt, stream};
use serde_json::json;

use crate::{
    documents::{Asset, AssetStatus, PlaybackId, PlaybackPointer, Policy, Upload, UploadStatus},
    ids,
    media::{self, MediaError, Packaged},
    sim::Sim,
    state::{Kind, StateError, Step},
    webhooks,
};

/// Turns a complete upload into an asset. Nothing happens if it was cancelled meanwhile.
pub(crate) fn arrived(sim: &Sim, upload: &str) -> Result<(), StateError> {
    sim.state().step(|step| {
        let now = sim.now();
        let Some(mut upload) = step.get::<Upload>(Kind::Upload, upload)? else {
            return Ok(());
        };
        if upload.status != UploadStatus::Waiting {
            return Ok(());
        }
        let asset = Asset {
            id: ids::long(),
            status: AssetStatus::Preparing,
            created_at: now.unix_timestamp(),
            upload_id: Some(upload.id.clone()),
            test: upload.test,
            playback_ids: policies(&upload).into_iter().map(playback_id).collect(),
            settings: upload.settings.clone(),
            errors: None,
            media: None,
        };
        upload.status = UploadStatus::AssetCreated;
        upload.asset_id = Some(asset.id.clone());
        step.put(Kind::Upload, &upload.id, &upload)?;
        step.put(Kind::Asset, &asset.id, &asset)?;
        for playback in &asset.playback_ids {
            let pointer = PlaybackPointer {
                asset_id: asset.id.clone(),
                policy: playback.policy,
            };
            step.put(Kind::Playback, &playback.id, &pointer)?;
        }
        tell_upload(sim, step, "video.upload.asset_created", &upload)?;
        tell_asset(sim, step, "video.asset.created", &asset)
    })?;
    sim.ring();
    Ok(())
}

/// `playback_policies` or `playback_policy`, a list or one.
fn policies(upload: &Upload) -> Vec<Policy> {
    let settings = &upload.settings;
    let wanted = settings
        .get("playback_policies")
        .or_else(|| settings.get("playback_policy"));
    match wanted {
        Some(one) if one.is_string() => serde_json::from_value(one.clone()).into_iter().collect(),
        Some(list) => serde_json::from_value(list.clone()).unwrap_or_default(),
        None => Vec::new(),
    }
}

pub(crate) fn playback_id(policy: Policy) -> PlaybackId {
    PlaybackId {
        id: ids::playback(),
        policy,
    }
}

pub(crate) fn tell_upload(
    sim: &Sim,
    step: &Step<'_>,
    kind: &str,
    upload: &Upload,
) -> Result<(), StateError> {
    let event = webhooks::event(
        kind,
        "upload",
        &upload.id,
        &upload.show(sim.now()),
        sim.now(),
    );
    webhooks::send(sim, step, &event)
}

pub(crate) fn tell_asset(
    sim: &Sim,
    step: &Step<'_>,
    kind: &str,
    asset: &Asset,
) -> Result<(), StateError> {
    let event = webhooks::event(kind, "asset", &asset.id, &asset.snapshot(), sim.now());
    webhooks::send(sim, step, &event)
}

/// Processes every asset that is still being prepared, a few at once: also those that a crash left.
pub(crate) async fn process_all(sim: &Sim) -> Result<usize, StateError> {
    let all: Vec<(String, Asset)> = sim.state().all(Kind::Asset)?;
    let open: Vec<Asset> = all
        .into_iter()
        .map(|(_, asset)| asset)
        .filter(|asset| asset.status == AssetStatus::Preparing)
        .collect();
    let count = open.len();
    let outcomes: Vec<Result<(), StateError>> = stream::iter(open)
        .map(|asset| process(sim, asset))
        .buffer_unordered(sim.options().workers.max(1))
        .collect()
        .await;
    outcomes.into_iter().collect::<Result<Vec<()>, _>>()?;
    Ok(count)
}

async fn process(sim: &Sim, asset: Asset) -> Result<(), StateError> {
    let source = sim.upload_file(asset.upload_id.as_deref().unwrap_or(&asset.id));
    let made = package(sim, source, &asset.id).await;
    let exists = sim.state().step(|step| {
        // It may have been deleted, or given another playback id, while it was processed.
        let Some(mut asset) = step.get::<Asset>(Kind::Asset, &asset.id)? else {
            return Ok(false);
        };
        match made {
            Ok(media) => {
                asset.status = AssetStatus::Ready;
                asset.media = Some(media);
                step.put(Kind::Asset, &asset.id, &asset)?;
                tell_asset(sim, step, "video.asset.ready", &asset)?;
            }
            Err(error) => fail(sim, step, asset, &error)?,
        }
        Ok::<_, StateError>(true)
    })?;
    if !exists {
        // What stays behind costs only space.
        let _ = tokio::fs::remove_dir_all(sim.media_folder(&asset.id)).await;
    }
    sim.ring();
    Ok(())
}

async fn package(sim: &Sim, source: PathBuf, asset: &str) -> Result<Packaged, MediaError> {
    let out = sim.media_folder(asset);
    let options = media::Options {
        ffmpeg: sim.options().ffmpeg.clone(),
        ..media::Options::default()
    };
    tokio::task::spawn_blocking(move || media::package(&source, &out, &options))
        .await
        .unwrap_or(Err(MediaError::NotMedia)) // a panic in a parser is a file it cannot read
}

/// A file that is no video errors the asset, and then its upload.
fn fail(
    sim: &Sim,
    step: &Step<'_>,
    mut asset: Asset,
    error: &MediaError,
) -> Result<(), StateError> {
    tracing::info!(%error, "file is not a video");
    let message = error.mux_message();
    asset.status = AssetStatus::Errored;
    asset.errors = Some(json!({"type": "invalid_input", "messages": [message]}));
    step.put(Kind::Asset, &asset.id, &asset)?;
    tell_asset(sim, step, "video.asset.errored", &asset)?;
    let upload = asset.upload_id.as_deref();
    let upload = upload
        .map(|id| step.get::<Upload>(Kind::Upload, id))
        .transpose()?;
    let Some(mut upload) = upload.flatten() else {
        return Ok(());
    };
    upload.status = UploadStatus::Errored;
    upload.error = Some(json!({"type": "invalid_input", "message": message}));
    step.put(Kind::Upload, &upload.id, &upload)?;
    tell_upload(sim, step, "video.upload.errored", &upload)
}
