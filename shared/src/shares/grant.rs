//! What a viewer has shown to a link, signed, so that nobody has to remember it: one viewing session.

use std::collections::BTreeSet;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, crypto};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use crate::ids::{AssetId, SessionId, ShareId};

/// How long what was shown counts: a long evening.
const GRANT_LIFE: Duration = Duration::hours(12);

/// One viewing session of one link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    pub session: SessionId,
    /// Whether the password was right.
    pub password: bool,
    /// Whose code was right: the address, hidden.
    pub email: Option<String>,
    /// Which rules it was shown to.
    pub epoch: u32,
    /// What was opened in this session, so that going on is told from beginning.
    pub opened: BTreeSet<AssetId>,
    /// From which network, hidden: somebody who turns up elsewhere begins anew.
    pub network: Option<String>,
    /// Until when it counts. Going on does not move it.
    pub until: OffsetDateTime,
}

impl Grant {
    /// A session that begins now.
    pub(super) fn begin(session: SessionId, epoch: u32, now: OffsetDateTime) -> Self {
        Self {
            session,
            password: false,
            email: None,
            epoch,
            opened: BTreeSet::new(),
            network: None,
            until: now + GRANT_LIFE,
        }
    }

    /// When the session began.
    pub(super) fn began(&self) -> OffsetDateTime {
        self.until - GRANT_LIFE
    }
}

#[derive(Serialize, Deserialize)]
struct Claims {
    sub: ShareId,
    jti: SessionId,
    exp: i64,
    epoch: u32,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    password: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    opened: BTreeSet<AssetId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    network: Option<String>,
}

/// `{"typ":"JWT","alg":"HS256"}`, as the library writes it.
const HEADER: &str = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9";

/// Signs grants and reads them: JWTs, HS256. The first key signs, and what any of them signed counts.
pub struct Grants {
    sign: EncodingKey,
    read: Vec<DecodingKey>,
}

impl Grants {
    pub fn new(keys: &[SecretString]) -> Self {
        let keys = keys.iter().map(|it| it.expose_secret().as_bytes());
        Self {
            sign: EncodingKey::from_secret(keys.clone().next().unwrap_or_default()),
            read: keys.map(DecodingKey::from_secret).collect(),
        }
    }

    /// The text of a grant.
    pub(super) fn write(&self, share: ShareId, grant: &Grant) -> Option<String> {
        let claims = Claims {
            sub: share,
            jti: grant.session,
            exp: grant.until.unix_timestamp(),
            epoch: grant.epoch,
            password: grant.password,
            email: grant.email.clone(),
            opened: grant.opened.clone(),
            network: grant.network.clone(),
        };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.sign).ok()
    }

    /// What is signed. Only we write grants, so there is one header, and it is not parsed: the library's
    /// own reading does that twice, and every renewal waits for it.
    fn claims(&self, text: &str) -> Option<Claims> {
        let (signed, signature) = text.rsplit_once('.')?;
        let claims = signed.strip_prefix(HEADER)?.strip_prefix('.')?;
        let holds = |key| crypto::verify(signature, signed.as_bytes(), key, Algorithm::HS256);
        if !self.read.iter().any(|key| holds(key).unwrap_or(false)) {
            return None;
        }
        let claims = URL_SAFE_NO_PAD.decode(claims).ok()?;
        serde_json::from_slice(&claims).ok()
    }

    /// The grant, if it is one for this link and still counts. Anything else is as nothing.
    pub(super) fn read(&self, share: ShareId, text: &str, now: OffsetDateTime) -> Option<Grant> {
        let claims = self.claims(text)?;
        let until = OffsetDateTime::from_unix_timestamp(claims.exp).ok()?;
        let counts = claims.sub == share && now < until;
        counts.then_some(Grant {
            session: claims.jti,
            password: claims.password,
            email: claims.email,
            epoch: claims.epoch,
            opened: claims.opened,
            network: claims.network,
            until,
        })
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;
    use ulid::Ulid;

    use super::*;

    #[test]
    fn a_grant_counts_for_its_link_until_its_end_and_only_as_it_was_written() {
        let now = datetime!(2026-01-05 12:00 UTC);
        let grants = Grants::new(&["a key of some length".to_owned().into()]);
        let mut grant = Grant::begin(Ulid::from_bytes([1; 16]).into(), 2, now);
        grant.password = true;
        grant.opened.insert(Ulid::from_bytes([4; 16]).into());
        let share = Ulid::from_bytes([2; 16]).into();
        let text = grants.write(share, &grant).unwrap();
        let until = grant.until;
        assert_eq!(grants.read(share, &text, now), Some(grant));
        assert_eq!(grants.read(share, &text, until), None);
        assert_eq!(
            grants.read(Ulid::from_bytes([3; 16]).into(), &text, now),
            None
        );
        let others = Grants::new(&["another key".to_owned().into()]);
        assert_eq!(others.read(share, &text, now), None);
        assert_eq!(grants.read(share, "", now), None);
        let (signed, signature) = text.rsplit_once('.').unwrap();
        let cut = format!("{signed}.{}", &signature[1..]);
        let unsigned = format!("{signed}.");
        let (_, claims) = signed.split_once('.').unwrap();
        // `{"alg":"none"}`
        let without = format!("eyJhbGciOiJub25lIn0.{claims}.");
        for forged in [cut, unsigned, without, format!("{text}.{signature}")] {
            assert_eq!(grants.read(share, &forged, now), None, "{forged}");
        }
    }
}
