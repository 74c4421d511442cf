//! What a dead letter is.

use std::{collections::BTreeMap, fmt};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};
use ulid::Ulid;

use crate::{
    ids::{DeadLetterId, RequestId, UserId},
    traces::Context,
};

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
    /// The span of that request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<Context>,
    /// Those of [`HEADERS`] that it came with.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    pub body: RawBody,
}

/// The headers of a webhook that matter afterwards: the signature proves, with the body, that Mux
/// sent it; the others say which version of Mux did.
pub const HEADERS: [&str; 3] = ["content-type", "mux-signature", "user-agent"];

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
    /// It was tried until its time or its tries were used up.
    TimesUp,
    /// What was in the queue was not put there by us.
    NotALetter,
    /// The parts of a large body are no longer there.
    BodyLost,
}

/// What can be expected of trying again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// It may succeed by itself, later.
    Retryable,
    /// It will not, until somebody changes something.
    Permanent,
    /// It is nothing that could be dealt with at all.
    Poison,
}

impl Reason {
    pub const fn class(self) -> Class {
        match self {
            Self::StoreUnavailable | Self::TimesUp => Class::Retryable,
            Self::StoreRefused => Class::Permanent,
            Self::NotAnEvent | Self::NotALetter | Self::BodyLost => Class::Poison,
        }
    }
}

/// A dead letter that was tried in vain, as operators find it. While it waits, its letter is in the
/// queue as well; a parked one is here only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Case {
    pub id: DeadLetterId,
    pub state: State,
    /// Why it could not be dealt with, the last time.
    pub reason: Reason,
    pub class: Class,
    #[serde(with = "time::serde::rfc3339")]
    pub first_seen: OffsetDateTime,
    /// How often it was tried.
    pub tries: u32,
    /// The tries that could be noted, oldest first. A table that is away notes nothing.
    pub history: Vec<Attempt>,
    /// Whether somebody has been told that it is stuck.
    pub alerted: bool,
    /// The message as it was.
    pub letter: RawBody,
    /// Grows with every write; the guard of the next one.
    pub version: u64,
}

/// What is to become of a dead letter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum State {
    /// It is tried again by itself, not before this time.
    Waiting {
        #[serde(with = "time::serde::rfc3339")]
        until: OffsetDateTime,
    },
    /// It is tried no more, until an operator says so.
    Parked {
        #[serde(with = "time::serde::rfc3339")]
        at: OffsetDateTime,
    },
    /// An operator decided that nothing is to be done. It can still be looked at, and replayed.
    Discarded {
        #[serde(with = "time::serde::rfc3339")]
        at: OffsetDateTime,
        by: UserId,
        reason: Note,
    },
}

/// One try.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// The causes, as the log has them.
    pub error: String,
}

/// Attempts that are kept. Twelve are made by themselves; the rest is for operators.
const HISTORY: usize = 40;

/// How much of an error is kept, in characters.
const ERROR_MAX: usize = 500;

impl Case {
    /// The case after one more try in vain.
    #[must_use]
    pub(super) fn tried(mut self, at: OffsetDateTime, error: &str) -> Self {
        let error = error.chars().take(ERROR_MAX).collect();
        self.history.push(Attempt { at, error });
        let over = self.history.len().saturating_sub(HISTORY);
        self.history.drain(..over);
        self
    }
}

/// Why an operator does something, in words for the audit: 1 to 200 characters on one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Note(String);

const NOTE_MAX: usize = 200;

impl Note {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The text says nothing, or too much.
#[derive(Debug, thiserror::Error)]
#[error("reason must have 1 to 200 characters on one line")]
pub struct NotANote;

impl TryFrom<String> for Note {
    type Error = NotANote;

    fn try_from(text: String) -> Result<Self, NotANote> {
        let text = text.trim();
        if (1..=NOTE_MAX).contains(&text.chars().count()) && !text.chars().any(char::is_control) {
            return Ok(Self(text.to_owned()));
        }
        Err(NotANote)
    }
}

impl From<Note> for String {
    fn from(note: Note) -> Self {
        note.0
    }
}

/// How long to wait before a letter is tried again: 30 s after the first try, twice as long after each
/// further one, 15 minutes at the most (S0-122), give or take a tenth, so that what failed together
/// does not come back together. The letter's own id says how much: the same letter, the same wait.
pub(super) fn backoff(id: DeadLetterId, tries: u32) -> Duration {
    let doubled = FIRST_WAIT * 2_i32.saturating_pow(tries.saturating_sub(1).min(16));
    let wait = doubled.min(LONGEST_WAIT);
    let spread = i32::try_from(u128::from(Ulid::from(id)) % 201).unwrap_or(100) - 100;
    wait + wait * spread / 1000
}

const FIRST_WAIT: Duration = Duration::seconds(30);
const LONGEST_WAIT: Duration = Duration::minutes(15);

/// A body as it came, byte for byte. It may hold a capability, so `Debug` shows only its size.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RawBody {
    Text(String),
    Base64(String),
    /// Too large to stand here: beside the item that it belongs to, in so many parts.
    Parts {
        count: u32,
        digest: String,
    },
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

impl RawBody {
    /// The bytes as they came, if they stand here and were written by [`Self::new`].
    pub fn bytes(&self) -> Option<Vec<u8>> {
        match self {
            Self::Text(text) => Some(text.clone().into_bytes()),
            Self::Base64(text) => STANDARD.decode(text).ok(),
            Self::Parts { .. } => None,
        }
    }
}

impl fmt::Debug for RawBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) | Self::Base64(text) => {
                write!(f, "RawBody({} characters)", text.len())
            }
            Self::Parts { count, .. } => write!(f, "RawBody({count} parts)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_from_half_a_minute_to_a_quarter_of_an_hour() {
        let id = Ulid::from_bytes(100_u128.to_be_bytes()).into(); // neither more nor less
        let waits: Vec<i64> = (1..=8).map(|it| backoff(id, it).whole_seconds()).collect();
        assert_eq!(waits, [30, 60, 120, 240, 480, 900, 900, 900]);
        assert_eq!(backoff(id, u32::MAX), LONGEST_WAIT);
    }

    #[test]
    fn what_failed_together_does_not_come_back_together() {
        let waits = (0..=200).map(|it| backoff(Ulid::from_bytes(u128::to_be_bytes(it)).into(), 6));
        let waits: std::collections::BTreeSet<Duration> = waits.collect();
        assert_eq!(waits.len(), 201);
        assert_eq!(waits.first(), Some(&Duration::seconds(810)));
        assert_eq!(waits.last(), Some(&Duration::seconds(990)));
    }
}
