//! What an asset is: one video, from the request to upload it until it is deleted.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::{
    AssetError,
    lifecycle::{Lifecycle, Stamp, Verdict},
};
use crate::{
    events::{Actor, Event, Via},
    ids::{AssetId, TenantId, UserId},
    mux::{Failure, Subject},
    traces::Context,
};

/// How long Mux waits for the file. Its default is one hour (mux.com/docs/api-reference); a phone on
/// a slow line needs more for an hour of training, and until then the upload can be resumed.
pub const UPLOAD_LIFE: Duration = Duration::hours(12);

/// How long after that an upload without news is shown as expired: Mux tells nobody (mux.md, 1.3).
const UPLOAD_GRACE: Duration = Duration::minutes(5);

/// One video. The single source of truth about it (S1-011).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asset {
    pub id: AssetId,
    pub tenant: TenantId,
    pub owner: UserId,
    pub title: Title,
    /// What the uploader says the file is.
    pub content_type: ContentType,
    /// Bytes, as the uploader says.
    pub size: u64,
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it was last changed from here: by a person, or by an answer of Mux to one.
    #[serde(with = "time::serde::rfc3339")]
    pub edited_at: OffsetDateTime,
    /// When a person ended it, whatever Mux may tell later.
    #[serde(default)]
    pub ending: Ending,
    /// What Mux has told.
    pub lifecycle: Lifecycle,
    /// How it was learnt that nothing more is to be expected; nothing, while something is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_by: Option<Way>,
    /// Whether nothing about it can change any more, and everybody who must know does: then it is not
    /// compared with Mux again.
    #[serde(default)]
    pub at_rest: bool,
    /// The span of the request that began it: what Mux tells of it, and who opens it, goes on in that
    /// trace. A row of an earlier version has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<Context>,
    /// Grows with every write; the guard of the next one.
    pub version: u64,
}

/// What a person decided about a video.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Ending {
    /// Nothing: Mux's news rule.
    #[default]
    None,
    /// The upload was called off before Mux gave one. A file that arrives nevertheless counts for more.
    Withdrawn {
        #[serde(with = "time::serde::rfc3339")]
        at: OffsetDateTime,
    },
    /// No file came in time, and Mux knows of no upload. A file that arrives nevertheless counts for
    /// more.
    Lapsed {
        #[serde(with = "time::serde::rfc3339")]
        at: OffsetDateTime,
    },
    /// Mux was asked for an upload and did nothing. Nobody was ever told of this video.
    Refused {
        #[serde(with = "time::serde::rfc3339")]
        at: OffsetDateTime,
    },
    /// The video was deleted. Nothing counts for more.
    Deleted {
        #[serde(with = "time::serde::rfc3339")]
        at: OffsetDateTime,
        by: UserId,
    },
}

/// How news of a video came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    Webhook,
    /// A webhook that could not be dealt with when it came.
    Replay,
    /// Mux was asked.
    Reconcile,
    /// A person decided, or asked.
    Person,
}

impl Way {
    pub fn of(actor: &Actor) -> Self {
        match actor {
            Actor::User { .. } | Actor::Guest { .. } | Actor::Stranger => Self::Person,
            Actor::Mux {
                via: Via::Webhook, ..
            } => Self::Webhook,
            Actor::Mux {
                via: Via::Replay, ..
            } => Self::Replay,
            Actor::Job { .. } => Self::Reconcile,
        }
    }
}

/// Where a video stands, in the founding documents' words (S1-060).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Status {
    #[serde(rename = "AWAITING_UPLOAD")]
    AwaitingUpload,
    #[serde(rename = "MUX_PROCESSING")]
    Processing,
    #[serde(rename = "READY")]
    Ready,
    #[serde(rename = "ERROR")]
    Failed,
    #[serde(rename = "CANCELLED")]
    Cancelled,
    #[serde(rename = "EXPIRED")]
    Expired,
    #[serde(rename = "DELETED")]
    Deleted,
}

impl Status {
    /// Whether nothing more is expected to happen by itself.
    pub fn is_final(self) -> bool {
        !matches!(self, Self::AwaitingUpload | Self::Processing)
    }
}

impl Asset {
    /// Where the video stands now. Only the end of waiting depends on the time.
    pub fn status(&self, now: OffsetDateTime) -> Status {
        let stage = self.stage();
        if stage == Status::AwaitingUpload && self.is_overdue(now) {
            return Status::Expired;
        }
        stage
    }

    /// Where the video stands by what is known, without a look at the clock.
    pub(super) fn stage(&self) -> Status {
        if let Ending::Deleted { .. } = self.ending {
            return Status::Deleted;
        }
        match self.lifecycle.verdict() {
            Verdict::Unheard | Verdict::Waiting => match self.ending {
                Ending::None => Status::AwaitingUpload,
                Ending::Lapsed { .. } => Status::Expired,
                Ending::Withdrawn { .. } | Ending::Refused { .. } | Ending::Deleted { .. } => {
                    Status::Cancelled
                }
            },
            Verdict::TimedOut => Status::Expired,
            Verdict::Cancelled => Status::Cancelled,
            Verdict::Processing => Status::Processing,
            Verdict::Failed => Status::Failed,
            Verdict::Ready => Status::Ready,
            Verdict::Deleted => Status::Deleted,
        }
    }

