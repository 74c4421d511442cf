//! What a share link is, when it may be opened, and what has to be done about it when. No I/O, no
//! clock of its own.

use serde::{Deserialize, Deserializer, Serialize};
use time::{Duration, OffsetDateTime};

use super::{
    ShareError,
    fields::{Label, Recipient},
    gate::Rules,
    token::Digested,
};
use crate::{
    ids::{AssetId, ShareId, TenantId, UserId},
    mux::{MuxAssetId, PlaybackId, TOKEN_LIFE},
};

/// How long a token lives that plays by the video's own playback id.
const SHARED_LIFE: Duration = Duration::minutes(5);

/// How long before its expiry a link's owner is warned.
const WARNING: Duration = Duration::days(1);

/// One link to one video, or to a list of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShareLink {
    pub id: ShareId,
    pub tenant: TenantId,
    /// The first is the one that its token names; the lists show it under each. Links were once to one
    /// video only.
    #[serde(alias = "asset", deserialize_with = "one_or_more")]
    pub assets: Vec<AssetId>,
    pub label: Label,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipient: Option<Recipient>,
    pub created_by: UserId,
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    pub expires_at: OffsetDateTime,
    pub state: State,
    /// What a viewer must show, and may do.
    #[serde(default)]
    pub rules: Rules,
    /// Playback ids that play for nobody but this link.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub playbacks: Vec<Playback>,
    /// Until when the last token holds that was given out for a playback id which is not this link's.
    #[serde(
        default,
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub shared_until: Option<OffsetDateTime>,
    /// Whether it gave out an address that needs no token, and plays for ever.
    #[serde(default)]
    pub unsigned: bool,
    /// Whether its owner was warned that it will expire.
    #[serde(default)]
    pub warned: bool,
    /// How long after somebody took it back it was refused, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused_after_ms: Option<u64>,
    /// Until when Mux is left in peace about it, after it did not do its part.
    #[serde(
        default,
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub held_until: Option<OffsetDateTime>,
    /// Since when nobody can play by it, as it was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut: Option<Cut>,
    /// SHA-256 of the token's secret, in hexadecimal: reading the table opens nothing (S2-021).
    pub digest: Digested,
    /// Grows with every write; the guard of the next one.
    pub version: u64,
}

fn one_or_more<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<AssetId>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Stored {
        One(AssetId),
        More(Vec<AssetId>),
    }
    Ok(match Stored::deserialize(from)? {
        Stored::One(asset) => vec![asset],
        Stored::More(assets) => assets,
    })
}

/// A playback id of a link's own, and of what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Playback {
    pub asset: AssetId,
    pub mux_asset: MuxAssetId,
    pub id: PlaybackId,
}

/// How long it took until a link was good for nothing, in milliseconds from the request (S0-086).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cut {
    /// Until it was refused.
    pub refused_after_ms: u64,
    /// Until no token that it ever gave out played any more.
    pub gone_after_ms: u64,
}

/// Whether a link was taken back, or has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum State {
    Active,
    Revoked {
        /// When it was asked for.
        #[serde(with = "time::serde::rfc3339")]
        at: OffsetDateTime,
        /// Nobody, where it was found out after a restore that somebody had.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<UserId>,
    },
    /// Its videos are gone for good.
    Ended {
        #[serde(with = "time::serde::rfc3339")]
        at: OffsetDateTime,
    },
}

/// What somebody has to do about a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duty {
    /// Say that it will expire.
    Warn,
    /// See that nobody plays by it any more.
    Cut,
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

    /// The same for a token that plays by a playback id which others play by, too: taking the link back
    /// does not end it, so it ends soon by itself.
    pub fn shared_expiry(&self, now: OffsetDateTime) -> OffsetDateTime {
        self.token_expiry(now).min(now + SHARED_LIFE)
    }

    /// Its own playback id for this asset of Mux.
    pub fn own(&self, asset: &MuxAssetId) -> Option<&PlaybackId> {
        let mut own = self.playbacks.iter();
        own.find(|it| it.mux_asset == *asset).map(|it| &it.id)
    }

    /// Whether this playback id is its own.
    pub fn plays_by(&self, id: &PlaybackId) -> bool {
        self.playbacks.iter().any(|it| it.id == *id)
    }

    /// When it was, or will be, that nobody may play by it any more.
    pub fn over_at(&self) -> OffsetDateTime {
        match self.state {
            State::Active => self.expires_at,
            State::Revoked { at, .. } | State::Ended { at } => at.min(self.expires_at),
        }
    }

    /// What has to be done next, and when. A function of the link, so that whatever changes one
    /// changes the other.
    pub fn duty(&self) -> Option<(OffsetDateTime, Duty)> {
        if self.cut.is_some() {
            return None;
        }
        let warning = self.expires_at - WARNING;
        let warns = self.state == State::Active && !self.warned && self.created_at < warning;
        if warns {
            return Some((warning, Duty::Warn));
        }
        if self.unsigned && self.playbacks.is_empty() {
            return None; // nobody can see to that
        }
        // What plays by a playback id that others play by, too, ends by itself.
        let last = self.shared_until.filter(|_| self.playbacks.is_empty());
        let at = [Some(self.over_at()), last, self.held_until];
        let at = at.into_iter().flatten().max().unwrap_or(self.expires_at);
        Some((at, Duty::Cut))
    }

    /// The link with another time to live. What was cut plays again, by new playback ids.
    pub fn extend(&mut self, until: OffsetDateTime) {
        self.expires_at = until;
        self.warned = false;
        self.cut = None;
        self.held_until = None;
    }
}

