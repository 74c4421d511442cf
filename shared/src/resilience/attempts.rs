//! One call and its repetitions: whether it may be made, how long it may take, and whether it is tried
//! again.

use std::{fmt, time::Duration as StdDuration};

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use time::{Duration, OffsetDateTime};

use super::{
    Step, Vendor,
    breaker::{Permit, Verdict},
    known,
};
use crate::{
    app::Parts,
    limits::{self, LimitError, Rule},
    metrics::{self, Metric},
    telemetry,
};

/// How often a call is tried again (S1-033).
const RETRIES: usize = 3;

/// The first pause; each is twice as long as the one before (S1-034).
const PAUSE_MIN: StdDuration = StdDuration::from_secs(1);

/// The longest pause (S1-035).
const PAUSE_MAX: StdDuration = StdDuration::from_secs(30);

/// A pause is up to so many hundredths longer, so that not everybody comes back at once (S1-036).
const JITTER: u32 = 10;

/// What is called, for whom, and until when.
pub struct Call {
    pub vendor: Vendor,
    /// What is asked, as the log names it (S1-039).
    pub operation: &'static str,
    /// What it is about: an id, never a name or an address.
    pub entity: String,
    /// When whoever waits has waited enough.
    pub deadline: OffsetDateTime,
    /// How long one try may take.
    pub longest: Duration,
    pub repeat: Repeat,
    /// How long it may wait for its place, if its vendor takes only so many of its kind.
    pub pace: Option<Duration>,
}

/// What the same call does a second time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// Nothing that the first did not.
    Harmless,
    /// The same once more: it is only repeated if nothing was done.
    Doubles,
}

/// Whether trying again can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// It cannot.
    Never,
    /// It can, and nothing was done.
    Undone,
    /// It can, but the first try may have done it.
    Uncertain,
}

/// How a call can fail: classified by each client, once.
pub trait Failure: std::error::Error + 'static {
    fn verdict(&self) -> Verdict;
    fn again(&self) -> Again;
}

/// Why a call was not made. Nothing was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeldBack {
    /// Its vendor failed too often; it will be asked again when this is over.
    Open { wait: Duration },
    /// Others wait already for their places.
    Crowded { wait: Duration },
    /// Whoever waits has waited enough.
    Late,
}

impl HeldBack {
    /// How long to wait before the same makes sense.
    pub const fn wait(self) -> Duration {
        match self {
            Self::Open { wait } | Self::Crowded { wait } => wait,
            Self::Late => Duration::SECOND,
        }
    }
}

impl fmt::Display for HeldBack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open { .. } => "it has failed too often",
            Self::Crowded { .. } => "too many calls wait already",
            Self::Late => "there is no time left",
        })
    }
}

/// One try.
pub struct Turn {
    permit: Permit,
    began: OffsetDateTime,
    /// How long it may take.
    pub limit: StdDuration,
}

/// A call and its repetitions.
pub struct Attempts<'a> {
    app: &'a Parts,
    call: Call,
    made: u32,
    pauses: ExponentialBackoff,
}

impl<'a> Attempts<'a> {
    pub fn new(app: &'a Parts, call: Call) -> Self {
        let pauses = ExponentialBuilder::default()
            .with_factor(2.0)
            .with_min_delay(PAUSE_MIN)
            .with_max_delay(PAUSE_MAX)
            .with_max_times(RETRIES);
        Self {
            app,
            call,
            made: 0,
            pauses: pauses.build(),
        }
    }

    /// The first try, if one may be made.
    pub async fn begin(&mut self) -> Result<Turn, HeldBack> {
        known::count(self.app, self.call.vendor, Step::Call);
        self.turn().await.inspect_err(|held| {
            known::count(self.app, self.call.vendor, Step::HeldBack);
            self.measure(Metric::CallsHeldBack);
            let Call {
                vendor,
                operation,
                entity,
                ..
            } = &self.call;
            let (vendor, reason) = (vendor.name(), held.to_string());
            tracing::info!(vendor, operation, entity, reason, "call not made");
        })
    }

