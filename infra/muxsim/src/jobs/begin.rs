//! How an asset begins: from a file that was sent, or from an address.

use serde_json::{Map, Value};

use super::playback_id;
use crate::{
    documents::{
        AddedTrack, Asset, AssetStatus, Master, PlaybackPointer, Policy, StaticRendition,
        TrackStatus, TrackType, Upload, UploadStatus,
    },
    events, ids,
    sim::Sim,
    state::{Kind, StateError, Step},
};

/// Turns a complete upload into an asset. Nothing happens if it was cancelled meanwhile.
pub(crate) fn arrived(sim: &Sim, upload: &str) -> Result<(), StateError> {
    sim.state().step(|step| {
        let Some(mut upload) = step.get::<Upload>(Kind::Upload, upload)? else {
            return Ok(());
        };
        if upload.status != UploadStatus::Waiting {
            return Ok(());
        }
        let id = sim.ids().long();
        upload.status = UploadStatus::AssetCreated;
        upload.asset_id = Some(id.clone());
        step.put(Kind::Upload, &upload.id, &upload)?;
        events::of_upload(sim, step, "asset_created", &upload)?;
        let mut settings = upload.settings.clone();
        if upload.test {
            settings.insert("test".to_owned(), true.into());
        }
        begin(sim, step, id, Some(upload.id), settings).map(drop)
    })?;
    sim.ring();
    Ok(())
}

/// Creates an asset with all that its settings ask for, and tells of it.
pub(crate) fn begin(
    sim: &Sim,
    step: &Step<'_>,
    id: String,
    upload_id: Option<String>,
    mut settings: Map<String, Value>,
) -> Result<Asset, StateError> {
    let test = settings.remove("test") == Some(true.into());
    // Of an address, the first input is the video itself, whatever type it says it is.
    let own = usize::from(upload_id.is_none());
    let extra = list(&settings, "inputs").iter().skip(own);
    let added_tracks = extra.filter_map(track).collect();
    let asset = Asset {
        id,
        status: AssetStatus::Preparing,
        created_at: sim.now().unix_timestamp(),
        upload_id,
        test,
        playback_ids: policies(&settings)
            .into_iter()
            .map(|policy| playback_id(sim, policy))
            .collect(),
        added_tracks,
        static_renditions: renditions(&settings),
        master: (settings.get("master_access") == Some(&"temporary".into()))
            .then_some(Master::Preparing),
        settings,
        errors: None,
        media: None,
    };
    step.put(Kind::Asset, &asset.id, &asset)?;
    for playback in &asset.playback_ids {
        let pointer = PlaybackPointer {
            asset_id: asset.id.clone(),
            policy: playback.policy,
        };
        step.put(Kind::Playback, &playback.id, &pointer)?;
    }
    events::of_asset(sim, step, "created", &asset)?;
    for track in &asset.added_tracks {
        events::of_track(sim, step, "created", &asset, track)?;
    }
    for rendition in asset
        .static_renditions
        .iter()
        .filter(|it| !it.by_mp4_support)
    {
        events::of_rendition(sim, step, "created", &asset, rendition)?;
    }
    if asset.static_renditions.iter().any(|it| it.by_mp4_support) {
        events::of_asset(sim, step, "static_renditions.preparing", &asset)?;
    }
    if asset.master.is_some() {
        events::of_asset(sim, step, "master.preparing", &asset)?;
    }
    Ok(asset)
}

fn list<'a>(settings: &'a Map<String, Value>, name: &str) -> &'a [Value] {
    settings
        .get(name)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

fn policies(settings: &Map<String, Value>) -> Vec<Policy> {
    let wanted = settings
        .get("playback_policies")
        .cloned()
        .unwrap_or_default();
    serde_json::from_value(wanted).unwrap_or_default()
}

/// An input of subtitles or further sound; anything else is the asset's own.
pub(crate) fn track(input: &Value) -> Option<AddedTrack> {
    let word = |name: &str| input[name].as_str().map(str::to_owned);
    let language = word("language_code").unwrap_or("und".to_owned());
    Some(AddedTrack {
        id: ids::long(),
        kind: match input["type"].as_str()? {
            "text" => TrackType::Text,
            "audio" => TrackType::Audio,
            _ => return None,
        },
        url: word("url")?,
        status: TrackStatus::Preparing,
        name: word("name").unwrap_or(language.clone()),
        language_code: language,
        closed_captions: input["closed_captions"] == true,
        passthrough: word("passthrough"),
        error: None,
        media: None,
    })
}

fn renditions(settings: &Map<String, Value>) -> Vec<StaticRendition> {
    let wanted = list(settings, "static_renditions").iter().filter_map(|it| {
        let passthrough = it["passthrough"].as_str().map(str::to_owned);
        StaticRendition::wanted(it["resolution"].as_str()?, passthrough)
    });
    let older = settings.get("mp4_support").and_then(Value::as_str);
    wanted
        .chain(older.into_iter().flat_map(by_mp4_support))
        .collect()
}

/// The files that the older `mp4_support` stands for: `capped-1080p`, `audio-only`, or both.
pub(crate) fn by_mp4_support(support: &str) -> Vec<StaticRendition> {
    support
        .split(',')
        .filter_map(|it| StaticRendition::wanted(it, None))
        .map(|it| StaticRendition {
            by_mp4_support: true,
            ..it
        })
        .collect()
}
