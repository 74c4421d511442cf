//! What became of webhooks, counted by the hour: for rates, not for proof. A process counts a few
//! webhooks by itself before it writes, so that counting costs no round trip for most of them; what
//! it has not written when it ends is missing.

use std::{sync::Mutex, time::Duration as StdDuration};

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::{Outcome, WebhookError};
use crate::{
    app::Parts,
    metrics::{self, Metric},
    slo::{self, Objective},
    store::{Later, Reads, keys},
    telemetry,
};

/// So many webhooks are counted before it is written.
const EVERY: u64 = 20;

/// What is out of the ordinary is written at once, but not more often than this: somebody who sends
/// nonsense must not make us write. Much of it is not kept waiting so long.
const UNUSUAL: Duration = Duration::seconds(10);
const MUCH: u64 = 10;

/// The time between two writes of one process, at the least.
const BREATH: Duration = Duration::seconds(1);

/// How long the table has for counters: an answer waits for it.
const WRITE: StdDuration = StdDuration::from_millis(300);

/// How long an hour's numbers are kept.
const LIFE: Duration = Duration::days(30);

/// Webhooks of a time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tally {
    /// Dealt with when they came.
    pub taken: u64,
    /// Signed, and not dealt with when they came: queued, or sent back to Mux.
    pub failed: u64,
    /// Without proof of their sender.
    pub spoofed: u64,
    /// Of those that were taken: about nothing of ours.
    pub unmatched: u64,
}

impl std::ops::Add for Tally {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            taken: self.taken + other.taken,
            failed: self.failed + other.failed,
            spoofed: self.spoofed + other.spoofed,
            unmatched: self.unmatched + other.unmatched,
        }
    }
}

/// What this process has counted and not written yet.
#[derive(Default)]
pub struct Counting(Mutex<Pending>);

#[derive(Default, Clone, Copy)]
struct Pending {
    tally: Tally,
    /// When it was last written.
    written: Option<OffsetDateTime>,
}

impl Pending {
    fn is_due(&self, now: OffsetDateTime) -> bool {
        let unusual = self.tally.failed + self.tally.spoofed + self.tally.unmatched;
        let rested = |pause| self.written.is_none_or(|it| now - it >= pause);
        let many = self.tally.taken + self.tally.failed >= EVERY || unusual >= MUCH;
        (many && rested(BREATH)) || (unusual > 0 && rested(UNUSUAL))
    }
}

impl Counting {
    fn with<T>(&self, work: impl FnOnce(&mut Pending) -> T) -> T {
        let mut pending = self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        work(&mut pending)
    }
}

/// Counts what became of a webhook. After a failure nothing is written: the table has just shown what
/// it does with that.
pub(super) async fn count(app: &Parts, outcome: &Result<Outcome, WebhookError>) {
    let now = app.clock.now();
    let failed = matches!(
        outcome,
        Ok(Outcome::Queued)
            | Err(WebhookError::Store(_)
                | WebhookError::Late
                | WebhookError::Queue(_)
                | WebhookError::QueueLate)
    );
    let spoofed = matches!(outcome, Err(WebhookError::Spoofed(_)));
    measure(now, outcome, spoofed);
    if !spoofed {
        slo::count(app, Objective::Webhooks, !failed);
    }
    let one = Tally {
        taken: u64::from(!failed && !spoofed),
        failed: u64::from(failed),
        spoofed: u64::from(spoofed),
        unmatched: u64::from(matches!(outcome, Ok(Outcome::Unmatched))),
    };
    let due = app.counting.with(|pending| {
        pending.tally = pending.tally + one;
        if failed || !pending.is_due(now) {
            return None;
        }
        pending.written = Some(now);
        Some(std::mem::take(&mut pending.tally))
    });
    let Some(tally) = due else { return };
    let counters = [
        ("taken", tally.taken),
        ("failed", tally.failed),
        ("spoofed", tally.spoofed),
        ("unmatched", tally.unmatched),
    ];
    let key = keys::tally(hour(now)).expiring(now + LIFE);
    match tokio::time::timeout(WRITE, app.store.add(&key, &counters)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::warn!(error = telemetry::chain(&error), "webhooks not counted yet");
            app.counting
                .with(|pending| pending.tally = pending.tally + tally);
        }
        // Most likely it is written all the same; what is not is missing.
        Err(_) => tracing::warn!("the table did not say in time whether it counted webhooks"),
    }
}

/// The same, one by one, for whoever reads the log: nothing of it is missing.
fn measure(now: OffsetDateTime, outcome: &Result<Outcome, WebhookError>, spoofed: bool) {
    if spoofed {
        return metrics::emit(now, Metric::WebhooksRefused, 1);
    }
    metrics::emit(now, Metric::WebhooksReceived, 1);
    match outcome {
        Ok(Outcome::Duplicate) => metrics::emit(now, Metric::WebhooksDuplicate, 1),
        Ok(Outcome::Queued) | Err(WebhookError::NotAnEvent(_)) => {
            metrics::emit(now, Metric::WebhooksQueued, 1);
        }
        Ok(Outcome::Applied | Outcome::Ignored | Outcome::Unmatched) => {}
        Err(_) => metrics::emit(now, Metric::WebhooksFailed, 1),
    }
}

/// The webhooks of this hour and the last one.
pub(crate) fn tally_of_late<'a>(now: OffsetDateTime, reads: &mut Reads) -> Later<'a, Tally> {
    let mut of = |hour| {
        reads
            .get(keys::tally(hour))
            .map(Option::<Tally>::unwrap_or_default)
    };
    let (this, last) = (of(hour(now)), of(hour(now) - 1));
    this.and(last).map(|(this, last)| this + last)
}

/// Hours since the epoch.
fn hour(at: OffsetDateTime) -> i64 {
    at.unix_timestamp().div_euclid(3600)
}
