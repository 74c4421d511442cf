//! What an upload is asked for with, and how a repeated request is recognised. No I/O.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use time::{Duration, OffsetDateTime};

use super::UploadError;
use crate::{
    assets::{ContentType, Title},
    ids::{AssetId, TenantId},
};

/// How long a key is remembered at the least.
pub(super) const ONCE_LIFE: Duration = Duration::hours(24);

/// How long the first request may take; then the next one with its key takes its place.
pub(super) const CLAIM: Duration = Duration::seconds(15);

/// A wish to upload a video.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Order {
    pub title: Title,
    pub content_type: ContentType,
    /// Bytes.
    pub size: u64,
}

impl Order {
    /// Checks what does not depend on configuration by types, and the size here.
    pub(super) fn new(
        title: &str,
        content_type: &str,
        size: u64,
        most: u64,
    ) -> Result<Self, UploadError> {
        if size == 0 {
            return Err(UploadError::Field(
                "size must be at least 1 byte: the file is empty",
            ));
        }
        if size > most {
            return Err(UploadError::Field("size is larger than uploads may be"));
        }
        Ok(Self {
            title: title.parse()?,
            content_type: content_type.parse()?,
            size,
        })
    }

    /// What makes two requests the same one.
    pub(super) fn fingerprint(&self, origin: &str) -> String {
        let content_type = String::from(self.content_type.clone());
        let size = self.size.to_string();
        digest(&[self.title.as_str(), &content_type, &size, origin])
    }
}

/// What the client calls this one request by (draft-ietf-httpapi-idempotency-key-header).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct IdempotencyKey(String);

const KEY_MAX: usize = 255;

impl IdempotencyKey {
    /// What the table knows it by: the client may have put anything into it, and means it in one tenant.
    pub(super) fn digest(&self, tenant: TenantId) -> String {
        digest(&[&tenant.to_string(), &self.0])
    }
}

impl FromStr for IdempotencyKey {
    type Err = UploadError;

    fn from_str(text: &str) -> Result<Self, UploadError> {
        let visible = text.bytes().all(|it| it.is_ascii_graphic());
        if (1..=KEY_MAX).contains(&text.len()) && visible {
            return Ok(Self(text.to_owned()));
        }
        Err(UploadError::Field(
            "Idempotency-Key must have 1 to 255 visible characters",
        ))
    }
}

/// Each part with its length before it, so that no two lists of parts look alike.
fn digest(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part);
    }
    hex::encode(hash.finalize())
}

/// What stands in the table for one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Once {
    pub(super) asset: AssetId,
    pub(super) fingerprint: String,
    /// Seconds since the epoch until which the request that wrote this is alone at work.
    pub(super) claimed_until: i64,
    /// Which request is at work: the first, or one that took over.
    version: u64,
}

/// The version of the first claim.
pub(super) const FIRST: u64 = 1;

impl Once {
    pub(super) fn new(asset: AssetId, fingerprint: String, now: OffsetDateTime) -> Self {
        Self {
            asset,
            fingerprint,
            claimed_until: (now + CLAIM).unix_timestamp(),
            version: FIRST,
        }
    }

    /// The claim of a request that takes the place of one that died.
    pub(super) fn taken_over(self, now: OffsetDateTime) -> Self {
        Self {
            version: self.version + 1,
            ..Self::new(self.asset, self.fingerprint, now)
        }
    }

    /// Seconds until another request may take over; `None` when it may already.
    pub(super) fn wait(&self, now: OffsetDateTime) -> Option<u32> {
        let seconds = self.claimed_until - now.unix_timestamp();
        u32::try_from(seconds).ok().map(|it| it + 1)
    }
}
