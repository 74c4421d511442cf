//! Adds what instances wrote to the rows of its hours and days. A record counts once, however often the
//! job dies: rows and cursor are one transaction, which the version of the cursor guards.

use std::collections::BTreeSet;

use time::{Duration, OffsetDateTime};

use super::model::{Counter, Cursor, Place, Record, Row, Sums, hour};
use crate::{
    app::Parts,
    costs,
    ids::{self, RecordId},
    store::{Guard, StoreError, Write, keys},
};

/// So long after its time a record may still land: an instance gives a write 300 ms, and clocks differ
/// by less than a second. What lands later is passed over.
const SLACK: Duration = Duration::seconds(10);

/// How far back the first run looks.
const BEGINNING: Duration = Duration::days(1);

/// Records are gone after so long, so nobody looks for them.
const GONE: Duration = Duration::days(7);

/// How long rows by the minute are kept: longer than the longest window of a service level (30 days).
const HOUR_LIFE: Duration = Duration::days(40);

/// How long rows by the hour are kept: a year can be compared with the one before.
const DAY_LIFE: Duration = Duration::days(400);

/// How many records are read at once.
const PAGE: u32 = 100;

/// How many rows one transaction changes, beside the cursor. The service takes 100 writes; one record
/// alone touches seven.
const ROWS: usize = 40;

/// What a run did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Folded {
    /// Records that were added.
    pub records: u32,
    /// What they count.
    pub counted: BTreeSet<Counter>,
    /// Whether there was no time for all.
    pub more: bool,
}

/// Folds what was written since the last time, for as long as there is time. Only one run may be at it;
/// if a second one is, it stops.
pub async fn fold(app: &Parts, until: OffsetDateTime) -> Result<Folded, StoreError> {
    let now = app.clock.now();
    let (_, last) = ids::bounds::<RecordId>(now - SLACK);
    let mut folding = Folding::begin(app, now).await?;
    let mut folded = Folded::default();
    let begun = folding.after;
    while folding.after < last {
        let (records, all) = folding.page(last).await?;
        let mut rest = records.as_slice();
        while !rest.is_empty() {
            let some = some(rest);
            if !folding.add(&rest[..some]).await? {
                return Ok(folded);
            }
            folded.records += u32::try_from(some).unwrap_or(u32::MAX);
            folded
                .counted
                .extend(rest[..some].iter().flat_map(Record::counters));
            rest = &rest[some..];
            if app.clock.now() >= until && !(rest.is_empty() && all) {
                folded.more = true;
                return Ok(folded);
            }
        }
        if all && !folding.next_hour(last) {
            break;
        }
    }
    // So that nobody looks through the same empty hours over and over.
    if folded.records == 0 && folding.hour() > hour(time_of(begun)) {
        folding.add(&[]).await?;
    }
    Ok(folded)
}

/// When a record was sent.
fn time_of(id: RecordId) -> OffsetDateTime {
    let millis = ulid::Ulid::from(id).timestamp_ms();
    let seconds = i64::try_from(millis / 1_000).unwrap_or_default();
    OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

struct Folding<'a> {
    app: &'a Parts,
    guard: Guard,
    version: u64,
    after: RecordId,
}

impl<'a> Folding<'a> {
    async fn begin(app: &'a Parts, now: OffsetDateTime) -> Result<Self, StoreError> {
        let cursor: Option<Cursor> = app.store.get(&keys::fold_cursor()).await?;
        let oldest = |back| ids::bounds::<RecordId>(now - back).0;
        Ok(match cursor {
            None => Self {
                app,
                guard: Guard::Absent,
                version: 0,
                after: oldest(BEGINNING),
            },
            Some(cursor) => Self {
                app,
                guard: Guard::Version(cursor.version),
                version: cursor.version,
                after: cursor.after.max(oldest(GONE)),
            },
        })
    }

    fn hour(&self) -> i64 {
        hour(time_of(self.after))
    }

    /// The next records of the hour, and whether that is all of it.
    async fn page(&self, last: RecordId) -> Result<(Vec<Record>, bool), StoreError> {
        let listing = keys::records(self.hour(), self.after, last);
        let page = self.app.store.list::<Record>(&listing, None, PAGE).await?;
        let new = |it: &Record| it.id > self.after;
        let records: Vec<Record> = page.items.into_iter().filter(new).collect();
        Ok((records, !page.more))
    }

    /// Adds them and moves on. `false`: somebody else did.
    async fn add(&mut self, records: &[Record]) -> Result<bool, StoreError> {
        let mut sums = Sums::default();
        for record in records {
            sums.add(record);
        }
        let places: Vec<Place> = sums.0.keys().copied().collect();
        let wanted: Vec<_> = places.iter().map(|it| key(*it)).collect();
        // Read after the cursor: whoever changes them now changes the cursor, too.
        let rows: Vec<Option<Row>> = self.app.store.get_many(&wanted).await?;
        let after = records.last().map_or(self.after, |it| it.id);
        let cursor = Cursor {
            version: self.version + 1,
            after,
        };
        let mut writes = vec![Write::put(keys::fold_cursor(), &cursor, self.guard)?];
        for ((key, row), more) in wanted.into_iter().zip(rows).zip(sums.0.values()) {
            let mut row = row.unwrap_or_default();
            row.add(more);
            // The guard of the cursor stands for all of them.
            writes.push(Write::put(key, &row, Guard::None)?);
        }
        // What players played stands with what was used; only the fold writes it.
        let counts = writes.clone();
        writes.extend(costs::add_played(self.app, &sums.1).await?);
        let mut done = self.app.store.commit(writes).await;
        if matches!(done, Err(StoreError::Refused(_))) {
            // More links or videos than an item or a transaction holds. Mux says how much was watched; by
            // which link is then not known, and what was counted is.
            tracing::error!("by which links videos were watched was not kept");
            done = self.app.store.commit(counts).await;
        }
        match done {
            Ok(()) => {}
            Err(StoreError::Conflict { .. }) => return Ok(false),
            Err(error) => return Err(error),
        }
        (self.version, self.after) = (cursor.version, after);
        self.guard = Guard::Version(self.version);
        Ok(true)
    }

    /// Goes on with the next hour, if it has begun.
    fn next_hour(&mut self, last: RecordId) -> bool {
        let seconds = (self.hour() + 1) * 60 * 60;
        let Ok(next) = OffsetDateTime::from_unix_timestamp(seconds) else {
            return false;
        };
        let (first, _) = ids::bounds::<RecordId>(next);
        if first > last {
            return false;
        }
        self.after = first;
        true
    }
}

/// How many of these one transaction takes.
fn some(records: &[Record]) -> usize {
    let mut sums = Sums::default();
    for (place, record) in records.iter().enumerate() {
        if place > 0 && sums.rows_with(record) > ROWS {
            return place;
        }
        sums.add(record);
    }
    records.len()
}

/// Where a row stands, and until when.
fn key(place: Place) -> keys::Key {
    let (key, end, life) = match place {
        Place::Hour(hour) => (keys::counted_hour(hour), (hour + 1) * 60 * 60, HOUR_LIFE),
        Place::Day(day) => (keys::counted_day(day), (day + 1) * 24 * 60 * 60, DAY_LIFE),
    };
    let end = OffsetDateTime::from_unix_timestamp(end).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    key.expiring(end + life)
}