    async fn turn(&mut self) -> Result<Turn, HeldBack> {
        let (app, vendor) = (self.app, self.call.vendor);
        if self.call.deadline <= app.clock.now() {
            return Err(HeldBack::Late);
        }
        let permit = known::admit(app, vendor).await?;
        if let Some(patience) = self.call.pace
            && let Err(held) = place(app, vendor, patience).await
        {
            known::report(app, vendor, permit, Verdict::Neither).await;
            return Err(held);
        }
        self.made += 1;
        known::count(app, vendor, Step::Attempt);
        if self.made > 1 {
            known::count(app, vendor, Step::Retry);
            self.measure(Metric::CallsRetried);
        }
        let began = app.clock.now();
        let left = (self.call.deadline - began).max(Duration::SECOND);
        Ok(Turn {
            permit,
            began,
            limit: self.call.longest.min(left).unsigned_abs(),
        })
    }

    /// A try that succeeded.
    pub async fn succeeded(self, turn: Turn) {
        self.log(&turn, None);
        known::report(self.app, self.call.vendor, turn.permit, Verdict::Well).await;
    }

    /// A try that did not; the next one, if there is one.
    pub async fn failed(&mut self, turn: Turn, error: &impl Failure) -> Option<Turn> {
        self.log(&turn, Some((telemetry::chain(error), error.verdict())));
        let (app, vendor) = (self.app, self.call.vendor);
        if error.verdict() == Verdict::Ailing {
            known::count(app, vendor, Step::Failure);
            self.measure(Metric::CallsFailed);
        }
        known::report(app, vendor, turn.permit, error.verdict()).await;
        let again = match (error.again(), self.call.repeat) {
            (Again::Undone, _) | (Again::Uncertain, Repeat::Harmless) => true,
            (Again::Never, _) | (Again::Uncertain, Repeat::Doubles) => false,
        };
        let pause = self.pauses.next().filter(|_| again)?;
        let pause = pause + pause * JITTER / 100 * app.ids.jitter().into() / 255;
        let pause = Duration::try_from(pause).ok()?;
        // What cannot end in time is not begun.
        if app.clock.now() + pause + self.call.longest > self.call.deadline {
            return None;
        }
        if !known::may_retry(app, vendor).await {
            return None;
        }
        app.clock.pause(pause).await;
        self.turn().await.ok()
    }

    fn measure(&self, metric: Metric) {
        let vendor = ("vendor", self.call.vendor.name());
        metrics::emit_of(self.app.clock.now(), metric, 1, vendor);
    }

    fn log(&self, turn: &Turn, error: Option<(String, Verdict)>) {
        let Call {
            vendor,
            operation,
            entity,
            ..
        } = &self.call;
        let (vendor, attempt) = (vendor.name(), self.made);
        let trial = turn.permit.trial.is_some();
        let duration_ms = (self.app.clock.now() - turn.began).whole_milliseconds();
        let duration_ms = u64::try_from(duration_ms).unwrap_or_default();
        match error {
            None => tracing::info!(
                vendor,
                operation,
                entity,
                attempt,
                trial,
                duration_ms,
                "call answered"
            ),
            Some((error, Verdict::Ailing)) => tracing::warn!(
                vendor,
                operation,
                entity,
                attempt,
                trial,
                duration_ms,
                error,
                "call failed"
            ),
            Some((error, Verdict::Well | Verdict::Neither)) => tracing::info!(
                vendor,
                operation,
                entity,
                attempt,
                trial,
                duration_ms,
                error,
                "call refused"
            ),
        }
    }
}

/// Waits for a place among the calls that a vendor takes, but not for long.
async fn place(app: &Parts, vendor: Vendor, patience: Duration) -> Result<(), HeldBack> {
    let until = app.clock.now() + patience;
    loop {
        match limits::take(app, Rule::MuxPosts, vendor.name(), None).await {
            // Without the table nobody knows of anybody else, and the vendor says when it is too much.
            Ok(_) | Err(LimitError::Store(_)) => return Ok(()),
            Err(LimitError::Limited { retry_after, .. }) => {
                if app.clock.now() + retry_after > until {
                    return Err(HeldBack::Crowded { wait: retry_after });
                }
                app.clock.pause(retry_after).await;
            }
        }
    }
}
