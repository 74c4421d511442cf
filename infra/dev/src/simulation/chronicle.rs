//! What happened in a history: lines for whoever reads it, numbers for the table at the end, and the
//! first invariant that did not hold.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use shared::clock::{Clock, ManualClock};
use time::OffsetDateTime;

/// An invariant that did not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breach {
    pub invariant: &'static str,
    /// What was found instead.
    pub found: String,
}

/// How often what happened, by name.
pub type Counts = BTreeMap<&'static str, u64>;

/// One history's record.
pub(super) struct Chronicle {
    clock: Arc<ManualClock>,
    start: OffsetDateTime,
    /// Nobody reads the lines of ten thousand histories, and they cost more than the rest.
    traced: bool,
    pages: Mutex<Pages>,
}

#[derive(Default)]
struct Pages {
    lines: Vec<String>,
    counts: Counts,
    breach: Option<Breach>,
}

impl Chronicle {
    pub(super) fn new(clock: Arc<ManualClock>, traced: bool) -> Self {
        Self {
            start: clock.now(),
            clock,
            traced,
            pages: Mutex::default(),
        }
    }

    /// Since the history began, in virtual seconds.
    pub(super) fn seconds(&self) -> f64 {
        (self.clock.now() - self.start).as_seconds_f64()
    }

    pub(super) fn tell(&self, line: impl FnOnce() -> String) {
        if self.traced {
            let line = format!("{:>12.3}  {}", self.seconds(), line());
            self.pages().lines.push(line);
        }
    }

    pub(super) fn count(&self, what: &'static str) {
        self.add(what, 1);
    }

    pub(super) fn add(&self, what: &'static str, number: u64) {
        *self.pages().counts.entry(what).or_default() += number;
    }

    /// Only the first breach is kept: the others follow from it.
    pub(super) fn broke(&self, invariant: &'static str, found: impl Into<String>) {
        let found = found.into();
        self.tell(|| format!("BROKEN  {invariant}: {found}"));
        let mut pages = self.pages();
        if pages.breach.is_none() {
            pages.breach = Some(Breach { invariant, found });
        }
    }

    pub(super) fn breach(&self) -> Option<Breach> {
        self.pages().breach.clone()
    }

    pub(super) fn is_whole(&self) -> bool {
        self.pages().breach.is_none()
    }

    pub(super) fn read(&self) -> (Vec<String>, Counts) {
        let pages = self.pages();
        (pages.lines.clone(), pages.counts.clone())
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
