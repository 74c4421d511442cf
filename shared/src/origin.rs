//! Web origins: which pages may call.

use std::str::FromStr;

use url::Url;

/// A web origin: scheme, host and port, spelled as a browser spells it (RFC 6454, section 6.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(String);

impl Origin {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Origin {
    type Err = NotAnOrigin;

    fn from_str(text: &str) -> Result<Self, NotAnOrigin> {
        let url: Url = text.parse().map_err(|_| NotAnOrigin)?;
        let web = matches!(url.scheme(), "http" | "https");
        if web && url.origin().ascii_serialization() == text {
            return Ok(Self(text.to_owned()));
        }
        Err(NotAnOrigin)
    }
}

/// The text is not an origin: it has a path, or a spelling that no browser sends.
#[derive(Debug, thiserror::Error)]
#[error("not an origin")]
pub struct NotAnOrigin;