    /// Whether it is gone, by a person's wish or at Mux.
    pub fn is_deleted(&self) -> bool {
        self.stage() == Status::Deleted
    }

    /// Whether no asset of Mux is known of it: no file has come, or nobody has told of it (S1-066).
    pub fn is_unmatched(&self) -> bool {
        self.lifecycle.assets().next().is_none()
    }

    /// Whether something more is expected to happen by itself.
    pub fn is_open(&self) -> bool {
        !self.stage().is_final()
    }

    /// Remembers which way it was closed, after a step from this state before. What lives again is
    /// not at rest.
    pub fn note_way(&mut self, before: &Self, way: Way) {
        self.at_rest &= self.is_deleted();
        if self.is_open() {
            self.closed_by = None;
        } else if before.is_open() {
            self.closed_by = Some(way);
        }
    }

    /// Whether its time to send a file is over, for good.
    pub fn is_overdue(&self, now: OffsetDateTime) -> bool {
        self.upload_deadline() + UPLOAD_GRACE <= now
    }

    /// Whether its tenant's list shows it.
    pub fn is_listed(&self) -> bool {
        !self.is_deleted() && !matches!(self.ending, Ending::Refused { .. })
    }

    /// Why it failed, if it did.
    pub fn failure(&self) -> Option<&Failure> {
        self.lifecycle
            .failure()
            .filter(|_| self.stage() == Status::Failed)
    }

    /// Until when the file may be sent.
    pub fn upload_deadline(&self) -> OffsetDateTime {
        self.created_at + UPLOAD_LIFE
    }

    /// The asset with the news added. Any order, any repetition: the same asset.
    #[must_use]
    pub fn apply(&self, stamp: &Stamp, news: &Subject) -> Self {
        let mut next = self.clone();
        next.lifecycle.learn(stamp, news);
        next
    }

    /// When it last changed, by a person or by news. A function of the facts, so that it too is the
    /// same in whatever order they came.
    pub fn updated_at(&self) -> OffsetDateTime {
        self.lifecycle
            .latest()
            .map_or(self.edited_at, |it| it.max(self.edited_at))
    }

    /// What the step from one state to the next means to others. Where the status is the same, that
    /// something else is known.
    pub fn event_since(&self, before: &Self) -> Event {
        let asset = self.id;
        let stage = self.stage();
        if stage == before.stage() {
            return Event::AssetUpdated { asset };
        }
        match stage {
            Status::AwaitingUpload => Event::AssetUpdated { asset },
            Status::Processing => Event::UploadReceived { asset },
            Status::Ready => Event::AssetReady {
                asset,
                millis: self.lifecycle.millis().unwrap_or_default(),
            },
            Status::Failed => Event::AssetFailed { asset },
            Status::Cancelled => Event::UploadCancelled { asset },
            Status::Expired => Event::UploadExpired { asset },
            Status::Deleted => Event::AssetDeleted { asset },
        }
    }
}

/// What a video is called: 1 to 200 characters, trimmed, on one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Title(String);

const TITLE_MAX: usize = 200;

impl Title {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Title {
    type Err = AssetError;

    fn from_str(text: &str) -> Result<Self, AssetError> {
        let text = text.trim();
        if (1..=TITLE_MAX).contains(&text.chars().count()) && !text.chars().any(char::is_control) {
            return Ok(Self(text.to_owned()));
        }
        Err(AssetError::Field(
            "title must have 1 to 200 characters on one line",
        ))
    }
}

impl TryFrom<String> for Title {
    type Error = AssetError;

    fn try_from(text: String) -> Result<Self, AssetError> {
        text.parse()
    }
}

impl From<Title> for String {
    fn from(title: Title) -> Self {
        title.0
    }
}

/// What kind of file it is said to be: a video, or `application/octet-stream` when the browser does
/// not know the container. What it really is, Mux finds out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ContentType(String);

const CONTENT_TYPE_MAX: usize = 100;

impl FromStr for ContentType {
    type Err = AssetError;

    /// Parameters (`video/webm;codecs=vp9`) are cut off; the type is compared in lower case (RFC 9110, 8.3.1).
    fn from_str(text: &str) -> Result<Self, AssetError> {
        let essence = text.split(';').next().unwrap_or_default().trim();
        let essence = essence.to_ascii_lowercase();
        let token = |it: &str| {
            !it.is_empty()
                && it
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&b))
        };
        let video = essence.strip_prefix("video/").is_some_and(token);
        if essence.len() <= CONTENT_TYPE_MAX && (video || essence == "application/octet-stream") {
            return Ok(Self(essence));
        }
        Err(AssetError::Field(
            "contentType must be a video type, or application/octet-stream",
        ))
    }
}

impl TryFrom<String> for ContentType {
    type Error = AssetError;

    fn try_from(text: String) -> Result<Self, AssetError> {
        text.parse()
    }
}

impl From<ContentType> for String {
    fn from(content_type: ContentType) -> Self {
        content_type.0
    }
}
