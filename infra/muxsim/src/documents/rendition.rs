//! A static rendition: one file to take away.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::tier;
use crate::{
    ids,
    media::statics::{Static, StaticFile},
};

/// A static rendition.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct StaticRendition {
    pub(crate) id: String,
    /// As it was asked for: `highest`, `audio-only`, `720p`.
    pub(crate) resolution: String,
    /// The file's name in its address, such as `highest.mp4`.
    pub(crate) name: String,
    pub(crate) status: RenditionStatus,
    pub(crate) passthrough: Option<String>,
    pub(crate) file: Option<StaticFile>,
    /// Whether it stands for the older `mp4_support`, which has events of its own.
    pub(crate) by_mp4_support: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RenditionStatus {
    Preparing,
    Ready,
    Skipped,
    Errored,
}

impl StaticRendition {
    /// One that has to be made; `None` when there is no such resolution.
    pub(crate) fn wanted(resolution: &str, passthrough: Option<String>) -> Option<Self> {
        Some(Self {
            id: ids::long(),
            resolution: resolution.to_owned(),
            name: Static::parse(resolution)?.file_name(),
            status: RenditionStatus::Preparing,
            passthrough,
            file: None,
            by_mp4_support: false,
        })
    }

    /// The name of its file here: one that is asked for again does not meet the one before.
    pub(crate) fn file_name(&self) -> String {
        format!("{}-{}", self.id, self.name)
    }

    /// As the API answers and as events show it: `filesize` is a string.
    pub(crate) fn show(&self) -> Value {
        let mut shown = self.in_asset();
        if let Some(file) = &self.file {
            shown["filesize"] = file.filesize.to_string().into();
        }
        shown
    }

    /// As an asset lists it in events: `filesize` is a number. What `mp4_support` made has no name of
    /// its own, nor a state (muxinc/mux-node-sdk 15.3, `Asset.StaticRenditions`).
    pub(crate) fn in_asset(&self) -> Value {
        let standard = matches!(&*self.resolution, "highest" | "audio-only");
        let mut shown = json!({"name": self.name, "ext": self.name.rsplit('.').next()});
        if !self.by_mp4_support {
            shown["id"] = self.id.clone().into();
            shown["status"] = json!(self.status);
            shown["resolution"] = self.resolution.clone().into();
            shown["type"] = if standard { "standard" } else { "advanced" }.into();
        }
        if let Some(text) = &self.passthrough {
            shown["passthrough"] = text.clone().into();
        }
        if let Some(file) = &self.file {
            let size = (file.width.unwrap_or(0), file.height.unwrap_or(0));
            if !self.by_mp4_support {
                shown["resolution_tier"] = tier(size.0, size.1).into();
            }
            shown["bitrate"] = file.bitrate.into();
            shown["filesize"] = file.filesize.into();
            if let (Some(width), Some(height)) = (file.width, file.height) {
                shown["width"] = width.into();
                shown["height"] = height.into();
            }
        }
        shown
    }

    /// All of an asset's; a common status only where `mp4_support` made them.
    pub(crate) fn all(renditions: &[Self], form: impl Fn(&Self) -> Value) -> Value {
        let files: Value = renditions.iter().map(form).collect();
        let older: Vec<_> = renditions
            .iter()
            .filter(|it| it.by_mp4_support)
            .map(|it| it.status)
            .collect();
        if older.is_empty() {
            return json!({"files": files});
        }
        json!({"status": common(&older), "files": files})
    }
}

/// Preparing while one is, errored when one is.
fn common(of: &[RenditionStatus]) -> RenditionStatus {
    [RenditionStatus::Preparing, RenditionStatus::Errored]
        .into_iter()
        .find(|it| of.contains(it))
        .unwrap_or(RenditionStatus::Ready)
}
