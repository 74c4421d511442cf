//! What a process has counted, and how it gets into the table: once a minute at the most, and so that
//! a write whose answer was lost counts once.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration as StdDuration,
};

use axum::{extract::Request, middleware::Next, response::Response};
use time::{Duration, OffsetDateTime};

use super::{
    model::{Counter, Record, minute},
    platform::{self, Functions},
    played::{APART, Played, Watched},
};
use crate::{
    app::{App, Parts},
    clock::Clock,
    ids::RecordId,
    store::{Guard, StoreError, Write, keys},
    telemetry,
    traces::AfterAnswer,
};

/// The time between two writes of one process, at the least.
const EVERY: Duration = Duration::seconds(60);

/// At which times of the clock, in milliseconds, is written what only the portal itself used: every ten
/// minutes. All instances at once, so that it is folded at once.
const TOGETHER: i64 = 10 * 60 * 1_000;

/// How long the table has: an answer waits for it.
const WRITE: StdDuration = StdDuration::from_millis(300);

/// How long a record is kept after it was written. It is folded within minutes; this is how long the job
/// may sleep.
const LIFE: Duration = Duration::days(7);

/// Minutes that are kept for a table that takes nothing. So a record never touches more than five hours
/// and two days, and stays far below what an item may be (400 KB).
const KEPT: i64 = 4 * 60;

/// Counts what happens in this process.
pub struct Meter {
    clock: Arc<dyn Clock>,
    pending: Mutex<Pending>,
    functions: Functions,
    /// From which time on something is to be written, in milliseconds since the epoch: all that a
    /// request looks at, mostly.
    due: AtomicI64,
}

#[derive(Default)]
struct Pending {
    counted: BTreeMap<i64, BTreeMap<Counter, u64>>,
    played: BTreeMap<Played, u64>,
    /// What was sent, as long as no answer says that it is written.
    unsure: Option<Record>,
    /// When something was last sent.
    sent: Option<OffsetDateTime>,
}

/// What is to be written now.
struct Cut {
    record: Record,
    /// Another place for it, if it was sent before.
    again: Option<RecordId>,
}

impl Meter {
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            pending: Mutex::default(),
            functions: Functions::default(),
            due: AtomicI64::new(0),
        }
    }

    /// Counts something that happened this often, in the minute that it is now. Makes no call.
    pub fn add(&self, counter: Counter, by: u64) {
        let minute = minute(self.clock.now());
        self.with(|pending| pending.count(minute, counter, by));
    }

    /// Counts a call of a function that took so long: a request, or the run of a job that none woke. Two
    /// atomics, and no call.
    pub fn worked(&self, took: Duration) {
        self.functions.worked(took);
    }

    /// Counts what somebody played. Makes no call.
    pub fn play(&self, played: Played, seconds: u64) {
        self.with(|pending| {
            let apart = pending.played.len() < APART || pending.played.contains_key(&played);
            if apart && seconds > 0 {
                let sum = pending.played.entry(played).or_default();
                *sum = sum.saturating_add(seconds);
            }
        });
    }

    fn with<T>(&self, work: impl FnOnce(&mut Pending) -> T) -> T {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let done = work(&mut pending);
        // Under the lock, so that nothing that is to be written goes without its time.
        self.due.store(pending.due(), Ordering::Relaxed);
        done
    }

    fn is_due(&self, now: OffsetDateTime) -> bool {
        self.due.load(Ordering::Relaxed) <= millis(now)
    }

    /// What to write, together with what is counted elsewhere (`take`), if somebody else does not write just
    /// now. It stays here until [`Self::settle`] is told that it is written: whoever writes may be dropped on
    /// the way.
    fn cut<const N: usize>(
        &self,
        now: OffsetDateTime,
        mint: impl Fn() -> RecordId,
        take: impl FnOnce() -> [(Counter, u64); N],
    ) -> Option<Cut> {
        self.with(|pending| {
            if pending.due() > millis(now) {
                return None;
            }
            for (counter, by) in take().into_iter().filter(|(_, by)| *by > 0) {
                pending.count(minute(now), counter, by);
            }
            if let Some(record) = pending.unsure.clone() {
                let again = Some(mint());
                pending.sent = Some(now);
                return Some(Cut { record, again });
            }
            let counted = std::mem::take(&mut pending.counted);
            // A process may have been frozen for days: what it counted before is nobody's news.
            let recent = counted
                .into_iter()
                .filter(|(it, _)| *it > minute(now) - KEPT);
            let named = |counts: BTreeMap<Counter, u64>| {
                let counts = counts.into_iter();
                counts.map(|(it, by)| (it.name().to_owned(), by)).collect()
            };
            let counted: BTreeMap<i64, _> = recent.map(|(it, by)| (it, named(by))).collect();
            let played = std::mem::take(&mut pending.played).into_iter();
            let since = (now - Duration::minutes(KEPT)).date();
            let watched = played.filter(|(it, _)| it.day >= since);
            let watched: Vec<Watched> = watched
                .map(|(played, seconds)| Watched { played, seconds })
                .collect();
            if counted.is_empty() && watched.is_empty() {
                return None;
            }
            let record = Record {
                id: mint(),
                counted,
                watched,
            };
            pending.sent = Some(now);
            pending.unsure = Some(record.clone());
            Some(Cut {
                record,
                again: None,
            })
        })
    }

    /// This record is written.
    fn settle(&self, id: RecordId) {
        self.with(|pending| {
            if pending.unsure.as_ref().is_some_and(|it| it.id == id) {
                pending.unsure = None;
            }
        });
    }
}

