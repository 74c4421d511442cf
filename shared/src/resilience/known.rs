//! The breakers as this process knows them: the table's, read again after a second. Where the table does
//! not answer, the process goes on alone with what it knew.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    time::Duration as StdDuration,
};

use time::{Duration, OffsetDateTime};

use super::{
    Step, Vendor,
    attempts::HeldBack,
    breaker::{Admission, Breaker, Permit, Settings, Verdict},
};
use crate::{
    app::Parts,
    events::{Act, Event},
    limits::{self, LimitError, Rule},
    meter::Counter,
    metrics::{self, Metric},
    store::{ATTEMPTS, Guard, Later, Reads, StoreError, Write, keys},
    telemetry,
};

/// How long what was read counts.
const VIEW: Duration = Duration::seconds(1);

/// How long it counts for those who decide nothing.
const GLANCE: Duration = Duration::seconds(10);

/// How long a table that did not answer is not asked.
const ALONE: Duration = Duration::seconds(5);

/// How long the table has: a call waits for it.
const PATIENCE: StdDuration = StdDuration::from_millis(1_500);

/// How long somebody should wait who lost every race for a trial.
const LOST: Duration = Duration::seconds(2);

const SETTINGS: Settings = Settings::USUAL;

/// What this process knows.
#[derive(Default)]
pub struct Known([Mutex<View>; Vendor::ALL.len()]);

#[derive(Default)]
struct View {
    breaker: Breaker,
    read_at: Option<OffsetDateTime>,
    alone_until: Option<OffsetDateTime>,
    /// Retries that no table has counted.
    retries: VecDeque<OffsetDateTime>,
    tally: Tally,
}

/// What this process has done since it began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Calls that somebody wanted.
    pub calls: u64,
    /// Of those, the ones that were not made.
    pub held_back: u64,
    /// Tries that were made.
    pub attempts: u64,
    /// Of those, the ones after the first of a call.
    pub retries: u64,
    /// Of all tries, those that said that the vendor does not work.
    pub failures: u64,
}

impl Known {
    fn with<T>(&self, vendor: Vendor, work: impl FnOnce(&mut View) -> T) -> T {
        let view = &self.0[vendor as usize];
        work(&mut view.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes over what stands in the table.
    fn learn(&self, vendor: Vendor, now: OffsetDateTime, found: Option<Breaker>) -> Breaker {
        let breaker = found.unwrap_or_default();
        self.with(vendor, |view| {
            view.breaker = breaker.clone();
            view.read_at = Some(now);
            view.alone_until = None;
        });
        breaker
    }

    fn is_alone(&self, vendor: Vendor, now: OffsetDateTime) -> bool {
        self.with(vendor, |it| it.alone_until.is_some_and(|until| now < until))
    }

    fn go_alone(&self, vendor: Vendor, now: OffsetDateTime) {
        self.with(vendor, |it| it.alone_until = Some(now + ALONE));
    }
}

/// What this process has done about a vendor.
pub fn tally(app: &Parts, vendor: Vendor) -> Tally {
    app.known.with(vendor, |view| view.tally)
}

/// Counts what becomes of calls: for this process, and for all of them together.
pub(super) fn count(app: &Parts, vendor: Vendor, step: Step) {
    app.known.with(vendor, |view| {
        let tally = &mut view.tally;
        let count = match step {
            Step::Call => &mut tally.calls,
            Step::HeldBack => &mut tally.held_back,
            Step::Attempt => &mut tally.attempts,
            Step::Retry => &mut tally.retries,
            Step::Failure => &mut tally.failures,
        };
        *count += 1;
    });
    app.meter.add(Counter::of(vendor, step), 1);
}

/// Whether a call would be held back now: for those who would have to undo what they do before it.
pub async fn check(app: &Parts, vendor: Vendor) -> Result<(), HeldBack> {
    let breaker = read(app, vendor, false).await;
    match breaker.admit(&SETTINGS, app.clock.now()) {
        Admission::Pass(_) | Admission::Trial(..) => Ok(()),
        Admission::Refuse { wait } => Err(HeldBack::Open { wait }),
    }
}

/// A vendor's breaker as it is now, for those who only look.
pub async fn look(app: &Parts, vendor: Vendor) -> Breaker {
    read(app, vendor, false).await
}

/// The same, read together with other things.
pub fn look_among<'a>(app: &'a Parts, reads: &mut Reads, vendor: Vendor) -> Later<'a, Breaker> {
    let now = app.clock.now();
    if let Some(known) = recent(app, vendor, now) {
        return Later::ready(known);
    }
    let found = reads.get(keys::breaker(vendor.name()));
    found.map(move |it| app.known.learn(vendor, now, it))
}

