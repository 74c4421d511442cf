//! An asset, and the ways to play it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{AddedTrack, RenditionStatus, StaticRendition, TrackStatus, rounded, tier};
use crate::{
    ids,
    media::{Packaged, Track, TrackKind},
};

/// An asset.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Asset {
    pub(crate) id: String,
    pub(crate) status: AssetStatus,
    pub(crate) created_at: i64,
    /// The upload it was made of; `None` when Mux fetched the file itself.
    pub(crate) upload_id: Option<String>,
    #[serde(default)]
    pub(crate) test: bool,
    pub(crate) settings: Map<String, Value>,
    pub(crate) playback_ids: Vec<PlaybackId>,
    pub(crate) errors: Option<Value>,
    pub(crate) media: Option<Packaged>,
    /// Subtitles and further sound.
    #[serde(default)]
    pub(crate) added_tracks: Vec<AddedTrack>,
    #[serde(default)]
    pub(crate) static_renditions: Vec<StaticRendition>,
    #[serde(default)]
    pub(crate) master: Option<Master>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AssetStatus {
    Preparing,
    Ready,
    Errored,
}

/// The file as it was sent, for its owner to take back.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Master {
    Preparing,
    /// Until when, in Unix seconds, and where.
    Ready {
        until: i64,
        url: String,
    },
}

/// One way to play an asset.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct PlaybackId {
    pub(crate) id: String,
    pub(crate) policy: Policy,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Policy {
    Public,
    Signed,
}

/// Where a playback id leads.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct PlaybackPointer {
    pub(crate) asset_id: String,
    pub(crate) policy: Policy,
}

/// An asset that was, and when it went, in Unix seconds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Deleted {
    pub(crate) asset: Asset,
    pub(crate) at: i64,
}

/// What an asset was to be given.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    pub(crate) tracks: Vec<AddedTrack>,
    pub(crate) renditions: Vec<StaticRendition>,
}

impl Asset {
    /// The name of the file it is made of.
    pub(crate) fn source(&self) -> &str {
        self.upload_id.as_deref().unwrap_or(&self.id)
    }

    /// As REST answers: `created_at` is a string, and how far the processing is, in percent.
    pub(crate) fn show(&self, progress: Option<u8>) -> Value {
        let mut shown = self.snapshot();
        shown["created_at"] = self.created_at.to_string().into();
        if !self.static_renditions.is_empty() {
            let form = StaticRendition::show;
            shown["static_renditions"] = StaticRendition::all(&self.static_renditions, form);
        }
        if let Some(percent) = progress.filter(|_| self.status == AssetStatus::Preparing) {
            shown["progress"] = json!({"state": "transcoding", "progress": percent});
        }
        shown
    }

    /// As webhooks show it: `created_at` is a number.
    pub(crate) fn snapshot(&self) -> Value {
        let (state, progress) = match self.status {
            AssetStatus::Preparing => ("ingesting", 0),
            AssetStatus::Ready => ("completed", 100),
            AssetStatus::Errored => ("errored", -1),
        };
        let mut shown = json!({
            "id": self.id,
            "status": self.status,
            "created_at": self.created_at,
            "playback_ids": self.playback_ids,
            "master_access": if self.master.is_some() { "temporary" } else { "none" },
            "mp4_support": self.setting("mp4_support").unwrap_or("none".into()),
            "encoding_tier": self.encoding_tier(),
            "video_quality": self.quality(),
            "max_resolution_tier": self.setting("max_resolution_tier").unwrap_or("1080p".into()),
            "ingest_type": if self.upload_id.is_some() { "on_demand_direct_upload" } else { "on_demand_url" },
            "progress": {"state": state, "progress": progress},
        });
        for name in ["passthrough", "meta", "normalize_audio", "thumbnail_time"] {
            if let Some(value) = self.setting(name) {
                shown[name] = value;
            }
        }
        if self.test {
            shown["test"] = true.into();
        }
        if let Some(upload) = &self.upload_id {
            shown["upload_id"] = upload.clone().into();
        }
        if let Some(errors) = &self.errors {
            shown["errors"] = errors.clone();
        }
        if let Some(Master::Ready { url, .. }) = &self.master {
            shown["master"] = json!({"status": "ready", "url": url});
        } else if self.master.is_some() {
            shown["master"] = json!({"status": "preparing"});
        }
        if !self.static_renditions.is_empty() {
            let form = StaticRendition::in_asset;
            shown["static_renditions"] = StaticRendition::all(&self.static_renditions, form);
        }
        if let Some(media) = &self.media {
            self.show_media(media, &mut shown);
        }
        shown
    }