impl Pending {
    fn count(&mut self, minute: i64, counter: Counter, by: u64) {
        let counts = self.counted.entry(minute).or_default();
        let count = counts.entry(counter).or_default();
        *count = count.saturating_add(by);
        if self.counted.len() > usize::try_from(KEPT).unwrap_or_default() {
            self.counted.pop_first();
        }
    }

    /// When something is to be written again, in milliseconds since the epoch. The portal itself always uses
    /// something.
    fn due(&self) -> i64 {
        let Some(sent) = self.sent else {
            return 0;
        };
        if self.counted.is_empty() && self.played.is_empty() && self.unsure.is_none() {
            return (millis(sent).div_euclid(TOGETHER) + 1) * TOGETHER;
        }
        millis(sent + EVERY)
    }
}

fn millis(at: OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)
}

/// Writes what was counted, if its time has come: at the end of a job. Nothing fails for it.
pub async fn flush(app: &Parts) {
    let now = app.clock.now();
    if !app.meter.is_due(now) {
        return;
    }
    let take = || platform::take(app, &app.meter.functions);
    let Some(cut) = app.meter.cut(now, || app.ids.mint(), take) else {
        return;
    };
    let id = cut.record.id;
    let written = tokio::time::timeout(WRITE, Box::pin(write(app, cut, now))).await;
    let error = match written {
        Ok(Ok(())) => return app.meter.settle(id),
        Ok(Err(error)) => telemetry::chain(&error),
        Err(_) => "the table did not answer in time".to_owned(),
    };
    tracing::warn!(error, "counts are not surely written yet");
}

/// Writes a record once. What was sent before without an answer gets a new place, since what is written
/// at the old one now would be behind those who fold; and its old place is taken in the same
/// transaction. If that is taken already, the record stands there, or where another try put it.
async fn write(app: &Parts, cut: Cut, now: OffsetDateTime) -> Result<(), StoreError> {
    let Cut { record, again } = cut;
    let first = keys::record(record.id).expiring(now + LIFE);
    let written = match again {
        None => app.store.put(&first, &record, Guard::Absent).await,
        Some(id) => {
            let nothing = Record {
                counted: BTreeMap::new(),
                watched: Vec::new(),
                ..record
            };
            let place = keys::record(id).expiring(now + LIFE);
            let record = Record { id, ..record };
            let writes = vec![
                Write::put(first, &nothing, Guard::Absent)?,
                Write::put(place, &record, Guard::Absent)?,
            ];
            app.store.commit(writes).await
        }
    };
    match written {
        Err(StoreError::Conflict { .. }) => Ok(()),
        done => done,
    }
}

