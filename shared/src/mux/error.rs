//! How a call of Mux's API can fail. Every failure says whether the call may have had an effect: Mux
//! knows no idempotency key, so a lost answer is not the same as a refusal.

use reqwest::StatusCode;
use serde::Deserialize;

use crate::{
    limits::seconds,
    resilience::{Again, Failure, HeldBack, Verdict},
};

/// How long to wait after an answer that does not say: Mux allows about one POST per second
/// (mux.com/docs/core/make-api-requests).
const PAUSE: u32 = 2;

/// A failed call.
#[derive(Debug, thiserror::Error)]
pub enum MuxError {
    /// 429: nothing was done. Mux says no time to come back (about one POST per second is allowed).
    #[error("mux is limiting us")]
    Limited,
    /// No connection was made: nothing was done.
    #[error("mux cannot be reached")]
    Unreachable(#[source] reqwest::Error),
    /// We did not ask: nothing was done.
    #[error("mux is not asked: {0}")]
    HeldBack(HeldBack),
    /// 4xx: nothing was done, and trying again does not help.
    #[error("mux refused with status {status} ({kind}): {messages}")]
    Refused {
        status: u16,
        kind: String,
        messages: String,
    },
    /// 5xx, a timeout, a broken connection: it may have been done.
    #[error("mux did not answer, or failed ({0})")]
    Uncertain(&'static str, #[source] Option<reqwest::Error>),
    /// It was done, and the answer is not what it should be.
    #[error("mux answered with something else than its documentation says")]
    Malformed,
}

impl MuxError {
    /// Whether the call surely had no effect.
    pub fn had_no_effect(&self) -> bool {
        matches!(
            self,
            Self::Limited | Self::Unreachable(_) | Self::HeldBack(_) | Self::Refused { .. }
        )
    }

    /// Whether Mux has too much to do, or is not asked now: the next call would fare no better.
    pub fn is_limit(&self) -> bool {
        matches!(self, Self::Limited | Self::HeldBack(_))
    }

    /// In how many seconds the same makes sense.
    pub fn retry_after(&self) -> u32 {
        match self {
            Self::HeldBack(held) => seconds(held.wait()),
            Self::Limited
            | Self::Unreachable(_)
            | Self::Refused { .. }
            | Self::Uncertain(..)
            | Self::Malformed => PAUSE,
        }
    }

    pub(super) fn refused_with(&self, expected: u16) -> bool {
        matches!(self, Self::Refused { status, .. } if *status == expected)
    }
}

/// The one place that says what a failure of Mux means for the next call (S1-038).
impl Failure for MuxError {
    fn verdict(&self) -> Verdict {
        match self {
            // It did what it is there for: it looked at what it was asked.
            Self::Refused { .. } => Verdict::Well,
            // It works, and has enough to do.
            Self::Limited | Self::HeldBack(_) => Verdict::Neither,
            Self::Unreachable(_) | Self::Uncertain(..) | Self::Malformed => Verdict::Ailing,
        }
    }

    fn again(&self) -> Again {
        match self {
            Self::Limited | Self::Unreachable(_) => Again::Undone,
            Self::Uncertain(..) => Again::Uncertain,
            Self::Refused { .. } | Self::HeldBack(_) | Self::Malformed => Again::Never,
        }
    }
}

impl From<HeldBack> for MuxError {
    fn from(held: HeldBack) -> Self {
        Self::HeldBack(held)
    }
}

/// A URL may be a capability, so it never goes along into the log.
pub(super) fn of_transport(error: reqwest::Error) -> MuxError {
    let error = error.without_url();
    if error.is_connect() {
        return MuxError::Unreachable(error);
    }
    MuxError::Uncertain("transport", Some(error))
}

pub(super) fn of_status(status: StatusCode, body: &[u8]) -> MuxError {
    match status {
        StatusCode::TOO_MANY_REQUESTS => MuxError::Limited,
        StatusCode::REQUEST_TIMEOUT => MuxError::Uncertain("408", None),
        status if status.is_client_error() => {
            let wire: Refusal = serde_json::from_slice(body).unwrap_or_default();
            MuxError::Refused {
                status: status.as_u16(),
                kind: shortened(wire.error.r#type),
                messages: shortened(wire.error.messages.join(" ")),
            }
        }
        _ => MuxError::Uncertain("5xx", None),
    }
}

/// What Mux says goes into the log, but not at any length.
fn shortened(text: String) -> String {
    match text.char_indices().nth(300) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// `{"error":{"type":"…","messages":["…"]}}`; anything else is read as empty.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Refusal {
    error: RefusalBody,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct RefusalBody {
    r#type: String,
    messages: Vec<String>,
}
