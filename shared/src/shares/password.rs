//! A link's password: argon2id at rest, with the parameters that OWASP's password storage cheat sheet
//! names first (19 MiB, two passes, one lane), which are the crate's own.

use argon2::{
    Argon2, PasswordHasher, PasswordVerifier,
    password_hash::phc::{self, Salt},
};
use serde::{Deserialize, Serialize};

use super::ShareError;

/// How a password is kept: a PHC string. `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PasswordHash(String);

impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

/// Characters. A longer one than this protects nothing more, and costs to hash.
const LENGTH: std::ops::RangeInclusive<usize> = 6..=200;

impl PasswordHash {
    /// Hashes a password with this salt. Tens of milliseconds of processor time, on purpose.
    pub(super) fn of(password: &str, salt: &[u8; 32]) -> Result<Self, ShareError> {
        if !LENGTH.contains(&password.chars().count()) {
            return Err(ShareError::Field("password must have 6 to 200 characters"));
        }
        let hash = Argon2::default().hash_password_with_salt(password.as_bytes(), &salt[..16]);
        hash.map(|it| Self(it.to_string()))
            .map_err(|_| ShareError::Password)
    }

    /// Whether this is the password. As slow as hashing it, and as slow when it is not.
    pub(super) fn is_of(&self, password: &str) -> bool {
        let Ok(hash) = phc::PasswordHash::new(&self.0) else {
            return false;
        };
        let _: Option<Salt> = hash.salt;
        LENGTH.contains(&password.chars().count())
            && Argon2::default()
                .verify_password(password.as_bytes(), &hash)
                .is_ok()
    }

    #[cfg(test)]
    pub(super) fn made_up() -> Self {
        Self("$argon2id$made-up".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_known_by_its_hash_and_by_nothing_else() {
        let hash = PasswordHash::of("training day", &[7; 32]).unwrap();
        assert!(hash.0.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(hash.is_of("training day"));
        assert!(!hash.is_of("Training day"));
        assert!(!hash.is_of(""));
        assert!(!PasswordHash::made_up().is_of("training day"));
        assert!(PasswordHash::of("short", &[7; 32]).is_err());
    }
}
