//! Mux's webhook events, parsed leniently at the edge: unknown types and fields are fine, and which
//! id is where is settled here, once (hazard H3).

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::{Map, Value, value::RawValue};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{MuxAssetId, MuxEventId, MuxUploadId, PlaybackId, UploadUrl};
use crate::ids::AssetId;

/// One event, normalised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MuxEvent {
    pub id: MuxEventId,
    /// The event's type as Mux spells it, for the log and the receipt.
    pub kind: String,
    /// When it happened, by Mux's clock.
    pub at: OffsetDateTime,
    /// Our own asset, as `passthrough` or `meta.external_id` names it.
    pub ours: Option<AssetId>,
    pub subject: Subject,
}

/// What an event is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    Upload(UploadNews),
    Asset(AssetNews),
    /// A track, a rendition, a master: a part of an asset, which says nothing of its state.
    Part {
        asset: Option<MuxAssetId>,
    },
    /// Live streams, delivery alerts, and what Mux may think of next.
    Other,
}

/// A snapshot of a direct upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadNews {
    pub upload: MuxUploadId,
    pub stage: UploadStage,
    pub asset: Option<MuxAssetId>,
    pub url: Option<UploadUrl>,
    pub failure: Option<Failure>,
}

/// How far an upload has come. Later stages win over earlier ones, in whatever order they are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UploadStage {
    Waiting,
    TimedOut,
    Cancelled,
    AssetCreated,
    Errored,
}

/// A snapshot of an asset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssetNews {
    pub asset: MuxAssetId,
    pub upload: Option<MuxUploadId>,
    pub stage: AssetStage,
    /// The first of its signed playback ids.
    pub signed: Option<PlaybackId>,
    /// The first of those that anybody can play.
    pub public: Option<PlaybackId>,
    pub millis: Option<u64>,
    pub aspect_ratio: Option<String>,
    pub failure: Option<Failure>,
}

/// How far an asset has come. Later stages win over earlier ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AssetStage {
    Preparing,
    Errored,
    Ready,
    Deleted,
}

/// Why Mux gave up on a file, in its own words.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, Deserialize)]
pub struct Failure {
    pub kind: String,
    pub message: String,
}

/// The body is not an event of Mux, though it is signed. Says where, and nothing of what is there.
#[derive(Debug, thiserror::Error)]
pub enum NotAnEvent {
    #[error("the body is not the JSON of an event ({category:?}, line {line}, column {column})")]
    Json {
        category: serde_json::error::Category,
        line: usize,
        column: usize,
    },
    #[error("the event's `{0}` is empty, too long or malformed")]
    Field(&'static str),
}

/// How much of a failure's message is kept, in characters.
const MESSAGE_MAX: usize = 1_000;

/// Mux's ids are at most 47 characters long; ours to refuse is what cannot be one.
const ID_MAX: usize = 255;

impl MuxEvent {
    /// Reads a body whose signature has been checked.
    pub fn parse(body: &[u8]) -> Result<Self, NotAnEvent> {
        let wire: WireEvent = serde_json::from_slice(body)?;
        if wire.id.is_empty() || wire.id.len() > ID_MAX {
            return Err(NotAnEvent::Field("id"));
        }
        if wire.kind.is_empty() || wire.kind.len() > ID_MAX {
            return Err(NotAnEvent::Field("type"));
        }
        let at = OffsetDateTime::parse(&wire.created_at, &Rfc3339)
            .map_err(|_| NotAnEvent::Field("created_at"))?;
        let data = wire.data.map_or("null", RawValue::get);
        let (ours, subject) = match serde_json::from_str::<WireData>(data) {
            Ok(data) => data.normalised(&wire.kind),
            Err(_) => of_what_fits(data, &wire.kind),
        };
        Ok(Self {
            id: MuxEventId::new(wire.id),
            at,
            ours,
            subject,
            kind: wire.kind.into_owned(),
        })
    }
}

impl Subject {
    /// What an answer of the API says: the same object as in an event, read as leniently.
    pub(super) fn of_upload(object: &str) -> Self {
        of_what_fits(object, "video.upload.updated").1
    }

    pub(super) fn of_asset(object: &str) -> Self {
        of_what_fits(object, "video.asset.updated").1
    }
}

/// One odd field must not cost the others: what does not fit is left out.
pub(super) fn of_what_fits(data: &str, kind: &str) -> (Option<AssetId>, Subject) {
    let fields: Map<String, Value> = serde_json::from_str(data).unwrap_or_default();
    let fits = |(name, value): &(String, Value)| {
        let alone = Value::Object(Map::from_iter([(name.clone(), value.clone())]));
        WireData::deserialize(&alone).is_ok()
    };
    let fitting = Value::Object(fields.into_iter().filter(fits).collect());
    let data = WireData::deserialize(&fitting).unwrap_or_default();
    data.normalised(kind)
}

impl From<serde_json::Error> for NotAnEvent {
    fn from(error: serde_json::Error) -> Self {
        Self::Json {
            category: error.classify(),
            line: error.line(),
            column: error.column(),
        }
    }
}

#[derive(Deserialize)]
struct WireEvent<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    created_at: Cow<'a, str>,
    /// Absent on some `track.ready` events (muxinc/mux-node-sdk#540).
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct WireData<'a> {
    #[serde(borrow)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    asset_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    upload_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    status: Option<Cow<'a, str>>,
    #[serde(borrow)]
    passthrough: Option<Cow<'a, str>>,
    #[serde(borrow)]
    url: Option<Cow<'a, str>>,
    #[serde(borrow)]
    aspect_ratio: Option<Cow<'a, str>>,
    duration: Option<f64>,
    #[serde(borrow)]
    playback_ids: Option<Vec<WirePlaybackId<'a>>>,
    /// Of an asset: plural, with `messages`.
    errors: Option<WireFailure>,
    /// Of an upload: singular, with `message`.
    error: Option<WireFailure>,
    #[serde(borrow)]
    meta: Option<WireMeta<'a>>,
    #[serde(borrow)]
    new_asset_settings: Option<WireSettings<'a>>,
}

