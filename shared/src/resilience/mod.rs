//! Steady under trouble: every call that leaves the portal goes through here. A breaker that all
//! instances share, retries within one budget, and a pace; and no retry that cannot end in time.

use serde::{Deserialize, Serialize};

mod attempts;
mod breaker;
#[cfg(test)]
mod checked;
mod known;

pub use self::{
    attempts::{Again, Attempts, Call, Failure, HeldBack, Repeat, Turn},
    breaker::{Admission, Breaker, Lease, Permit, Settings, State, Verdict},
    known::{Known, Tally, check, glance, last_known, look, look_among, tally},
};

/// What is counted of calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Somebody wanted a call.
    Call,
    /// It was not made.
    HeldBack,
    /// A try was made.
    Attempt,
    /// It was not the first one of its call.
    Retry,
    /// It said that the vendor does not work.
    Failure,
}

impl Step {
    pub const ALL: [Self; 5] = [
        Self::Call,
        Self::HeldBack,
        Self::Attempt,
        Self::Retry,
        Self::Failure,
    ];
}

/// Whom the portal calls. A name is in stored keys and in the log: it never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Vendor {
    Mux,
    Mail,
}

impl Vendor {
    pub const ALL: [Self; 2] = [Self::Mux, Self::Mail];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Mux => "mux",
            Self::Mail => "mail",
        }
    }
}