/// The same as this process last knew it.
pub fn last_known(app: &Parts, vendor: Vendor) -> Breaker {
    app.known.with(vendor, |view| view.breaker.clone())
}

/// The same as it was a few seconds ago, for those who look often and decide nothing.
pub async fn glance(app: &Parts, vendor: Vendor) -> Breaker {
    let now = app.clock.now();
    let lately = |at: OffsetDateTime| (Duration::ZERO..GLANCE).contains(&(now - at));
    let known = app.known.with(vendor, |view| {
        view.read_at
            .is_some_and(lately)
            .then(|| view.breaker.clone())
    });
    match known {
        Some(breaker) => breaker,
        None => read(app, vendor, false).await,
    }
}

async fn read(app: &Parts, vendor: Vendor, afresh: bool) -> Breaker {
    let now = app.clock.now();
    if app.known.is_alone(vendor, now) {
        return last_known(app, vendor);
    }
    if let Some(known) = recent(app, vendor, now).filter(|_| !afresh) {
        return known;
    }
    let key = keys::breaker(vendor.name());
    let found = tokio::time::timeout(PATIENCE, app.store.get::<Breaker>(&key)).await;
    let error = match found {
        Ok(Ok(found)) => return app.known.learn(vendor, now, found),
        Ok(Err(error)) => telemetry::chain(&error),
        Err(_) => "the table did not answer in time".to_owned(),
    };
    tracing::warn!(
        vendor = vendor.name(),
        error,
        "the breaker could not be read: this process goes on alone"
    );
    app.known.go_alone(vendor, now);
    last_known(app, vendor)
}

/// A breaker that was read a moment ago, or that nobody can read.
fn recent(app: &Parts, vendor: Vendor, now: OffsetDateTime) -> Option<Breaker> {
    let recent = |at: OffsetDateTime| (Duration::ZERO..VIEW).contains(&(now - at));
    app.known.with(vendor, |view| {
        let alone = view.alone_until.is_some_and(|until| now < until);
        let known = alone || view.read_at.is_some_and(recent);
        known.then(|| view.breaker.clone())
    })
}

/// Puts a breaker into the place of another one. `false`: somebody else was faster.
async fn write(app: &Parts, vendor: Vendor, before: &Breaker, after: &Breaker) -> bool {
    let now = app.clock.now();
    if !app.known.is_alone(vendor, now) {
        match tokio::time::timeout(PATIENCE, store(app, vendor, before, after)).await {
            Ok(Ok(())) => {}
            Ok(Err(StoreError::Conflict { .. })) => return false,
            Ok(Err(error)) => {
                let error = telemetry::chain(&error);
                tracing::warn!(vendor = vendor.name(), error, "the breaker was not written");
                app.known.go_alone(vendor, now);
            }
            // It may be written or not: whoever reads sees.
            Err(_) => app.known.go_alone(vendor, now),
        }
    }
    app.known.with(vendor, |view| {
        view.breaker = after.clone();
        view.read_at = Some(now);
    });
    tell(vendor, before, after, now);
    true
}

