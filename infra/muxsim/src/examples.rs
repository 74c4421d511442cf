//! Events that nothing caused, for `muxsim trigger`: made of the newest asset and upload there are, or
//! of an example.

use serde_json::{Value, json};

use crate::{
    documents::{Asset, Upload},
    events::{TYPES, event},
    ids,
    sim::Sim,
    state::{Kind, StateError},
};

/// An event of a type; `None` if Mux has none of that name.
pub(crate) fn event_of(sim: &Sim, kind: &str) -> Result<Option<Value>, StateError> {
    if !TYPES.contains(&kind) {
        return Ok(None);
    }
    let (object, data) = subject(sim, kind)?;
    let id = data["id"].as_str().unwrap_or_default().to_owned();
    Ok(Some(event(sim, kind, object, &id, &data)))
}

/// What an event of a type is about, and how that looks.
fn subject(sim: &Sim, kind: &str) -> Result<(&'static str, Value), StateError> {
    let name = kind.rsplit('.').next().unwrap_or_default();
    if kind.starts_with("video.upload.") {
        return Ok(("upload", upload(sim, name)?));
    }
    if kind.starts_with("video.asset.track.") {
        return Ok(("track", track(sim, name)?));
    }
    if kind.starts_with("video.asset.static_rendition.") {
        return Ok(("static-rendition", rendition(sim, name)?));
    }
    if kind.starts_with("video.asset.") {
        return Ok(("asset", asset(sim, kind)?));
    }
    if kind.starts_with("video.live_stream.simulcast_target.") {
        let data = json!({"id": ids::long(), "live_stream_id": ids::long(), "status": name,
            "url": "rtmp://live.example.com/app", "stream_key": "example"});
        return Ok(("simulcast-target", data));
    }
    if kind.starts_with("video.live_stream.") {
        return Ok(("live-stream", live_stream(sim, name)));
    }
    let now = sim.now().unix_timestamp();
    let data =
        json!({"id": ids::long(), "threshold": 86_400, "timeframe": [now - 3600, now], "data": []});
    Ok(("delivery", data))
}

fn newest_asset(sim: &Sim) -> Result<Option<Asset>, StateError> {
    let all: Vec<(String, Asset)> = sim.state().all(Kind::Asset)?;
    Ok(all.into_iter().next_back().map(|(_, it)| it))
}

fn asset(sim: &Sim, kind: &str) -> Result<Value, StateError> {
    let mut shown = match newest_asset(sim)? {
        Some(asset) => asset.snapshot(),
        None => json!({
            "id": ids::long(),
            "created_at": sim.now().unix_timestamp(),
            "duration": 120.5, "aspect_ratio": "16:9",
            "resolution_tier": "1080p", "max_resolution_tier": "1080p",
            "max_stored_resolution": "FHD", "max_stored_frame_rate": 29.97,
            "video_quality": "basic", "encoding_tier": "baseline", "ingest_type": "on_demand_url",
            "master_access": "none", "mp4_support": "none",
            "playback_ids": [{"id": ids::playback(), "policy": "signed"}],
            "tracks": [
                {"type": "video", "id": ids::long(), "status": "ready", "duration": 120.5,
                 "max_width": 1920, "max_height": 1080, "max_frame_rate": 29.97},
                {"type": "audio", "id": ids::long(), "status": "ready", "duration": 120.5,
                 "primary": true, "name": "Default", "language_code": "und", "max_channels": 2},
            ],
        }),
    };
    let (status, state, percent) = match kind {
        "video.asset.created" => ("preparing", "ingesting", 0),
        "video.asset.errored" => ("errored", "errored", -1),
        _ => ("ready", "completed", 100),
    };
    shown["status"] = status.into();
    shown["progress"] = json!({"state": state, "progress": percent});
    if status == "errored" {
        let message = "The input file is not a valid video file.";
        shown["errors"] = json!({"type": "invalid_input", "messages": [message]});
    }
    Ok(shown)
}

fn upload(sim: &Sim, name: &str) -> Result<Value, StateError> {
    let all: Vec<(String, Upload)> = sim.state().all(Kind::Upload)?;
    let mut shown = match all.last() {
        Some((_, upload)) => upload.show(sim.now()),
        None => json!({
            "id": ids::long(), "timeout": 3600, "cors_origin": "*",
            "new_asset_settings": {"playback_policies": ["signed"]},
        }),
    };
    shown["status"] = match name {
        "created" => "waiting",
        other => other,
    }
    .into();
    if name == "asset_created" && shown["asset_id"].is_null() {
        shown["asset_id"] = ids::long().into();
    }
    if name == "errored" {
        let message = "The input file is not a valid video file.";
        shown["error"] = json!({"type": "invalid_input", "message": message});
    }
    Ok(shown)
}

/// The newest asset's id, or one that could be.
fn asset_id(sim: &Sim) -> Result<String, StateError> {
    Ok(newest_asset(sim)?.map_or_else(ids::long, |it| it.id))
}

fn track(sim: &Sim, name: &str) -> Result<Value, StateError> {
    let status = if name == "created" { "preparing" } else { name };
    Ok(json!({
        "id": ids::long(), "asset_id": asset_id(sim)?, "type": "text", "text_type": "subtitles",
        "text_source": "uploaded", "status": status, "name": "English", "language_code": "en",
        "closed_captions": false,
    }))
}

fn rendition(sim: &Sim, name: &str) -> Result<Value, StateError> {
    let status = if name == "created" { "preparing" } else { name };
    Ok(json!({
        "id": ids::long(), "asset_id": asset_id(sim)?, "name": "highest.mp4", "ext": "mp4",
        "resolution": "highest", "resolution_tier": "1080p", "type": "standard", "status": status,
        "width": 1920, "height": 1080, "bitrate": 4_000_000, "filesize": "60250000",
    }))
}

fn live_stream(sim: &Sim, name: &str) -> Value {
    let status = match name {
        "connected" | "recording" | "active" => "active",
        "disabled" => "disabled",
        _ => "idle",
    };
    json!({
        "id": ids::long(), "status": status, "stream_key": "example", "latency_mode": "standard",
        "created_at": sim.now().unix_timestamp(), "max_continuous_duration": 43_200,
        "reconnect_window": 60, "playback_ids": [{"id": ids::playback(), "policy": "signed"}],
        "new_asset_settings": {"playback_policies": ["signed"]},
    })
}
