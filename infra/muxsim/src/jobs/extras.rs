//! What an asset that is ready may still be given: tracks, static renditions, its master.

use std::path::{Path, PathBuf};

use serde_json::json;
use srtlib::Subtitles;
use time::Duration;

use crate::{
    documents::{
        AddedTrack, Asset, Master, RenditionStatus, StaticRendition, TrackStatus, TrackType,
    },
    events, fetch,
    media::{
        self, MediaError, Packaged, Watch,
        statics::{Static, StaticFile, static_rendition},
    },
    sim::Sim,
    state::{Kind, StateError, Step},
};

/// The largest file of subtitles, in bytes.
const TEXT_MAX: u64 = 10 << 20;

/// The largest file of sound, in bytes.
const SOUND_MAX: u64 = 4 << 30;

/// How long the address of a master is good (mux.com/docs: "expires after 24 hours").
const MASTER_LIFE: Duration = Duration::hours(24);

/// Changes one asset, if it is still there.
fn change(
    sim: &Sim,
    id: &str,
    work: impl FnOnce(&Step<'_>, &mut Asset) -> Result<(), StateError>,
) -> Result<(), StateError> {
    let exists = sim.state().step(|step| {
        let Some(mut asset) = step.get::<Asset>(Kind::Asset, id)? else {
            return Ok(false);
        };
        work(step, &mut asset)?;
        Ok::<_, StateError>(true)
    })?;
    if !exists {
        // It was deleted meanwhile; what was made of it since would stay behind.
        let _ = std::fs::remove_dir_all(sim.extras_folder(id));
    }
    sim.ring();
    Ok(())
}

/// Fetches a track and makes of it what players take.
pub(super) async fn track(sim: &Sim, asset: &str, id: &str) -> Result<(), StateError> {
    let found: Option<Asset> = sim.state().get(Kind::Asset, asset)?;
    let mut tracks = found.into_iter().flat_map(|it| it.added_tracks);
    let Some(track) = tracks.find(|it| it.id == id) else {
        return Ok(());
    };
    let name = format!("{asset}/{id}");
    let watch = sim.watches().begin(&name);
    let made = fetch_track(sim, asset, &track, &watch).await;
    sim.watches().end(&name);
    if watch.is_cancelled() && made.is_err() {
        return change(sim, asset, |_, _| Ok(())); // nobody wants it any more
    }
    change(sim, asset, |step, asset| {
        let Some(track) = asset.added_tracks.iter_mut().find(|it| it.id == id) else {
            return Ok(()); // it was deleted meanwhile
        };
        let what = match made {
            Ok(media) => {
                track.status = TrackStatus::Ready;
                track.media = media;
                "ready"
            }
            Err(message) => {
                track.status = TrackStatus::Errored;
                track.error = Some(json!({"type": "invalid_input", "messages": [message]}));
                "errored"
            }
        };
        let told = track.clone();
        step.put(Kind::Asset, &asset.id, asset)?;
        events::of_track(sim, step, what, asset, &told)?;
        events::of_asset(sim, step, "updated", asset)
    })
}

async fn fetch_track(
    sim: &Sim,
    asset: &str,
    track: &AddedTrack,
    watch: &Watch,
) -> Result<Option<Packaged>, String> {
    let folder = sim.extras_folder(asset);
    let file = folder.join(format!("{}.input", track.id));
    let most = match track.kind {
        TrackType::Text => TEXT_MAX,
        TrackType::Audio => SOUND_MAX,
    };
    let unavailable = |error| format!("The input file could not be downloaded: {error}.");
    fetch::fetch(&track.url, &file, most, watch)
        .await
        .map_err(unavailable)?;
    let made = match track.kind {
        TrackType::Text => subtitles(&file, &sim.text_file(asset, &track.id)).map(|()| None),
        TrackType::Audio => sound(sim, &file, folder.join(&track.id), watch)
            .await
            .map(Some),
    };
    // What was made of it is what counts.
    let _ = tokio::fs::remove_file(&file).await;
    made
}

/// Writes WebVTT, of WebVTT or of SRT.
fn subtitles(file: &Path, to: &Path) -> Result<(), String> {
    let wrong = "The input file is neither WebVTT nor SRT.";
    let text = std::fs::read_to_string(file).map_err(|_| wrong.to_owned())?;
    let text = text.trim_start_matches('\u{feff}');
    let written = if text.starts_with("WEBVTT") {
        text.to_owned()
    } else {
        let parsed = Subtitles::parse_from_str(text.to_owned()).ok();
        let cues = parsed.map(Subtitles::to_vec).filter(|it| !it.is_empty());
        let cues = cues.ok_or(wrong)?.into_iter().map(|cue| {
            let [start, end] = [cue.start_time, cue.end_time].map(|it| it.to_string());
            // WebVTT has a point where SRT has a comma.
            let time = format!("{start} --> {end}").replace(',', ".");
            format!("{time}\n{}\n\n", cue.text)
        });
        format!("WEBVTT\n\n{}", cues.collect::<String>())
    };
    std::fs::write(to, written).map_err(|_| "The input file could not be stored.".to_owned())
}

async fn sound(sim: &Sim, file: &Path, out: PathBuf, watch: &Watch) -> Result<Packaged, String> {
    let file = file.to_owned();
    let options = media::Options {
        ffmpeg: sim.options().ffmpeg.clone(),
        watch: watch.clone(),
        ..media::Options::default()
    };
    let made = tokio::task::spawn_blocking(move || media::package(&file, &out, &options)).await;
    let made = made.unwrap_or(Err(MediaError::NotMedia)); // a panic in a parser
    let made = made.map_err(|error| error.mux_message().to_owned())?;
    if made.renditions.iter().any(|it| it.height.is_some()) {
        return Err("The input file has pictures; an audio track has none.".to_owned());
    }
    Ok(made)
}

/// Makes one static rendition.
pub(super) async fn rendition(sim: &Sim, asset: &str, id: &str) -> Result<(), StateError> {
    let found: Option<Asset> = sim.state().get(Kind::Asset, asset)?;
    let Some(found) = found else { return Ok(()) };
    let wanted = found.static_renditions.iter().find(|it| it.id == id);
    let Some(wanted) = wanted else { return Ok(()) };
    let made = static_file(sim, &found, wanted).await;
    change(sim, asset, |step, asset| {
        let renditions = &mut asset.static_renditions;
        let Some(rendition) = renditions.iter_mut().find(|it| it.id == id) else {
            return Ok(()); // it was deleted meanwhile
        };
        let what = match made {
            Ok(Some(file)) => {
                rendition.status = RenditionStatus::Ready;
                rendition.file = Some(file);
                "ready"
            }
            Ok(None) => {
                rendition.status = RenditionStatus::Skipped;
                "skipped"
            }
            Err(MediaError::Cancelled) => return Ok(()), // as before, for the next time
            Err(error) => {
                tracing::warn!(%error, name = rendition.name, "no static rendition");
                rendition.status = RenditionStatus::Errored;
                "errored"
            }
        };
        let told = rendition.clone();
        step.put(Kind::Asset, &asset.id, asset)?;
        if told.by_mp4_support {
            return all_of_mp4_support(sim, step, asset);
        }
        events::of_rendition(sim, step, what, asset, &told)
    })
}

/// Those of `mp4_support` are told of together, when the last one is done.
fn all_of_mp4_support(sim: &Sim, step: &Step<'_>, asset: &Asset) -> Result<(), StateError> {
    let older: Vec<_> = asset
        .static_renditions
        .iter()
        .filter(|it| it.by_mp4_support)
        .map(|it| it.status)
        .collect();
    if older.contains(&RenditionStatus::Preparing) {
        return Ok(());
    }
    let failed = older.contains(&RenditionStatus::Errored);
    let what = if failed { "errored" } else { "ready" };
    events::of_asset(sim, step, &format!("static_renditions.{what}"), asset)
}

async fn static_file(
    sim: &Sim,
    asset: &Asset,
    rendition: &StaticRendition,
) -> Result<Option<StaticFile>, MediaError> {
    let source = sim.upload_file(asset.source());
    let out = sim.extras_folder(&asset.id).join(rendition.file_name());
    let ffmpeg = sim.options().ffmpeg.clone();
    let Some(wanted) = Static::parse(&rendition.resolution) else {
        return Ok(None);
    };
    std::fs::create_dir_all(sim.extras_folder(&asset.id))?;
    let name = format!("{}/{}", asset.id, rendition.id);
    let watch = sim.watches().begin(&name);
    let work = move || static_rendition(ffmpeg.as_deref(), &source, wanted, &out, &watch);
    let made = tokio::task::spawn_blocking(work).await;
    sim.watches().end(&name);
    made.unwrap_or(Err(MediaError::NotMedia)) // a panic in a parser is a file it cannot read
}

/// The master is the file as it was sent, so it only needs an address.
pub(super) fn master(sim: &Sim, asset: &str) -> Result<(), StateError> {
    change(sim, asset, |step, asset| {
        let until = (sim.now() + MASTER_LIFE).unix_timestamp();
        let path = format!("/master/{}/master.mp4", asset.id);
        let url = sim.signed_until(&path, until);
        asset.master = Some(Master::Ready { until, url });
        step.put(Kind::Asset, &asset.id, asset)?;
        events::of_asset(sim, step, "master.ready", asset)
    })
}