/// With the event, where it opens or closes (S1-064).
async fn store(
    app: &Parts,
    vendor: Vendor,
    before: &Breaker,
    after: &Breaker,
) -> Result<(), StoreError> {
    let guard = match before.version {
        0 => Guard::Absent,
        version => Guard::Version(version),
    };
    let key = keys::breaker(vendor.name());
    let name = vendor.name().to_owned();
    let event = match (before.open_since(), after.open_since()) {
        (None, Some(_)) => Event::BreakerOpened { vendor: name },
        (Some(since), None) => {
            let seconds = (app.clock.now() - since).whole_seconds();
            let seconds = u64::try_from(seconds).unwrap_or_default();
            Event::BreakerClosed {
                vendor: name,
                seconds,
            }
        }
        _ => return app.store.put(&key, after, guard).await,
    };
    let act = Act::of_job("breaker", app.ids.mint());
    let operators = app.config.operators();
    let event = act.write_change(app, operators, event, Some(before), Some(after))?;
    let row = Write::put(key, after, guard)?;
    app.store.commit(vec![row, event]).await
}

fn tell(vendor: Vendor, before: &Breaker, after: &Breaker, now: OffsetDateTime) {
    let vendor = vendor.name();
    match (before.open_since(), after.open_since()) {
        (None, Some(_)) => {
            metrics::emit_of(now, Metric::BreakerOpened, 1, ("vendor", vendor));
            tracing::error!(alert = "breaker-open", vendor, "alert raised");
        }
        (Some(since), None) => {
            let seconds = u64::try_from((now - since).whole_seconds()).unwrap_or_default();
            metrics::emit_of(now, Metric::BreakerOpenFor, seconds, ("vendor", vendor));
            tracing::info!(cleared = "breaker-open", vendor, seconds, "alert cleared");
        }
        _ => {}
    }
}

/// Lets a call through, or says how long to wait.
pub(super) async fn admit(app: &Parts, vendor: Vendor) -> Result<Permit, HeldBack> {
    for attempt in 0..ATTEMPTS {
        let breaker = read(app, vendor, attempt > 0).await;
        match breaker.admit(&SETTINGS, app.clock.now()) {
            Admission::Pass(permit) => return Ok(permit),
            Admission::Refuse { wait } => return Err(HeldBack::Open { wait }),
            Admission::Trial(next, permit) => {
                if write(app, vendor, &breaker, &next).await {
                    return Ok(permit);
                }
            }
        }
    }
    Err(HeldBack::Open { wait: LOST })
}

/// Notes what a call says about its vendor. Where nothing is wrong, that costs nothing.
pub(super) async fn report(app: &Parts, vendor: Vendor, permit: Permit, verdict: Verdict) {
    for attempt in 0..ATTEMPTS {
        // The first look is at what is known: if that says that nothing changes, nothing is read.
        let breaker = read(app, vendor, attempt > 0).await;
        let next = breaker.report(&SETTINGS, permit, verdict, app.clock.now());
        let Some(next) = next else { return };
        let informed = attempt > 0 || app.known.is_alone(vendor, app.clock.now());
        if informed && write(app, vendor, &breaker, &next).await {
            return;
        }
    }
    tracing::warn!(vendor = vendor.name(), "what a call said was not noted");
}

/// Whether one more retry is within the budget of all instances together (S1-037); without the table,
/// within as much for this process.
pub(super) async fn may_retry(app: &Parts, vendor: Vendor) -> bool {
    let (rule, now) = (Rule::RetriesPerVendor, app.clock.now());
    if !app.known.is_alone(vendor, now) {
        match limits::take(app, rule, vendor.name(), None).await {
            Ok(_) => return true,
            Err(LimitError::Limited { .. }) => return false,
            Err(LimitError::Store(_)) => app.known.go_alone(vendor, now),
        }
    }
    let limit = app.config.limits.of(rule);
    app.known.with(vendor, |view| {
        let over = now - limit.window();
        while view.retries.front().is_some_and(|it| *it <= over) {
            view.retries.pop_front();
        }
        let room = view.retries.len() < limit.most.into();
        if room {
            view.retries.push_back(now);
        }
        room
    })
}
