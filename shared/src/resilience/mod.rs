//! Steady under trouble: every call that leaves the portal goes through here. A breaker that all
//! instances share, retries within one budget, and a pace; and no retry that cannot end in time.

mod attempts;
mod breaker;
#[cfg(test)]
mod checked;
mod known;

pub use self::{
    attempts::{Again, Attempts, Call, Failure, HeldBack, Repeat, Turn},
    breaker::{Admission, Breaker, Lease, Permit, Settings, State, Verdict},
    known::{Known, Tally, check, glance, look, tally},
};

/// Whom the portal calls. A name is in stored keys and in the log: it never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
