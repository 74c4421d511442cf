//! What the portal itself uses of AWS, counted where it is spent, by atomics: functions here, the table in its
//! store, the queue where it is called. None of them knows the meter, which takes what they have counted
//! whenever it writes. What was counted belongs to the minute in which it is taken.

use std::sync::atomic::{AtomicU64, Ordering};

use time::Duration;

use super::model::Counter;
use crate::app::Parts;

/// How often the functions of this process were called, and for how long they had their memory.
#[derive(Debug, Default)]
pub(super) struct Functions {
    requests: AtomicU64,
    millis: AtomicU64,
}

impl Functions {
    /// A call that took so long. Each begun millisecond is charged, and there is no call without one
    /// (aws.amazon.com/lambda/pricing).
    pub(super) fn worked(&self, took: Duration) {
        let nanos = u128::try_from(took.whole_nanoseconds()).unwrap_or_default();
        let millis = u64::try_from(nanos.div_ceil(1_000_000)).unwrap_or(u64::MAX);
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.millis.fetch_add(millis.max(1), Ordering::Relaxed);
    }
}

/// Takes everything that was counted since the last time.
pub(super) fn take(app: &Parts, functions: &Functions) -> [(Counter, u64); 5] {
    let memory = u64::from(app.config.function_memory);
    let millis = functions.millis.swap(0, Ordering::Relaxed);
    let units = app.store.take_units();
    [
        (
            Counter::FunctionRequests,
            functions.requests.swap(0, Ordering::Relaxed),
        ),
        (
            Counter::FunctionMegabyteMillis,
            millis.saturating_mul(memory),
        ),
        (Counter::TableReadHalves, units.read_halves),
        (Counter::TableWriteHalves, units.write_halves),
        (Counter::QueueRequests, app.dead_letters.take_requests()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_begun_millisecond_is_a_whole_one_whatever_the_clock_does() {
        let functions = Functions::default();
        for took in [
            Duration::ZERO,
            Duration::nanoseconds(1),
            Duration::microseconds(2_001),
            Duration::seconds(-5),
        ] {
            functions.worked(took);
        }
        assert_eq!(functions.requests.load(Ordering::Relaxed), 4);
        assert_eq!(functions.millis.load(Ordering::Relaxed), 1 + 1 + 3 + 1);
    }
}
