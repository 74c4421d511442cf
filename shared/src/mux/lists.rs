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
        let ids = playback_ids(object);
        Self {
            ours,
            news,
            public: ids.iter().any(|(_, public)| *public),
            signed: ids
                .into_iter()
                .filter_map(|(id, public)| (!public).then_some(id))
                .collect(),
        }
    }
}

/// The playback ids that an object has, and whether each is public.
pub(super) fn playback_ids(object: &str) -> Vec<(PlaybackId, bool)> {
    let wire: WirePolicies = serde_json::from_str(object).unwrap_or_default();
    let known = |it: &WirePolicy| matches!(it.policy.as_str(), "public" | "signed");
    let ids = wire.playback_ids.into_iter().filter(known);
    ids.map(|it| (PlaybackId::new(it.id), it.policy == "public"))
        .collect()
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
