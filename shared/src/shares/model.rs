//! What a share link is, and when it may be opened. No I/O, no clock of its own.

use std::str::FromStr;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use time::{Duration, OffsetDateTime};
use ulid::Ulid;

use super::ShareError;
use crate::{
    ids::{AssetId, ShareId, TenantId, UserId},
    mux::TOKEN_LIFE,
};

/// The shortest life of a link (S0-056).
pub(super) const LIFE_MIN: Duration = Duration::hours(24);

/// One link to one video.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShareLink {
    pub id: ShareId,
    pub tenant: TenantId,
    pub asset: AssetId,
    pub label: Label,
    pub created_by: UserId,
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    pub expires_at: OffsetDateTime,
    pub state: State,
    /// SHA-256 of the token's secret, in hexadecimal: reading the table opens nothing (S2-021).
    pub digest: Digested,
    /// Grows with every write; the guard of the next one.
    pub version: u64,
}

/// Whether a link was taken back, or has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum State {
    Active,
    Revoked {
        #[serde(with = "time::serde::rfc3339")]
        at: OffsetDateTime,
        by: UserId,
    },
    /// Its video is gone for good.
    Ended {
        #[serde(with = "time::serde::rfc3339")]
        at: OffsetDateTime,
    },
}

impl ShareLink {
    /// Whether the link opens at `now`. The instant of expiry is already too late. Revoked counts
    /// for more than expired: that it was taken back stays true.
    pub fn check(&self, now: OffsetDateTime) -> Result<(), ShareError> {
        match self.state {
            State::Revoked { .. } => Err(ShareError::Revoked),
            State::Ended { .. } => Err(ShareError::Deleted),
            State::Active if self.expires_at <= now => Err(ShareError::Expired),
            State::Active => Ok(()),
        }
    }

    /// Until when a playback token of this moment may live, in whole seconds: 15 minutes, and never
    /// beyond the link (S0-064).
    pub fn token_expiry(&self, now: OffsetDateTime) -> OffsetDateTime {
        let expiry = (now + TOKEN_LIFE).min(self.expires_at);
        expiry.replace_nanosecond(0).unwrap_or(expiry)
    }
}

/// When a player should ask for the next token: after two thirds of this one's life (H5).
pub(super) fn renew_after(now: OffsetDateTime, expiry: OffsetDateTime) -> OffsetDateTime {
    now + (expiry - now) * 2 / 3
}

/// Whom or what the link is for, in its owner's words: 1 to 100 characters on one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Label(String);

const LABEL_MAX: usize = 100;

impl FromStr for Label {
    type Err = ShareError;

    fn from_str(text: &str) -> Result<Self, ShareError> {
        let text = text.trim();
        if (1..=LABEL_MAX).contains(&text.chars().count()) && !text.chars().any(char::is_control) {
            return Ok(Self(text.to_owned()));
        }
        Err(ShareError::Field(
            "label must have 1 to 100 characters on one line",
        ))
    }
}

impl TryFrom<String> for Label {
    type Error = ShareError;

    fn try_from(text: String) -> Result<Self, ShareError> {
        text.parse()
    }
}

impl From<Label> for String {
    fn from(label: Label) -> Self {
        label.0
    }
}

/// How long a link shall live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Life(Duration);

impl Life {
    /// Hours, or what is usual here; at least a day, at most what is allowed here.
    pub(super) fn new(
        hours: Option<u32>,
        usual: Duration,
        most: Duration,
    ) -> Result<Self, ShareError> {
        let life = hours.map_or(usual, |hours| Duration::hours(hours.into()));
        if life < LIFE_MIN {
            return Err(ShareError::Field("expiresInHours must be at least 24"));
        }
        if life > most {
            return Err(ShareError::Field(
                "expiresInHours is more than links may live",
            ));
        }
        Ok(Self(life))
    }

