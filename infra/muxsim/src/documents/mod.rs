//! What is kept, and how it looks from outside: one file per kind of document. A number in a webhook
//! is a string in the REST answer where Mux has it so (`created_at`, `filesize`).

mod asset;
mod rendition;
mod track;
mod upload;
mod webhook;

use serde_json::Value;

pub(crate) use self::{
    asset::{Asset, AssetStatus, Deleted, Master, PlaybackId, PlaybackPointer, Policy},
    rendition::{RenditionStatus, StaticRendition},
    track::{AddedTrack, TrackStatus, TrackType},
    upload::{Upload, UploadStatus},
    webhook::{Attempt, Delivery, LoggedEvent, Webhook},
};

/// Six digits, as Mux writes fractions.
pub(crate) fn rounded(number: f64) -> Value {
    ((number * 1e6).round() / 1e6).into()
}

/// The billing tier by the number of pixels (mux.com/docs: delivery usage).
pub(crate) fn tier(width: u32, height: u32) -> &'static str {
    match u64::from(width) * u64::from(height) {
        0 => "audio-only",
        1..=921_600 => "720p",
        921_601..=2_073_600 => "1080p",
        2_073_601..=4_194_304 => "1440p",
        _ => "2160p",
    }
}
