//! What a dead letter is.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::ids::{DeadLetterId, RequestId};

/// One event with everything that is needed to deal with it later.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetter {
    pub id: DeadLetterId,
    pub reason: Reason,
    #[serde(with = "time::serde::rfc3339")]
    pub received_at: OffsetDateTime,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestId>,
    pub body: RawBody,
}

/// Why it could not be dealt with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The table did not answer in time, or another writer was always faster.
    StoreUnavailable,
    /// The table refused, or holds something that does not decode.
    StoreRefused,
    /// Signed by Mux, and no event.
    NotAnEvent,
}

/// A body as it came, byte for byte. It may hold a capability, so `Debug` shows only its size.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RawBody {
    Text(String),
    Base64(String),
}

impl RawBody {
    pub fn new(bytes: &[u8]) -> Self {
        // What SQS takes as text (its `SendMessage` reference names these two as not allowed).
        let sendable = |text: &&str| !text.contains(['\u{fffe}', '\u{ffff}']);
        match std::str::from_utf8(bytes).ok().filter(sendable) {
            Some(text) => Self::Text(text.to_owned()),
            None => Self::Base64(STANDARD.encode(bytes)),
        }
    }
}

impl fmt::Debug for RawBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Text(text) | Self::Base64(text)) = self;
        write!(f, "RawBody({} characters)", text.len())
    }
}