    pub(super) fn after(self, now: OffsetDateTime) -> OffsetDateTime {
        now + self.0
    }
}

/// The SHA-256 of a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Digested(String);

/// The secret half of a link, as it stands in the address: which link, and 256 random bits. The id
/// makes it one read to open a link and one read to revoke it.
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct ShareToken {
    pub share: ShareId,
    secret: [u8; 32],
}

impl ShareToken {
    pub fn new(share: ShareId, secret: [u8; 32]) -> Self {
        Self { share, secret }
    }

    /// What the table keeps of it.
    pub fn digest(&self) -> Digested {
        Digested(hex::encode(Sha256::digest(self.secret)))
    }

    /// Whether this token opens the link, in a time that tells nothing of the secret.
    pub fn opens(&self, link: &ShareLink) -> bool {
        let known = link.digest.0.as_bytes();
        self.digest().0.as_bytes().ct_eq(known).into()
    }

    /// The text that is shown once.
    pub fn reveal(&self) -> String {
        let id = Ulid::from(self.share).to_bytes();
        URL_SAFE_NO_PAD.encode([&id[..], &self.secret[..]].concat())
    }
}

impl std::fmt::Debug for ShareToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ShareToken({}, …)", self.share)
    }
}

impl TryFrom<String> for ShareToken {
    type Error = ShareError;

    fn try_from(text: String) -> Result<Self, ShareError> {
        let bytes = URL_SAFE_NO_PAD
            .decode(text)
            .map_err(|_| ShareError::Unknown)?;
        let (id, secret) = bytes.split_first_chunk::<16>().ok_or(ShareError::Unknown)?;
        let secret = secret.try_into().map_err(|_| ShareError::Unknown)?;
        Ok(Self::new(Ulid::from_bytes(*id).into(), secret))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::datetime;

    use super::*;

    const NOON: OffsetDateTime = datetime!(2026-01-05 12:00 UTC);

    fn link(expires_at: OffsetDateTime, state: State) -> ShareLink {
        let id = Ulid::from_bytes([1; 16]);
        ShareLink {
            id: id.into(),
            tenant: id.into(),
            asset: id.into(),
            label: "for Sam".parse().unwrap(),
            created_by: id.into(),
            created_at: NOON,
            expires_at,
            state,
            digest: ShareToken::new(id.into(), [7; 32]).digest(),
            version: 1,
        }
    }

    #[test]
    fn a_revoked_link_stays_revoked_after_its_expiry() {
        let state = State::Revoked {
            at: NOON,
            by: Ulid::from_bytes([2; 16]).into(),
        };
        assert!(matches!(
            link(NOON, state).check(NOON),
            Err(ShareError::Revoked)
        ));
        assert!(matches!(
            link(NOON, State::Active).check(NOON),
            Err(ShareError::Expired)
        ));
    }

    #[test]
    fn a_token_is_read_as_it_was_written_and_opens_its_link_only() {
        let link = link(NOON, State::Active);
        let token = ShareToken::new(link.id, [7; 32]);
        let read = ShareToken::try_from(token.reveal()).unwrap();
        assert!(read.opens(&link));
        assert!(!ShareToken::new(link.id, [8; 32]).opens(&link));
        assert!(!format!("{token:?}").contains(&token.reveal()));
    }

    proptest! {
        #[test]
        fn a_playback_token_never_outlives_its_link_or_a_quarter_of_an_hour(left in 1_i64..5_000_000_000) {
            let expires_at = NOON + Duration::microseconds(left);
            let link = link(expires_at, State::Active);
            let expiry = link.token_expiry(NOON);
            prop_assert!(expiry <= expires_at && expiry <= NOON + TOKEN_LIFE);
            prop_assert!(renew_after(NOON, expiry) <= expiry);
        }

        #[test]
        fn no_text_makes_the_token_parser_panic(text in ".*") {
            let _ = ShareToken::try_from(text);
        }
    }
}
