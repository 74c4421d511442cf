//! Ids: a short prefix, an underscore, a ULID. One newtype per entity; no bare strings.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use ulid::Ulid;

use crate::clock::Clock;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Ulid);

        impl From<Ulid> for $name {
            fn from(ulid: Ulid) -> Self {
                Self(ulid)
            }
        }

        impl From<$name> for Ulid {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "_{}"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            /// Accepts the one canonical spelling: an id that could be written in two ways could
            /// also be cached, logged or compared in two ways.
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                text.strip_prefix(concat!($prefix, "_"))
                    .and_then(|ulid| Ulid::from_string(ulid).ok())
                    .map(Self)
                    .filter(|id| id.to_string() == text)
                    .ok_or(InvalidId { expected: $prefix })
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }
    )*};
}

ids! {
    /// A customer's workspace: the unit of isolation. Derived from the organisation at the sign-in service.
    TenantId = "ten";
    /// A person who signs in. Derived from the user at the sign-in service.
    UserId = "usr";
    /// One video, from the request to upload it until it is deleted. Mux carries it as `passthrough`.
    AssetId = "ast";
    /// What videos are made for, and laid to.
    ProjectId = "prj";
    /// One share link, never the token that opens it.
    ShareId = "shr";
    /// One thing that happened.
    EventId = "evt";
    /// One request, as it stands in the log and in `x-request-id`.
    RequestId = "req";
    /// One event that could not be dealt with when it came.
    DeadLetterId = "dlq";
    /// One run of a job.
    RunId = "run";
    /// What an instance counted and wrote at once.
    RecordId = "rec";
    /// Something that went wrong, until somebody has looked back at it.
    IncidentId = "inc";
    /// One viewing session of a share link.
    SessionId = "ses";
}

/// The text is not an id of the expected kind.
#[derive(Debug, thiserror::Error)]
#[error("expected an id that starts with `{expected}_`")]
pub struct InvalidId {
    expected: &'static str,
}

/// Maps a name given by somebody else to an id of ours, always to the same one (S1-063).
///
/// 128 bits of SHA-256 over issuer and name: no look-up on the way of a request, no collision to fear.
pub fn from_external<Id: From<Ulid>>(issuer: &str, name: &str) -> Id {
    let digest = Sha256::new()
        .chain_update(issuer)
        .chain_update([0])
        .chain_update(name)
        .finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    Ulid::from_bytes(bytes).into()
}

/// The lowest and the highest id that could have been minted in the millisecond of this instant.
pub fn bounds<Id: From<Ulid>>(at: OffsetDateTime) -> (Id, Id) {
    let millis = at.unix_timestamp_nanos() / 1_000_000;
    let millis = u128::try_from(millis).unwrap_or(0);
    let random = (1 << Ulid::RAND_BITS) - 1;
    let lowest = millis << Ulid::RAND_BITS;
    (
        Ulid::from(lowest).into(),
        Ulid::from(lowest | random).into(),
    )
}

/// The id right before this one, in the order of ids.
pub fn before<Id: From<Ulid> + Into<Ulid>>(id: Id) -> Id {
    let number: u128 = id.into().into();
    Ulid::from(number.saturating_sub(1)).into()
}

type Entropy = Box<dyn Fn(&mut [u8]) + Send + Sync>;

/// Mints ids and secrets. Tests pass a counter as entropy, so snapshots hold literal ids.
pub struct IdSource {
    clock: Arc<dyn Clock>,
    entropy: Entropy,
}

impl IdSource {
    /// `entropy` fills a buffer with random bytes; in production from a generator fit for secrets.
    pub fn new(clock: Arc<dyn Clock>, entropy: impl Fn(&mut [u8]) + Send + Sync + 'static) -> Self {
        Self {
            clock,
            entropy: Box::new(entropy),
        }
    }

    /// A new id, sortable by the time it was made.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one sanctioned construction of an id"
    )]
    pub fn mint<Id: From<Ulid>>(&self) -> Id {
        let millis = self.clock.now().unix_timestamp_nanos() / 1_000_000;
        let mut random = [0; 16];
        (self.entropy)(&mut random[6..]); // a ULID holds 80 random bits
        Ulid::from_parts(
            u64::try_from(millis).unwrap_or(0),
            u128::from_be_bytes(random),
        )
        .into()
    }

    /// Anything from 0 to 255, to spread what would otherwise happen at once.
    pub fn jitter(&self) -> u8 {
        let mut byte = [0];
        (self.entropy)(&mut byte);
        byte[0]
    }

    /// 256 random bits, for a secret that is shown once (S0-082 asks for 128).
    pub fn secret(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        (self.entropy)(&mut bytes);
        bytes
    }

    /// A random number below this one, for a choice that nobody may foresee. Below nothing, it is 0.
    pub fn pick(&self, below: usize) -> usize {
        let mut bytes = [0; 8];
        (self.entropy)(&mut bytes);
        // The remainder of 64 bits favours nothing that anybody could measure.
        let number = u64::from_be_bytes(bytes) % u64::try_from(below.max(1)).unwrap_or(1);
        usize::try_from(number).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_spelling() {
        let id: AssetId = Ulid::from_bytes([7; 16]).into();
        let text = id.to_string();
        assert_eq!(text.parse::<AssetId>().unwrap(), id);
        assert!(text.to_lowercase().parse::<AssetId>().is_err());
        assert!(text.replace("ast_", "shr_").parse::<AssetId>().is_err());
        assert!("ast_".parse::<AssetId>().is_err());
    }

    #[test]
    fn an_instant_has_bounds_of_ids() {
        let at = OffsetDateTime::from_unix_timestamp(1_767_603_600).unwrap();
        let (lowest, highest) = bounds::<EventId>(at);
        assert_eq!(lowest.to_string(), "evt_01KE6P4YM00000000000000000");
        assert_eq!(highest.to_string(), "evt_01KE6P4YM0ZZZZZZZZZZZZZZZZ");
        let next = bounds::<EventId>(at + time::Duration::MILLISECOND).0;
        assert_eq!(before(next), highest);
    }

    #[test]
    fn the_same_organisation_is_always_the_same_tenant() {
        let tenant: TenantId = from_external("https://clerk.example", "org_1");
        assert_eq!(tenant, from_external("https://clerk.example", "org_1"));
        assert_ne!(tenant, from_external("https://clerk.example", "org_2"));
        assert_ne!(tenant, from_external("https://other.example", "org_1"));
    }
}