/// When a player should ask for the next token: after 60 to 70 hundredths of this one's life (H5).
/// `jitter`, from anywhere in its range, spreads those who began together.
pub(super) fn renew_after(
    now: OffsetDateTime,
    expiry: OffsetDateTime,
    jitter: u8,
) -> OffsetDateTime {
    let life = expiry - now;
    let renewal: OffsetDateTime = now + life * 6 / 10 + life * i32::from(jitter) / 2_560;
    renewal.replace_nanosecond(0).unwrap_or(renewal)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::datetime;
    use ulid::Ulid;

    use super::{super::token::ShareToken, *};

    const NOON: OffsetDateTime = datetime!(2026-01-05 12:00 UTC);

    fn link(expires_at: OffsetDateTime, state: State) -> ShareLink {
        let id = Ulid::from_bytes([1; 16]);
        ShareLink {
            id: id.into(),
            tenant: id.into(),
            assets: vec![id.into()],
            label: "for Sam".parse().unwrap(),
            recipient: None,
            created_by: id.into(),
            created_at: NOON - Duration::days(7),
            expires_at,
            state,
            rules: Rules::default(),
            playbacks: Vec::new(),
            shared_until: None,
            unsigned: false,
            warned: false,
            refused_after_ms: None,
            held_until: None,
            cut: None,
            digest: ShareToken::new(id.into(), id.into(), [7; 32]).digest(),
            version: 1,
        }
    }

    fn revoked(at: OffsetDateTime) -> State {
        State::Revoked {
            at,
            by: Some(Ulid::from_bytes([2; 16]).into()),
        }
    }

    #[test]
    fn a_revoked_link_stays_revoked_after_its_expiry() {
        let revoked = link(NOON, revoked(NOON)).check(NOON);
        assert!(matches!(revoked, Err(ShareError::Revoked)));
        let expired = link(NOON, State::Active).check(NOON);
        assert!(matches!(expired, Err(ShareError::Expired)));
    }

    #[test]
    fn a_link_is_warned_of_then_cut_then_left_alone() {
        let mut link = link(NOON, State::Active);
        assert_eq!(link.duty(), Some((NOON - Duration::DAY, Duty::Warn)));
        link.warned = true;
        assert_eq!(link.duty(), Some((NOON, Duty::Cut)));
        let early = NOON - Duration::hours(3);
        link.state = revoked(early);
        assert_eq!(link.duty(), Some((early, Duty::Cut)));
        link.cut = Some(Cut {
            refused_after_ms: 1,
            gone_after_ms: 2,
        });
        assert_eq!(link.duty(), None);
    }

    #[test]
    fn a_link_that_played_by_a_shared_playback_id_is_cut_when_the_last_token_ends() {
        let at = NOON - Duration::days(2);
        let mut link = link(NOON, revoked(at));
        link.shared_until = Some(at + Duration::minutes(15));
        assert_eq!(link.duty(), Some((at + Duration::minutes(15), Duty::Cut)));
    }

    #[test]
    fn a_link_that_was_stored_when_links_were_to_one_video_is_read() {
        let link = link(NOON, State::Active);
        let mut stored = serde_json::to_value(&link).unwrap();
        stored["asset"] = stored["assets"][0].take();
        stored.as_object_mut().unwrap().remove("assets");
        stored.as_object_mut().unwrap().remove("rules");
        assert_eq!(serde_json::from_value::<ShareLink>(stored).unwrap(), link);
    }

    #[test]
    fn a_link_for_a_day_is_not_warned_of() {
        let mut link = link(NOON, State::Active);
        link.created_at = NOON - Duration::DAY;
        assert_eq!(link.duty(), Some((NOON, Duty::Cut)));
    }

    proptest! {
        #[test]
        fn a_playback_token_never_outlives_its_link_or_a_quarter_of_an_hour(
            left in 1_i64..5_000_000_000,
            jitter: u8,
        ) {
            let expires_at = NOON + Duration::microseconds(left);
            let link = link(expires_at, State::Active);
            let expiry = link.token_expiry(NOON);
            prop_assert!(expiry <= expires_at && expiry <= NOON + TOKEN_LIFE);
            let renewal = renew_after(NOON, expiry, jitter);
            prop_assert!(renewal <= expiry.max(NOON));
        }
    }
}
