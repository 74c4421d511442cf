//! What a viewer has shown to a link, signed, so that nobody has to remember it: one viewing session.

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use crate::ids::{SessionId, ShareId};

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
}

/// Signs grants and reads them: JWTs, HS256.
pub struct Grants {
    sign: EncodingKey,
    read: DecodingKey,
}

impl Grants {
    pub fn new(key: &SecretString) -> Self {
        let key = key.expose_secret().as_bytes();
        Self {
            sign: EncodingKey::from_secret(key),
            read: DecodingKey::from_secret(key),
        }
    }

    /// The text of a grant, and until when it counts.
    pub(super) fn write(
        &self,
        share: ShareId,
        grant: &Grant,
        now: OffsetDateTime,
    ) -> Option<(String, OffsetDateTime)> {
        let until = now + GRANT_LIFE;
        let claims = Claims {
            sub: share,
            jti: grant.session,
            exp: until.unix_timestamp(),
            epoch: grant.epoch,
            password: grant.password,
            email: grant.email.clone(),
        };
        let text = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.sign);
        Some((text.ok()?, until))
    }

    /// The grant, if it is one for this link and still counts. Anything else is as nothing.
    pub(super) fn read(&self, share: ShareId, text: &str, now: OffsetDateTime) -> Option<Grant> {
        // The clock is ours, not the library's.
        let mut signature_only = Validation::new(Algorithm::HS256);
        signature_only.validate_exp = false;
        signature_only.required_spec_claims.clear();
        let claims = jsonwebtoken::decode::<Claims>(text, &self.read, &signature_only);
        let claims = claims.ok()?.claims;
        let counts = claims.sub == share && now.unix_timestamp() < claims.exp;
        counts.then_some(Grant {
            session: claims.jti,
            password: claims.password,
            email: claims.email,
            epoch: claims.epoch,
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
        let grants = Grants::new(&"a key of some length".to_owned().into());
        let grant = Grant {
            session: Ulid::from_bytes([1; 16]).into(),
            password: true,
            email: None,
            epoch: 2,
        };
        let share = Ulid::from_bytes([2; 16]).into();
        let (text, until) = grants.write(share, &grant, now).unwrap();
        assert_eq!(grants.read(share, &text, now), Some(grant));
        assert_eq!(grants.read(share, &text, until), None);
        assert_eq!(
            grants.read(Ulid::from_bytes([3; 16]).into(), &text, now),
            None
        );
        let others = Grants::new(&"another key".to_owned().into());
        assert_eq!(others.read(share, &text, now), None);
        assert_eq!(grants.read(share, "", now), None);
    }
}
