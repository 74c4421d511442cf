//! The secret that opens a link, and what is kept of it. Pure.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use ulid::Ulid;

use super::{ShareError, ShareLink};
use crate::ids::{AssetId, ShareId};

/// The SHA-256 of a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Digested(String);

impl Digested {
    pub(super) fn of(secret: &[u8]) -> Self {
        Self(hex::encode(Sha256::digest(secret)))
    }

    /// Whether this is the digest of the secret, in a time that tells nothing of it.
    pub(super) fn is_of(&self, secret: &[u8]) -> bool {
        Self::of(secret)
            .0
            .as_bytes()
            .ct_eq(self.0.as_bytes())
            .into()
    }
}

/// What stands in a link's address: which link, its first video, and 256 random bits. With both ids
/// in it, link and video are one read; the first tokens did not name the video.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct ShareToken {
    pub share: ShareId,
    pub asset: Option<AssetId>,
    secret: [u8; 32],
}

impl ShareToken {
    pub(super) fn new(share: ShareId, asset: AssetId, secret: [u8; 32]) -> Self {
        Self {
            share,
            asset: Some(asset),
            secret,
        }
    }

    /// What the table keeps of it.
    pub(super) fn digest(&self) -> Digested {
        Digested::of(&self.secret)
    }

    /// Whether this token opens the link.
    pub(super) fn opens(&self, link: &ShareLink) -> bool {
        link.digest.is_of(&self.secret)
    }

    /// The text that is shown once.
    pub(super) fn reveal(&self) -> String {
        let share = Ulid::from(self.share).to_bytes();
        let asset = self.asset.map(|it| Ulid::from(it).to_bytes());
        let asset = asset.as_ref().map_or(&[][..], |it| &it[..]);
        URL_SAFE_NO_PAD.encode([&share[..], asset, &self.secret[..]].concat())
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
        let (share, rest) = bytes.split_first_chunk::<16>().ok_or(ShareError::Unknown)?;
        let (asset, secret) = match rest.split_first_chunk::<16>() {
            Some((asset, secret)) if secret.len() == 32 => (Some(asset), secret),
            _ => (None, rest),
        };
        Ok(Self {
            share: Ulid::from_bytes(*share).into(),
            asset: asset.map(|it| Ulid::from_bytes(*it).into()),
            secret: secret.try_into().map_err(|_| ShareError::Unknown)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_token_is_read_as_it_was_written_and_shows_nothing() {
        let token = ShareToken::new(
            Ulid::from_bytes([1; 16]).into(),
            Ulid::from_bytes([2; 16]).into(),
            [7; 32],
        );
        let read = ShareToken::try_from(token.reveal()).unwrap();
        assert_eq!(read, token);
        assert!(token.digest().is_of(&[7; 32]));
        assert!(!token.digest().is_of(&[8; 32]));
        assert!(!format!("{token:?}").contains(&token.reveal()));
    }

    #[test]
    fn a_token_that_names_no_video_is_still_read() {
        let token = ShareToken {
            share: Ulid::from_bytes([1; 16]).into(),
            asset: None,
            secret: [7; 32],
        };
        assert_eq!(token.reveal().len(), 64);
        assert_eq!(ShareToken::try_from(token.reveal()).unwrap(), token);
    }

    proptest! {
        #[test]
        fn no_text_makes_the_token_parser_panic(text in ".*") {
            let _ = ShareToken::try_from(text);
        }
    }
}