    /// As it was asked for, by this name or by the one that it had before.
    pub(crate) fn quality(&self) -> &str {
        let text = |name: &str| self.settings.get(name).and_then(Value::as_str);
        match (text("video_quality"), text("encoding_tier")) {
            (Some(quality), _) => quality,
            (None, Some("premium")) => "premium",
            (None, Some("smart")) => "plus",
            (None, _) => "basic",
        }
    }

    /// The name that `video_quality` had before (mux.com/docs: `encoding_tier` is deprecated).
    pub(crate) fn encoding_tier(&self) -> &'static str {
        match self.quality() {
            "premium" => "premium",
            "plus" => "smart",
            _ => "baseline",
        }
    }

    pub(crate) fn setting(&self, name: &str) -> Option<Value> {
        self.settings.get(name).cloned()
    }

    /// The billing tier of what was sent.
    pub(crate) fn resolution_tier(&self) -> &'static str {
        let (width, height) = self.size().unwrap_or((0, 0));
        tier(width, height)
    }

    /// What was still to be made of it will not be: errored, and all that it was.
    pub(crate) fn fail_parts(&mut self, error: &Value) -> Parts {
        let mut parts = Parts::default();
        for track in &mut self.added_tracks {
            if track.status == TrackStatus::Preparing {
                track.status = TrackStatus::Errored;
                track.error = Some(error.clone());
                parts.tracks.push(track.clone());
            }
        }
        for rendition in &mut self.static_renditions {
            if rendition.status == RenditionStatus::Preparing {
                rendition.status = RenditionStatus::Errored;
                parts.renditions.push(rendition.clone());
            }
        }
        parts
    }

    /// Whether this names one of its own tracks, which are there as long as it is.
    pub(crate) fn has_own_track(&self, id: &str) -> bool {
        let count = self.media.as_ref().map_or(0, |it| it.tracks.len());
        (0..count).any(|n| ids::of_track(&self.id, n) == id)
    }

    /// Of its pictures, in pixels.
    pub(crate) fn size(&self) -> Option<(u32, u32)> {
        let tracks = &self.media.as_ref()?.tracks;
        tracks.iter().find_map(|it| match it.kind {
            TrackKind::Video { width, height, .. } => Some((width, height)),
            TrackKind::Audio { .. } => None,
        })
    }

    /// In seconds; 0 while nobody knows.
    pub(crate) fn duration(&self) -> f64 {
        self.media.as_ref().map_or(0.0, |it| it.duration_seconds)
    }

    fn show_media(&self, media: &Packaged, shown: &mut Value) {
        shown["duration"] = rounded(media.duration_seconds);
        shown["resolution_tier"] = self.resolution_tier().into();
        shown["max_stored_resolution"] = "Audio only".into();
        let own = media.tracks.iter().enumerate();
        let own = own.map(|(n, it)| show_track(&ids::of_track(&self.id, n), it));
        let added = self.added_tracks.iter().map(AddedTrack::show);
        shown["tracks"] = own.chain(added).collect();
        if !media.non_standard.is_empty() {
            shown["non_standard_input_reasons"] = json!(media.non_standard);
        }
        for track in &media.tracks {
            if let TrackKind::Video {
                width,
                height,
                frame_rate,
            } = track.kind
            {
                shown["aspect_ratio"] = ratio(width, height).into();
                shown["max_stored_frame_rate"] = rounded(frame_rate);
                // An upright picture is called by its width (the samples of 1920 by 1080 are `HD`).
                shown["max_stored_resolution"] = match width.min(height) {
                    ..720 => "SD",
                    720..=1080 => "HD",
                    1081..=1440 => "FHD",
                    _ => "UHD",
                }
                .into();
            }
        }
    }
}

fn show_track(id: &str, track: &Track) -> Value {
    let duration = rounded(track.duration_seconds);
    match track.kind {
        TrackKind::Video {
            width,
            height,
            frame_rate,
        } => json!({
            "type": "video", "id": id, "duration": duration, "status": "ready",
            "max_width": width, "max_height": height, "max_frame_rate": rounded(frame_rate),
        }),
        TrackKind::Audio { channels, .. } => json!({
            "type": "audio", "id": id, "duration": duration, "status": "ready", "primary": true,
            "name": "Default", "language_code": "und", "max_channels": channels,
        }),
    }
}

fn ratio(width: u32, height: u32) -> String {
    let (mut a, mut b) = (width.max(1), height.max(1));
    while b != 0 {
        (a, b) = (b, a % b);
    }
    format!("{}:{}", width.max(1) / a, height.max(1) / a)
}