/// Counts a request as a call of its function, and does the same at its end: after its answer, where the
/// host lets something be done there.
pub async fn flushing(app: &App, request: Request, next: Next) -> Response {
    let after = request.extensions().get::<AfterAnswer>().cloned();
    let began = app.clock.now();
    let response = next.run(request).await;
    app.meter.worked(app.clock.now() - began);
    if !app.meter.is_due(app.clock.now()) {
        return response;
    }
    match after {
        None => flush(app).await,
        Some(after) => {
            let app = Arc::clone(app);
            after.0(Box::pin(async move { flush(&app).await }));
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;
    use ulid::Ulid;

    use super::*;
    use crate::clock::ManualClock;

    const NOON: OffsetDateTime = datetime!(2026-01-05 12:00 UTC);

    fn metered() -> (Arc<ManualClock>, Meter) {
        let clock = Arc::new(ManualClock::new(NOON));
        let meter = Meter::new(clock.clone());
        (clock, meter)
    }

    fn id(number: u8) -> RecordId {
        Ulid::from_bytes([number; 16]).into()
    }

    fn cut(meter: &Meter, number: u8) -> Option<Cut> {
        let now = meter.clock.now();
        meter
            .is_due(now)
            .then(|| meter.cut(now, || id(number), || []))
            .flatten()
    }

    #[test]
    fn nothing_is_written_of_nothing_and_then_once_a_minute() {
        let (clock, meter) = metered();
        assert!(cut(&meter, 1).is_none());
        meter.add(Counter::MuxCalls, 1);
        let first = cut(&meter, 1).unwrap();
        meter.settle(first.record.id);
        meter.add(Counter::MuxCalls, 2);
        clock.advance(Duration::seconds(59));
        assert!(cut(&meter, 2).is_none());
        meter.add(Counter::MuxCalls, 3);
        clock.advance(Duration::SECOND);
        let second = cut(&meter, 2).unwrap();
        let noon = minute(NOON);
        let calls = |by| BTreeMap::from([("mux.calls".to_owned(), by)]);
        assert_eq!(second.record.counted, BTreeMap::from([(noon, calls(5))]));
        meter.settle(second.record.id);
        clock.advance(Duration::HOUR);
        assert!(cut(&meter, 3).is_none(), "all of it is written");
    }

    #[test]
    fn what_the_portal_itself_used_goes_along_or_waits_for_the_tenth_minute() {
        let (clock, meter) = metered();
        let used = |number| {
            let now = meter.clock.now();
            let due = meter.is_due(now);
            let reads = || [(Counter::TableReadHalves, 3), (Counter::QueueRequests, 0)];
            let cut = due
                .then(|| meter.cut(now, || id(number), reads))
                .flatten()?;
            meter.settle(cut.record.id);
            Some(cut.record.counted[&minute(now)].clone())
        };
        let reads = ("table.read-halves".to_owned(), 3);
        assert_eq!(used(1), Some(BTreeMap::from([reads.clone()])));
        clock.advance(Duration::seconds(599));
        assert_eq!(used(2), None);
        clock.advance(Duration::SECOND);
        assert!(used(2).is_some());
        clock.advance(Duration::MINUTE);
        assert_eq!(used(3), None);
        meter.add(Counter::MuxCalls, 1);
        let calls = ("mux.calls".to_owned(), 1);
        assert_eq!(used(3), Some(BTreeMap::from([calls, reads])));
    }

    #[test]
    fn what_is_not_surely_written_is_sent_again_as_it_was_and_what_came_since_goes_after_it() {
        let (clock, meter) = metered();
        meter.add(Counter::MuxCalls, 1);
        let first = cut(&meter, 1).unwrap();
        meter.add(Counter::MuxCalls, 7);
        clock.advance(Duration::MINUTE);
        let again = cut(&meter, 2).unwrap();
        assert_eq!(again.record, first.record);
        assert_eq!(again.again, Some(id(2)));
        assert!(
            cut(&meter, 3).is_none(),
            "one a minute, whatever becomes of it"
        );
        meter.settle(first.record.id);
        clock.advance(Duration::MINUTE);
        let next = cut(&meter, 4).unwrap();
        assert_eq!((next.record.id, next.again), (id(4), None));
        assert_eq!(next.record.counted[&minute(NOON)]["mux.calls"], 7);
    }

    #[test]
    fn what_is_older_than_four_hours_is_kept_no_longer() {
        let (clock, meter) = metered();
        for _ in 0..KEPT + 10 {
            meter.add(Counter::MuxCalls, 1);
            clock.advance(Duration::MINUTE);
        }
        let kept = cut(&meter, 1).unwrap().record.counted;
        assert_eq!(kept.len(), usize::try_from(KEPT).unwrap() - 1);
        meter.settle(id(1));
        meter.add(Counter::MuxCalls, 1);
        clock.advance(Duration::days(3));
        assert!(cut(&meter, 2).is_none(), "frozen in between");
    }
}
