//! Files: segments, static renditions, subtitles, masters. What is sent of a video is counted.

use axum::{
    Router,
    extract::{Path, Query, State},
    http::{Method, StatusCode, header, request::Parts},
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
    error::causes,
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
    parts: Parts,
) -> Result<Response, Refusal> {
    // The address is one that was signed here, so it names no file but ours.
    let place = Place::of(&sim, CHUNK, &opaque, &name, &signed)?;
    let asset: Option<Asset> = super::found(&sim, Kind::Asset, &place.asset)?;
    let asset = asset.ok_or(UNKNOWN)?;
    if place.rendition == "text" {
        let track = place.track.as_deref().unwrap_or_default();
        return file(&sim.text_file(&asset.id, track), &parts, "text/vtt").await;
    }
    let rendition = playlists::found(&asset, &place).ok_or(UNKNOWN)?;
    let folder = match &place.track {
        Some(track) => sim.extras_folder(&asset.id).join(track),
        None => sim.media_folder(&asset.id),
    };
    let path = folder.join(&place.rendition).join(&name);
    let sent = file(&path, &parts, "video/mp4").await?;
    let number = name
        .strip_suffix(".m4s")
        .and_then(|it| it.parse::<usize>().ok());
    // Sound that plays beside pictures is not counted twice.
    if let Some(seconds) = number.and_then(|it| rendition.segment_seconds.get(it))
        && place.track.is_none()
    {
        let tier = tier(rendition.width.unwrap_or(0), rendition.height.unwrap_or(0));
        let seconds = seconds * share(&parts, &sent);
        count(&sim, &asset, &place.playback, tier, seconds)?;
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
        tracing::error!(error = causes(&error), "delivery could not be counted");
        BROKEN
    })
}

/// How much of a file an answer sends: a part of the bytes is that part of the seconds.
fn share(asked: &Parts, sent: &Response) -> f64 {
    let number = |name: header::HeaderName, of: fn(&str) -> Option<&str>| {
        let text = sent.headers().get(name)?.to_str().ok()?;
        of(text)?.parse::<u32>().ok()
    };
    match sent.status() {
        _ if asked.method != Method::GET => 0.0,
        StatusCode::OK => 1.0,
        StatusCode::PARTIAL_CONTENT => {
            let length = number(header::CONTENT_LENGTH, |it| Some(it)).unwrap_or(0);
            // `bytes 0-99/1234`
            let whole = number(header::CONTENT_RANGE, |it| it.rsplit('/').next());
            f64::from(length) / f64::from(whole.unwrap_or(u32::MAX).max(1))
        }
        _ => 0.0,
    }
}

/// A static rendition: `/{playback}/highest.mp4`.
pub(super) async fn rendition(
    State(sim): State<Sim>,
    Path((playback, name)): Path<(String, String)>,
    Query(query): Query<Parameters>,
    parts: Parts,
) -> Result<Response, Refusal> {
    let mut query = query;
    // What a browser shall call the file says nothing about what is in it.
    query.remove("download");
    let admitted = admit(&sim, &playback, "v", &query, &parts.headers)?;
    let asset = &admitted.asset;
    let mut renditions = asset.static_renditions.iter();
    let rendition = renditions.find(|it| it.name == name && it.status == RenditionStatus::Ready);
    let rendition = rendition.ok_or(UNKNOWN)?;
    let made = rendition.file.as_ref().ok_or(UNKNOWN)?;
    let kind = if made.height.is_none() {
        "audio/mp4"
    } else {
        "video/mp4"
    };
    let sent = file(
        &sim.extras_folder(&asset.id).join(rendition.file_name()),
        &parts,
        kind,
    )
    .await?;
    let tier = tier(made.width.unwrap_or(0), made.height.unwrap_or(0));
    count(
        &sim,
        asset,
        &playback,
        tier,
        made.duration_seconds * share(&parts, &sent),
    )?;
    Ok(sent)
}

/// Subtitles: `/{playback}/text/{track}.vtt`, or what is said in them, as `.txt`.
pub(super) async fn text(
    State(sim): State<Sim>,
    Path((playback, name)): Path<(String, String)>,
    Query(query): Query<Parameters>,
    parts: Parts,
) -> Result<Response, Refusal> {
    let admitted = admit(&sim, &playback, "v", &query, &parts.headers)?;
    let (id, form) = name.rsplit_once('.').ok_or(UNKNOWN)?;
    let ready = admitted
        .asset
        .added_tracks
        .iter()
        .any(|it| it.id == id && it.kind == TrackType::Text && it.status == TrackStatus::Ready);
    let path = sim.text_file(&admitted.asset.id, id);
    match form {
        "vtt" if ready => file(&path, &parts, "text/vtt").await,
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
    parts: Parts,
) -> Result<Response, Refusal> {
    let path = format!("/master/{asset}/{name}");
    let now = sim.now().unix_timestamp();
    if !sim.paths().allows(&path, &signed.signature, now) {
        return Err(DENIED);
    }
    let asset: Option<Asset> = super::found(&sim, Kind::Asset, &asset)?;
    let asset = asset.filter(|it| it.master.is_some()).ok_or(UNKNOWN)?;
    file(&sim.upload_file(asset.source()), &parts, "video/mp4").await
}
