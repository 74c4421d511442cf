//! What a session token must say (clerk.com/docs: manual JWT verification; RFC 8725).
//!
//! The signature is checked first, the claims after it, by our own clock: the library knows none that
//! a test could move, and leaves open what is closed here.

use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation};
use serde::Deserialize;
use time::{Duration, OffsetDateTime};

use super::model::Role;
use crate::config::Config;

/// How far the sign-in service's clock may be from ours (Clerk's own default).
const SKEW: Duration = Duration::seconds(5);

/// No session token is longer: what is, is not looked at.
const TOKEN_MAX: usize = 8 * 1024;

/// Clerk's mark for session tokens in the header's `cat`; its other tokens are signed with the same key.
const SESSION_CATEGORIES: [&str; 2] = ["cl_B7d4PD111AAA", "cl_I7d4PD111III"];

/// Why a session token does not hold. The client is told only that it does not.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    #[error("there is no session token")]
    Missing,
    #[error("the session token is malformed: {0}")]
    Malformed(&'static str),
    #[error("the session token's signature does not hold")]
    Signature,
    #[error("the session token's {0} does not hold")]
    Claim(&'static str),
    #[error("the keys of the sign-in service could not be fetched")]
    Keys(#[source] Option<reqwest::Error>),
    #[error("the session token names a key that the sign-in service does not have")]
    UnknownKey,
}

/// What a valid token says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Session {
    pub(super) user: String,
    pub(super) organisation: Option<(String, Option<Role>)>,
}

/// The key that a token says it is signed with. Nothing else of the header is believed.
pub(super) fn key_id(token: &str) -> Result<String, SessionError> {
    if token.len() > TOKEN_MAX {
        return Err(SessionError::Malformed("too long"));
    }
    let header: Header =
        jsonwebtoken::decode_header(token).map_err(|_| SessionError::Malformed("header"))?;
    if header.alg != Algorithm::RS256 {
        return Err(SessionError::Malformed("algorithm"));
    }
    if header.typ.as_deref().is_some_and(|typ| typ != "JWT") {
        return Err(SessionError::Malformed("type"));
    }
    if header.crit.is_some() {
        return Err(SessionError::Malformed("critical extensions"));
    }
    let category: Option<String> = header
        .extras
        .get("cat")
        .map_err(|_| SessionError::Malformed("category"))?;
    if category.is_some_and(|it| !SESSION_CATEGORIES.contains(&it.as_str())) {
        return Err(SessionError::Malformed("category"));
    }
    header.kid.ok_or(SessionError::Malformed("no key id"))
}

/// Checks the signature with the key, then every claim.
pub(super) fn verify(
    token: &str,
    key: &DecodingKey,
    config: &Config,
    now: OffsetDateTime,
) -> Result<Session, SessionError> {
    let mut signature_only = Validation::new(Algorithm::RS256);
    signature_only.required_spec_claims.clear();
    signature_only.validate_exp = false;
    signature_only.validate_nbf = false;
    signature_only.validate_aud = false;
    let claims = jsonwebtoken::decode::<Claims>(token, key, &signature_only)
        .map_err(|error| {
            if matches!(error.kind(), jsonwebtoken::errors::ErrorKind::Json(_)) {
                return SessionError::Malformed("claims");
            }
            SessionError::Signature
        })?
        .claims;
    claims.check(config, now)
}

#[derive(Deserialize)]
struct Claims {
    /// The version: absent in version 1.
    v: Option<u8>,
    iss: String,
    sub: String,
    exp: i64,
    iat: Option<i64>,
    nbf: Option<i64>,
    azp: Option<String>,
    sts: Option<String>,
    /// Version 2: only when an organisation is active.
    o: Option<Organisation>,
    /// Version 1.
    org_id: Option<String>,
    org_role: Option<String>,
}

#[derive(Deserialize)]
struct Organisation {
    id: String,
    rol: Option<String>,
}

impl Claims {
    fn check(self, config: &Config, now: OffsetDateTime) -> Result<Session, SessionError> {
        let now = now.unix_timestamp();
        let skew = SKEW.whole_seconds();
        let past = |at: Option<i64>| at.is_none_or(|at| at <= now.saturating_add(skew));
        let origin = self.azp.as_deref();
        let known = config
            .allowed_origins
            .iter()
            .any(|it| Some(it.as_str()) == origin);
        if self.iss != config.clerk_issuer {
            return Err(SessionError::Claim("iss"));
        }
        if self.exp <= now.saturating_sub(skew) {
            return Err(SessionError::Claim("exp"));
        }
        if !past(self.nbf) {
            return Err(SessionError::Claim("nbf"));
        }
        if !past(self.iat) {
            return Err(SessionError::Claim("iat"));
        }
        if !known {
            return Err(SessionError::Claim("azp"));
        }
        if self.sub.is_empty() || self.sub.starts_with("mch_") {
            return Err(SessionError::Claim("sub"));
        }
        if self.sts.as_deref() == Some("pending") {
            return Err(SessionError::Claim("sts"));
        }
        let of_v2 = self.o.map(|it| (it.id, it.rol));
        let of_v1 = self.org_id.filter(|_| self.v.is_none());
        let of_v1 = of_v1.map(|id| (id, self.org_role));
        Ok(Session {
            user: self.sub,
            organisation: of_v2
                .or(of_v1)
                .filter(|(id, _)| !id.is_empty())
                .map(|(id, role)| (id, role.as_deref().and_then(Role::parse))),
        })
    }
}
