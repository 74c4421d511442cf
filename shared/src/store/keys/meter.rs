//! The keys of what is counted: what instances write, and the rows that it is folded into.

use ulid::Ulid;

use super::{GSI1, Key, Listing};
use crate::ids::RecordId;

/// What an instance counted, in the hour in which it was sent. Ids sort by their time.
pub fn record(id: RecordId) -> Key {
    let seconds = i64::try_from(Ulid::from(id).timestamp_ms() / 1_000).unwrap_or_default();
    Key::new(hour_of_records(seconds.div_euclid(60 * 60)), id.to_string())
}

/// Those of one hour, counted in hours since the epoch, from one id to another, both included; oldest
/// first.
pub fn records(hour: i64, from: RecordId, to: RecordId) -> Listing {
    Listing {
        index: None,
        oldest_first: true,
        range: Some((from.to_string(), to.to_string())),
        ..Listing::new(GSI1, hour_of_records(hour))
    }
}

fn hour_of_records(hour: i64) -> String {
    format!("METER#{hour}")
}

/// How far records are folded.
pub fn fold_cursor() -> Key {
    Key::new("METER".to_owned(), "CURSOR")
}

/// Counts of one hour by the minute, in hours since the epoch.
pub fn counted_hour(hour: i64) -> Key {
    Key::new(format!("COUNTED#{hour}"), "HOUR")
}

/// Counts of one day by the hour, in days since the epoch.
pub fn counted_day(day: i64) -> Key {
    Key::new(format!("COUNTED#{day}"), "DAY")
}
