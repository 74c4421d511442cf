//! A track that was added to an asset: subtitles, or further sound.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::rounded;
use crate::media::Packaged;

/// An added track.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct AddedTrack {
    pub(crate) id: String,
    #[serde(rename = "type")]
    pub(crate) kind: TrackType,
    /// Where its file is fetched from.
    pub(crate) url: String,
    pub(crate) status: TrackStatus,
    pub(crate) name: String,
    /// BCP 47.
    pub(crate) language_code: String,
    pub(crate) closed_captions: bool,
    pub(crate) passthrough: Option<String>,
    pub(crate) error: Option<Value>,
    /// What was made of further sound.
    pub(crate) media: Option<Packaged>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TrackType {
    Text,
    Audio,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TrackStatus {
    Preparing,
    Ready,
    Errored,
}

impl AddedTrack {
    pub(crate) fn show(&self) -> Value {
        let mut shown = json!({
            "id": self.id,
            "type": self.kind,
            "status": self.status,
            "name": self.name,
            "language_code": self.language_code,
        });
        match self.kind {
            TrackType::Text => {
                shown["text_type"] = "subtitles".into();
                shown["text_source"] = "uploaded".into();
                shown["closed_captions"] = self.closed_captions.into();
            }
            TrackType::Audio => shown["primary"] = false.into(),
        }
        if let Some(text) = &self.passthrough {
            shown["passthrough"] = text.clone().into();
        }
        if let Some(error) = &self.error {
            shown["error"] = error.clone();
        }
        if let Some(media) = &self.media {
            shown["duration"] = rounded(media.duration_seconds);
        }
        shown
    }

    /// As events show it: with its asset.
    pub(crate) fn snapshot(&self, asset: &str) -> Value {
        let mut shown = self.show();
        shown["asset_id"] = asset.into();
        shown
    }
}
