//! What a list of Mux's says of each of its objects.

use serde::Deserialize;

use super::{PlaybackId, Subject, types::of_what_fits};
use crate::ids::AssetId;

/// One object of a list of Mux's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Our own asset, as `passthrough` or `meta.external_id` names it.
    pub ours: Option<AssetId>,
    pub news: Subject,
    /// Its signed playback ids.
    pub signed: Vec<PlaybackId>,
    /// Whether anybody can watch it who knows its playback id.
    pub public: bool,
}

impl Listed {
    pub(super) fn upload(object: &str) -> Self {
        let (ours, news) = of_what_fits(object, "video.upload.updated");
        Self {
            ours,
            news,
            signed: Vec::new(),
            public: false,
        }
    }

    pub(super) fn asset(object: &str) -> Self {
        let (ours, news) = of_what_fits(object, "video.asset.updated");
        let wire: WirePolicies = serde_json::from_str(object).unwrap_or_default();
        let ids = wire.playback_ids;
        Self {
            ours,
            news,
            public: ids.iter().any(|it| it.policy == "public"),
            signed: ids
                .into_iter()
                .filter(|it| it.policy == "signed")
                .map(|it| PlaybackId::new(it.id))
                .collect(),
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct WirePolicies {
    playback_ids: Vec<WirePolicy>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct WirePolicy {
    id: String,
    policy: String,
}
