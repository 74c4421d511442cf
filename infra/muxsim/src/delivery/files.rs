//! Files: segments, static renditions, subtitles, masters. What is sent of a video is counted.

use axum::{
    Router,
    extract::{Path, Query, State},
    http::HeaderMap,
    response::{IntoResponse, Response},
    routing::get,
};

use super::{
    BROKEN, DENIED, Parameters, Refusal, UNKNOWN, file,
    opaque::{Place, Signed},
    playlists::{self, CHUNK},
    tokens::admit,
};
use crate::{
    cors,
    documents::{Asset, RenditionStatus, TrackStatus, TrackType, tier},
    sim::Sim,
    state::Kind,
    usage,
};

pub(super) fn router() -> Router<Sim> {
    Router::new()
        .route("/v1/chunk/{opaque}/{file}", get(chunk))
        .route("/master/{asset}/{file}", get(master))
}

async fn chunk(
    State(sim): State<Sim>,
    Path((opaque, name)): Path<(String, String)>,
    Query(signed): Query<Signed>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    // The address is one that was signed here, so it names no file but ours.
    let place = Place::of(&sim, CHUNK, &opaque, &name, &signed)?;
    let asset: Option<Asset> = sim
        .state()
        .get(Kind::Asset, &place.asset)
        .map_err(|_| BROKEN)?;
    let asset = asset.ok_or(UNKNOWN)?;
    if place.rendition == "text" {
        let track = place.track.as_deref().unwrap_or_default();
        return file(&sim.text_file(&asset.id, track), &headers, "text/vtt").await;
    }
    let rendition = playlists::found(&asset, &place).ok_or(UNKNOWN)?;
    let folder = match &place.track {
        Some(track) => sim.extras_folder(&asset.id).join(track),
        None => sim.media_folder(&asset.id),
    };
    let path = folder.join(&place.rendition).join(&name);
    let sent = file(&path, &headers, "video/mp4").await?;
    let number = name
        .strip_suffix(".m4s")
        .and_then(|it| it.parse::<usize>().ok());
    // Sound that plays beside pictures is not counted twice.
    if let Some(seconds) = number.and_then(|it| rendition.segment_seconds.get(it))
        && place.track.is_none()
    {
        let tier = tier(rendition.width.unwrap_or(0), rendition.height.unwrap_or(0));
        count(&sim, &asset, &place.playback, tier, *seconds)?;
    }
    Ok(sent)
}

fn count(
    sim: &Sim,
    asset: &Asset,
    playback: &str,
    tier: &str,
    seconds: f64,
) -> Result<(), Refusal> {
    usage::count(sim, &asset.id, playback, tier, seconds).map_err(|error| {
        tracing::error!(%error, "delivery could not be counted");
        BROKEN
    })
}

/// A static rendition: `/{playback}/highest.mp4`.
pub(super) async fn rendition(
    State(sim): State<Sim>,
    Path((playback, name)): Path<(String, String)>,
    Query(query): Query<Parameters>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let mut query = query;
    // What a browser shall call the file says nothing about what is in it.
    query.remove("download");
    let admitted = admit(&sim, &playback, "v", &query, &headers)?;
    let asset = &admitted.asset;
    let mut renditions = asset.static_renditions.iter();
    let rendition = renditions.find(|it| it.name == name && it.status == RenditionStatus::Ready);
    let made = rendition.and_then(|it| it.file.as_ref()).ok_or(UNKNOWN)?;
    let kind = if made.height.is_none() {
        "audio/mp4"
    } else {
        "video/mp4"
    };
    let sent = file(&sim.extras_folder(&asset.id).join(&name), &headers, kind).await?;
    // A part of the bytes is that part of the seconds.
    let length = sent.headers().get("content-length");
    let length = length.and_then(|it| it.to_str().ok()?.parse::<u32>().ok());
    let whole = u32::try_from(made.filesize).unwrap_or(u32::MAX).max(1);
    let part = f64::from(length.unwrap_or(whole).min(whole)) / f64::from(whole);
    let tier = tier(made.width.unwrap_or(0), made.height.unwrap_or(0));
    count(&sim, asset, &playback, tier, made.duration_seconds * part)?;
    Ok(sent)
}

/// Subtitles: `/{playback}/text/{track}.vtt`, or what is said in them, as `.txt`.
pub(super) async fn text(
    State(sim): State<Sim>,
    Path((playback, name)): Path<(String, String)>,
    Query(query): Query<Parameters>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let admitted = admit(&sim, &playback, "v", &query, &headers)?;
    let (id, form) = name.rsplit_once('.').ok_or(UNKNOWN)?;
    let ready = admitted
        .asset
        .added_tracks
        .iter()
        .any(|it| it.id == id && it.kind == TrackType::Text && it.status == TrackStatus::Ready);
    let path = sim.text_file(&admitted.asset.id, id);
    match form {
        "vtt" if ready => file(&path, &headers, "text/vtt").await,
        "txt" if ready => {
            let cues = tokio::fs::read_to_string(path).await.map_err(|_| UNKNOWN)?;
            Ok(([cors::of_stream()], said(&cues)).into_response())
        }
        _ => Err(UNKNOWN),
    }
}

/// The text of all cues: what follows a line of times, up to an empty line (WebVTT, section 4.1).
fn said(cues: &str) -> String {
    let mut lines = cues.lines();
    let mut text = Vec::new();
    while lines.any(|it| it.contains("-->")) {
        text.extend(lines.by_ref().take_while(|it| !it.trim().is_empty()));
    }
    text.join("\n") + "\n"
}

/// The file as it was sent; its address is signed and good for a day.
async fn master(
    State(sim): State<Sim>,
    Path((asset, name)): Path<(String, String)>,
    Query(signed): Query<Signed>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let path = format!("/master/{asset}/{name}");
    let now = sim.now().unix_timestamp();
    if !sim.paths().allows(&path, &signed.signature, now) {
        return Err(DENIED);
    }
    let asset: Option<Asset> = sim.state().get(Kind::Asset, &asset).map_err(|_| BROKEN)?;
    let asset = asset.filter(|it| it.master.is_some()).ok_or(UNKNOWN)?;
    file(&sim.upload_file(asset.source()), &headers, "video/mp4").await
}
