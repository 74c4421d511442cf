//! An asset of its file: ready, or errored with a type and a message.

use std::path::PathBuf;

use serde_json::json;

use crate::{
    documents::{Asset, AssetStatus, PlaybackId, Policy, Upload, UploadStatus},
    events,
    fetch::{self, FetchError},
    media::{self, MediaError, Packaged, Watch},
    sim::Sim,
    state::{Kind, StateError, Step},
};

/// The largest file that is fetched, in bytes: 100 GiB. Mux's own bound is not documented.
const FILE_MAX: u64 = 100 << 30;

pub(crate) fn playback_id(sim: &Sim, policy: Policy) -> PlaybackId {
    PlaybackId {
        id: sim.ids().playback(),
        policy,
    }
}

/// Why there is no video.
enum Failure {
    /// Somebody took the asset away meanwhile.
    Cancelled,
    /// A type, and a message.
    Errored(&'static str, String),
}

impl From<MediaError> for Failure {
    fn from(error: MediaError) -> Self {
        if matches!(error, MediaError::Cancelled) {
            return Self::Cancelled;
        }
        tracing::info!(%error, "file is not a video");
        Self::Errored(MediaError::KIND, error.mux_message().to_owned())
    }
}

impl From<FetchError> for Failure {
    fn from(error: FetchError) -> Self {
        if matches!(error, FetchError::Cancelled) {
            return Self::Cancelled;
        }
        let message = format!("The input file could not be downloaded: {error}.");
        Self::Errored("download_failed", message)
    }
}

pub(super) async fn process(sim: &Sim, id: &str) -> Result<(), StateError> {
    let asset: Option<Asset> = sim.state().get(Kind::Asset, id)?;
    let Some(asset) = asset else { return Ok(()) };
    let made = make(sim, &asset).await;
    sim.watches().end(id);
    let exists = sim.state().step(|step| {
        // It may have been deleted, or given another playback id, while it was processed.
        let Some(mut asset) = step.get::<Asset>(Kind::Asset, id)? else {
            return Ok(false);
        };
        match made {
            Ok(media) => {
                let unusual = !media.non_standard.is_empty();
                asset.status = AssetStatus::Ready;
                asset.media = Some(media);
                step.put(Kind::Asset, id, &asset)?;
                if unusual {
                    events::of_asset(sim, step, "non_standard_input_detected", &asset)?;
                }
                events::of_asset(sim, step, "ready", &asset)?;
            }
            Err(Failure::Errored(kind, message)) => fail(sim, step, asset, kind, &message)?,
            Err(Failure::Cancelled) => {}
        }
        Ok::<_, StateError>(true)
    })?;
    if !exists {
        super::expire::remove_files(sim, &asset);
    }
    sim.ring();
    Ok(())
}

async fn make(sim: &Sim, asset: &Asset) -> Result<Packaged, Failure> {
    let watch = sim.watches().begin(&asset.id);
    let source = sim.upload_file(asset.source());
    if asset.upload_id.is_none() && !source.exists() {
        let address = asset.settings["inputs"][0]["url"]
            .as_str()
            .unwrap_or_default();
        fetch::fetch(address, &source, FILE_MAX, &watch).await?;
    }
    Ok(package(sim, source, asset, watch).await?)
}

async fn package(
    sim: &Sim,
    source: PathBuf,
    asset: &Asset,
    watch: Watch,
) -> Result<Packaged, MediaError> {
    let out = sim.media_folder(&asset.id);
    let tier = asset.setting("max_resolution_tier");
    let tallest = match tier.as_ref().and_then(|it| it.as_str()) {
        Some("1440p") => 1440,
        Some("2160p") => 2160,
        _ => 1080,
    };
    let options = media::Options {
        ffmpeg: sim.options().ffmpeg.clone(),
        max_height: tallest,
        watch,
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
    kind: &str,
    message: &str,
) -> Result<(), StateError> {
    let error = json!({"type": kind, "messages": [message]});
    asset.status = AssetStatus::Errored;
    asset.errors = Some(error.clone());
    let had_master = asset.master.take().is_some();
    let parts = asset.fail_parts(&error);
    step.put(Kind::Asset, &asset.id, &asset)?;
    events::of_asset(sim, step, "errored", &asset)?;
    for track in &parts.tracks {
        events::of_track(sim, step, "errored", &asset, track)?;
    }
    for rendition in parts.renditions.iter().filter(|it| !it.by_mp4_support) {
        events::of_rendition(sim, step, "errored", &asset, rendition)?;
    }
    if parts.renditions.iter().any(|it| it.by_mp4_support) {
        events::of_asset(sim, step, "static_renditions.errored", &asset)?;
    }
    if had_master {
        events::of_asset(sim, step, "master.errored", &asset)?;
    }
    let upload = asset.upload_id.as_deref();
    let upload = upload
        .map(|id| step.get::<Upload>(Kind::Upload, id))
        .transpose()?;
    let Some(mut upload) = upload.flatten() else {
        return Ok(());
    };
    upload.status = UploadStatus::Errored;
    upload.error = Some(json!({"type": kind, "message": message}));
    step.put(Kind::Upload, &upload.id, &upload)?;
    events::of_upload(sim, step, "errored", &upload)
}