#[derive(Deserialize)]
struct WirePlaybackId<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow, default)]
    policy: Option<Cow<'a, str>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct WireFailure {
    r#type: Option<String>,
    message: Option<String>,
    messages: Option<Vec<String>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct WireMeta<'a> {
    #[serde(borrow)]
    external_id: Option<Cow<'a, str>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct WireSettings<'a> {
    #[serde(borrow)]
    passthrough: Option<Cow<'a, str>>,
    #[serde(borrow)]
    meta: Option<WireMeta<'a>>,
}

impl WireData<'_> {
    fn normalised(self, kind: &str) -> (Option<AssetId>, Subject) {
        (self.ours(kind), self.subject(kind))
    }

    /// A track's `passthrough` is the track's own, so parts of an asset are found by its id.
    fn ours(&self, kind: &str) -> Option<AssetId> {
        let settings = self.new_asset_settings.as_ref();
        let of_meta = |meta: Option<&WireMeta<'_>>| meta?.external_id.as_deref()?.parse().ok();
        let of_text = |text: Option<&Cow<'_, str>>| text?.parse().ok();
        match Family::of(kind) {
            Family::Upload => of_text(settings.and_then(|it| it.passthrough.as_ref()))
                .or_else(|| of_meta(settings.and_then(|it| it.meta.as_ref()))),
            Family::Asset => {
                of_text(self.passthrough.as_ref()).or_else(|| of_meta(self.meta.as_ref()))
            }
            Family::Part | Family::Other => None,
        }
    }

    fn subject(self, kind: &str) -> Subject {
        match Family::of(kind) {
            Family::Upload => self.upload(kind).map_or(Subject::Other, Subject::Upload),
            Family::Asset => self.asset(kind).map_or(Subject::Other, Subject::Asset),
            Family::Part => Subject::Part {
                asset: self.asset_id.map(MuxAssetId::new),
            },
            Family::Other => Subject::Other,
        }
    }

    fn upload(self, kind: &str) -> Option<UploadNews> {
        let stage = match (kind, self.status.as_deref()) {
            ("video.upload.errored", _) | (_, Some("errored")) => UploadStage::Errored,
            ("video.upload.asset_created", _) | (_, Some("asset_created")) => {
                UploadStage::AssetCreated
            }
            ("video.upload.cancelled", _) | (_, Some("cancelled")) => UploadStage::Cancelled,
            (_, Some("timed_out")) => UploadStage::TimedOut,
            _ => UploadStage::Waiting,
        };
        Some(UploadNews {
            upload: MuxUploadId::new(self.id.filter(is_id)?),
            stage,
            asset: self.asset_id.filter(is_id).map(MuxAssetId::new),
            url: self.url.map(UploadUrl::new),
            failure: self.error.map(Failure::from),
        })
    }

    fn asset(self, kind: &str) -> Option<AssetNews> {
        let stage = match (kind, self.status.as_deref()) {
            ("video.asset.deleted", _) => AssetStage::Deleted,
            ("video.asset.ready", _) | (_, Some("ready")) => AssetStage::Ready,
            ("video.asset.errored", _) | (_, Some("errored")) => AssetStage::Errored,
            _ => AssetStage::Preparing,
        };
        let playback_ids = self.playback_ids.unwrap_or_default();
        let first = |policy| {
            let mut ids = playback_ids.iter();
            ids.find(|it| it.policy.as_deref() == Some(policy))
                .map(|it| PlaybackId::new(it.id.as_ref()))
        };
        Some(AssetNews {
            asset: MuxAssetId::new(self.id.filter(is_id)?),
            upload: self.upload_id.filter(is_id).map(MuxUploadId::new),
            stage,
            signed: first("signed"),
            public: first("public"),
            millis: self.duration.and_then(millis),
            aspect_ratio: self.aspect_ratio.map(Cow::into_owned),
            failure: self.errors.map(Failure::from),
        })
    }
}

/// Whether the text can be part of a key of the table.
fn is_id<T: AsRef<str>>(text: &T) -> bool {
    (1..=ID_MAX).contains(&text.as_ref().len())
}

/// Mux gives seconds as a fraction; an asset lasts at most twelve hours.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the range is checked"
)]
fn millis(seconds: f64) -> Option<u64> {
    (0.0..=1e9)
        .contains(&seconds)
        .then_some((seconds * 1000.0).round() as u64)
}

impl From<WireFailure> for Failure {
    fn from(wire: WireFailure) -> Self {
        let messages = wire
            .message
            .into_iter()
            .chain(wire.messages.unwrap_or_default());
        let message = messages.collect::<Vec<_>>().join(" ");
        Self {
            kind: wire.r#type.unwrap_or_default(),
            message: message.chars().take(MESSAGE_MAX).collect(),
        }
    }
}

enum Family {
    Upload,
    Asset,
    Part,
    Other,
}

impl Family {
    fn of(kind: &str) -> Self {
        match kind.strip_prefix("video.") {
            Some(rest) if rest.starts_with("upload.") => Self::Upload,
            Some(rest) => match rest.strip_prefix("asset.") {
                Some(rest)
                    if rest.starts_with("static_renditions.") || rest.starts_with("master.") =>
                {
                    Self::Asset
                }
                Some(rest) if rest.contains('.') => Self::Part,
                Some(_) => Self::Asset,
                None => Self::Other,
            },
            None => Self::Other,
        }
    }
}
