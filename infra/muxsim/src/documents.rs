//! What is kept: uploads, assets, playback ids, deliveries; and how they look from outside. A number
//! in a webhook is a string in the REST answer where Mux has it so (`created_at`).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use crate::media::{Packaged, Track, TrackKind};

/// A direct upload.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Upload {
    pub(crate) id: String,
    pub(crate) status: UploadStatus,
    pub(crate) timeout: u32,
    pub(crate) cors_origin: String,
    pub(crate) test: bool,
    pub(crate) settings: Map<String, Value>,
    pub(crate) asset_id: Option<String>,
    pub(crate) error: Option<Value>,
    pub(crate) created_at: i64,
    pub(crate) url: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum UploadStatus {
    Waiting,
    AssetCreated,
    Errored,
    Cancelled,
    TimedOut,
}

impl Upload {
    /// When the address stops taking files.
    pub(crate) fn expires(&self) -> i64 {
        self.created_at + i64::from(self.timeout)
    }

    /// The status now: nobody is told when an upload times out, it just has.
    pub(crate) fn status(&self, now: OffsetDateTime) -> UploadStatus {
        if self.status == UploadStatus::Waiting && self.expires() <= now.unix_timestamp() {
            return UploadStatus::TimedOut;
        }
        self.status
    }

    /// The object as the API and the webhooks show it: the address only while it is good.
    pub(crate) fn show(&self, now: OffsetDateTime) -> Value {
        let status = self.status(now);
        let mut shown = json!({
            "id": self.id,
            "timeout": self.timeout,
            "status": status,
            "new_asset_settings": self.settings,
            "cors_origin": self.cors_origin,
        });
        if status == UploadStatus::Waiting {
            shown["url"] = self.url.clone().into();
        }
        if self.test {
            shown["test"] = true.into();
        }
        if let Some(asset) = &self.asset_id {
            shown["asset_id"] = asset.clone().into();
        }
        if let Some(error) = &self.error {
            shown["error"] = error.clone();
        }
        shown
    }
}

/// An asset.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Asset {
    pub(crate) id: String,
    pub(crate) status: AssetStatus,
    pub(crate) created_at: i64,
    pub(crate) upload_id: Option<String>,
    #[serde(default)]
    pub(crate) test: bool,
    pub(crate) settings: Map<String, Value>,
    pub(crate) playback_ids: Vec<PlaybackId>,
    pub(crate) errors: Option<Value>,
    pub(crate) media: Option<Packaged>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AssetStatus {
    Preparing,
    Ready,
    Errored,
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

impl Asset {
    /// As REST answers: `created_at` is a string.
    pub(crate) fn show(&self) -> Value {
        let mut shown = self.snapshot();
        shown["created_at"] = self.created_at.to_string().into();
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
            "master_access": "none",
            "mp4_support": "none",
            "encoding_tier": "baseline",
            "video_quality": self.setting("video_quality").unwrap_or("basic".into()),
            "max_resolution_tier": self.setting("max_resolution_tier").unwrap_or("1080p".into()),
            "ingest_type": "on_demand_direct_upload",
            "progress": {"state": state, "progress": progress},
        });
        for name in ["passthrough", "meta"] {
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
        if let Some(media) = &self.media {
            self.show_media(media, &mut shown);
        }
        shown
    }

    fn setting(&self, name: &str) -> Option<Value> {
        self.settings.get(name).cloned()
    }

    fn show_media(&self, media: &Packaged, shown: &mut Value) {
        shown["duration"] = rounded(media.duration_seconds);
        shown["resolution_tier"] = "audio-only".into();
        shown["max_stored_resolution"] = "Audio only".into();
        let tracks: Vec<Value> = media
            .tracks
            .iter()
            .enumerate()
            .map(|(n, it)| self.track(n, it))
            .collect();
        for track in &media.tracks {
            if let TrackKind::Video {
                width,
                height,
                frame_rate,
            } = track.kind
            {
                shown["aspect_ratio"] = ratio(width, height).into();
                shown["resolution_tier"] = tier(width, height).into();
                shown["max_stored_frame_rate"] = rounded(frame_rate);
                shown["max_stored_resolution"] = if height > 720 {
                    "FHD"
                } else if height > 480 {
                    "HD"
                } else {
                    "SD"
                }
                .into();
            }
        }
        shown["tracks"] = tracks.into();
    }

    fn track(&self, place: usize, track: &Track) -> Value {
        let id = format!("{}track{place}", self.id);
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
}

/// Six digits, as Mux writes fractions.
fn rounded(number: f64) -> Value {
    ((number * 1e6).round() / 1e6).into()
}

fn ratio(width: u32, height: u32) -> String {
    let (mut a, mut b) = (width.max(1), height.max(1));
    while b != 0 {
        (a, b) = (b, a % b);
    }
    format!("{}:{}", width.max(1) / a, height.max(1) / a)
}

/// The billing tier by the number of pixels (mux.com/docs: delivery usage).
fn tier(width: u32, height: u32) -> &'static str {
    match u64::from(width) * u64::from(height) {
        0..=921_600 => "720p",
        921_601..=2_073_600 => "1080p",
        2_073_601..=4_194_304 => "1440p",
        _ => "2160p",
    }
}

/// One event on its way to one endpoint.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Delivery {
    pub(crate) address: String,
    pub(crate) event: Value,
    pub(crate) attempts: Vec<Value>,
    /// Milliseconds since the epoch.
    pub(crate) first_at: i64,
    pub(crate) next_at: i64,
}
