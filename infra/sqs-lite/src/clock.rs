//! The time, which everything else is handed and only this file reads.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Answers in milliseconds since 1970.
pub(crate) type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

pub(crate) fn system() -> Clock {
    Arc::new(system_millis)
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the clock that everyone else is told to take the time from"
)]
fn system_millis() -> i64 {
    let since_1970 = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX)
}
