//! What is counted, and the shape in which counts are kept. No I/O.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::played::{self, PlayedSums, Watched};
use crate::{
    ids::RecordId,
    resilience::{Step, Vendor},
    slo::Objective,
};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident = $stored:literal;)*) => {
        /// Everything that is counted. Its name is stored: it never changes.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Counter {
            $($(#[$doc])* $name,)*
        }

        impl Counter {
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $stored,)*
                }
            }
        }
    };
}

counters! {
    /// Calls of Mux that somebody wanted.
    MuxCalls = "mux.calls";
    /// Of those, the ones that were not made.
    MuxHeldBack = "mux.held-back";
    /// Tries that were made.
    MuxAttempts = "mux.attempts";
    /// Of those, the ones after the first of a call.
    MuxRetries = "mux.retries";
    /// Of all tries, those that said that Mux does not work.
    MuxFailures = "mux.failures";
    /// The same of the mail server.
    MailCalls = "mail.calls";
    MailHeldBack = "mail.held-back";
    MailAttempts = "mail.attempts";
    MailRetries = "mail.retries";
    MailFailures = "mail.failures";
    /// What was promised, and kept or broken.
    PlaybackGood = "promised.playback.good";
    PlaybackBad = "promised.playback.bad";
    PlaybackErrorsGood = "promised.playback-errors.good";
    PlaybackErrorsBad = "promised.playback-errors.bad";
    WebhooksGood = "promised.webhooks.good";
    WebhooksBad = "promised.webhooks.bad";
    UploadsGood = "promised.uploads.good";
    UploadsBad = "promised.uploads.bad";
    LatencyGood = "promised.latency.good";
    LatencyBad = "promised.latency.bad";
    /// What the portal itself uses of AWS: calls of functions, and megabytes of their memory for
    /// milliseconds.
    FunctionRequests = "function.requests";
    FunctionMegabyteMillis = "function.mb-ms";
    /// Read and write units of the table, in halves.
    TableReadHalves = "table.read-halves";
    TableWriteHalves = "table.write-halves";
    /// What the queue charges for.
    QueueRequests = "queue.requests";
}

impl Counter {
    /// What counts a step of a call of this vendor.
    pub const fn of(vendor: Vendor, step: Step) -> Self {
        match (vendor, step) {
            (Vendor::Mux, Step::Call) => Self::MuxCalls,
            (Vendor::Mux, Step::HeldBack) => Self::MuxHeldBack,
            (Vendor::Mux, Step::Attempt) => Self::MuxAttempts,
            (Vendor::Mux, Step::Retry) => Self::MuxRetries,
            (Vendor::Mux, Step::Failure) => Self::MuxFailures,
            (Vendor::Mail, Step::Call) => Self::MailCalls,
            (Vendor::Mail, Step::HeldBack) => Self::MailHeldBack,
            (Vendor::Mail, Step::Attempt) => Self::MailAttempts,
            (Vendor::Mail, Step::Retry) => Self::MailRetries,
            (Vendor::Mail, Step::Failure) => Self::MailFailures,
        }
    }

    /// What counts that this promise was kept, or broken.
    pub const fn promised(objective: Objective, good: bool) -> Self {
        match (objective, good) {
            (Objective::Playback, true) => Self::PlaybackGood,
            (Objective::Playback, false) => Self::PlaybackBad,
            (Objective::PlaybackErrors, true) => Self::PlaybackErrorsGood,
            (Objective::PlaybackErrors, false) => Self::PlaybackErrorsBad,
            (Objective::Webhooks, true) => Self::WebhooksGood,
            (Objective::Webhooks, false) => Self::WebhooksBad,
            (Objective::Uploads, true) => Self::UploadsGood,
            (Objective::Uploads, false) => Self::UploadsBad,
            (Objective::Latency, true) => Self::LatencyGood,
            (Objective::Latency, false) => Self::LatencyBad,
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|it| it.name() == name)
    }
}

/// Minutes, hours or days since the epoch.
pub(super) fn minute(at: OffsetDateTime) -> i64 {
    at.unix_timestamp().div_euclid(60)
}

pub(super) fn hour(at: OffsetDateTime) -> i64 {
    at.unix_timestamp().div_euclid(60 * 60)
}

pub(super) fn day(at: OffsetDateTime) -> i64 {
    at.unix_timestamp().div_euclid(24 * 60 * 60)
}

/// What a process counted and writes at once. A section that another version knows and this one does
/// not is left out of what it folds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    pub id: RecordId,
    /// Minute → counter → how often. Names, not [`Counter`]: what a newer version counts is folded by
    /// an older one, too.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub counted: BTreeMap<i64, BTreeMap<String, u64>>,
    /// What players said that they played.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub watched: Vec<Watched>,
}

impl Record {
    /// What it counts, as far as this version knows it.
    pub(super) fn counters(&self) -> impl Iterator<Item = Counter> {
        let names = self.counted.values().flat_map(BTreeMap::keys);
        names.filter_map(|it| Counter::named(it))
    }
}

/// Counts of an hour by the minute, or of a day by the hour: counter → place → how often, only what is
/// not zero.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Row {
    #[serde(default)]
    pub counts: BTreeMap<String, BTreeMap<u8, u64>>,
}

/// Which row, and of when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    Hour(i64),
    Day(i64),
}

/// Everything up to this record is folded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cursor {
    pub version: u64,
    pub after: RecordId,
}

/// What some records add to rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Sums(pub BTreeMap<Place, Row>, pub PlayedSums);

impl Row {
    fn count(&mut self, name: &str, place: u8, by: u64) {
        if by == 0 {
            return;
        }
        let places = match self.counts.get_mut(name) {
            Some(places) => places,
            None => self.counts.entry(name.to_owned()).or_default(),
        };
        let count = places.entry(place).or_default();
        *count = count.saturating_add(by);
    }

    pub(super) fn add(&mut self, other: &Self) {
        for (name, places) in &other.counts {
            for (place, by) in places {
                self.count(name, *place, *by);
            }
        }
    }
}

impl Sums {
    /// How many rows these would be with this record.
    pub(super) fn rows_with(&self, record: &Record) -> usize {
        let minutes = record.counted.keys().copied();
        let places = minutes.flat_map(|it| [Place::Hour(it.div_euclid(60)), day_of_minute(it)]);
        let new: BTreeSet<Place> = places.filter(|it| !self.0.contains_key(it)).collect();
        let played = record.watched.iter().map(|it| it.played.row());
        let played: BTreeSet<_> = played.filter(|it| !self.1.contains_key(it)).collect();
        self.0.len() + self.1.len() + new.len() + played.len()
    }

    pub(super) fn add(&mut self, record: &Record) {
        for watched in &record.watched {
            played::add(&mut self.1, watched);
        }
        for (minute, counts) in &record.counted {
            let in_hour = u8::try_from(minute.rem_euclid(60)).unwrap_or_default();
            let hour = minute.div_euclid(60);
            let in_day = u8::try_from(hour.rem_euclid(24)).unwrap_or_default();
            let hours = self.0.entry(Place::Hour(hour)).or_default();
            for (name, by) in counts {
                hours.count(name, in_hour, *by);
            }
            let days = self.0.entry(day_of_minute(*minute)).or_default();
            for (name, by) in counts {
                days.count(name, in_day, *by);
            }
        }
    }
}

fn day_of_minute(minute: i64) -> Place {
    Place::Day(minute.div_euclid(24 * 60))
}

/// Counts over time, by counter and the beginning of the minute or the hour; only what is not zero.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Series(pub BTreeMap<Counter, BTreeMap<OffsetDateTime, u64>>);

impl Series {
    /// How often in all.
    pub fn sum(&self, counter: Counter) -> u64 {
        let places = self.0.get(&counter).into_iter().flatten();
        places.fold(0, |sum, (_, by)| sum.saturating_add(*by))
    }

    /// Adds what of a row lies from one time on and before another. Its places are this long, and the
    /// first begins at `start`.
    pub(super) fn take(
        &mut self,
        row: &Row,
        (start, step): (OffsetDateTime, Duration),
        (from, to): (OffsetDateTime, OffsetDateTime),
    ) {
        for (name, places) in &row.counts {
            // What this version does not count, nobody here asks for.
            let Some(counter) = Counter::named(name) else {
                continue;
            };
            for (place, by) in places {
                let at = start + step * i32::from(*place);
                if (from..to).contains(&at) {
                    self.0.entry(counter).or_default().insert(at, *by);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use ulid::Ulid;

    use super::*;

    #[test]
    fn every_counter_has_a_name_of_its_own() {
        let names: BTreeSet<&str> = Counter::ALL.iter().map(|it| it.name()).collect();
        assert_eq!(names.len(), Counter::ALL.len());
        for vendor in Vendor::ALL {
            for step in Step::ALL {
                let name = Counter::of(vendor, step).name();
                assert!(name.starts_with(vendor.name()), "{name}");
            }
        }
        for objective in Objective::ALL {
            let name = Counter::promised(objective, false).name();
            assert_eq!(name, format!("promised.{}.bad", objective.name()));
        }
    }

    #[test]
    fn a_record_is_added_to_its_hours_and_days_whatever_it_counts() {
        let counts = |by| BTreeMap::from([("of a newer version".to_owned(), by)]);
        let midnight = 24 * 60 * 20_000;
        let record = Record {
            id: Ulid::from_bytes([0; 16]).into(),
            counted: BTreeMap::from([(midnight - 1, counts(2)), (midnight, counts(3))]),
            watched: Vec::new(),
        };
        let mut sums = Sums::default();
        assert_eq!(sums.rows_with(&record), 4);
        sums.add(&record);
        assert_eq!(sums.rows_with(&record), 4);
        sums.add(&record);
        let row = |place, by| Row {
            counts: BTreeMap::from([(
                "of a newer version".to_owned(),
                BTreeMap::from([(place, by)]),
            )]),
        };
        let expected = BTreeMap::from([
            (Place::Hour(24 * 20_000 - 1), row(59, 4)),
            (Place::Hour(24 * 20_000), row(0, 6)),
            (Place::Day(19_999), row(23, 4)),
            (Place::Day(20_000), row(0, 6)),
        ]);
        assert_eq!(sums.0, expected);
    }

    #[test]
    fn the_stored_form_of_a_record_is_open_for_more_sections() {
        let json =
            r#"{"id":"rec_00000000000000000000000000","counted":{"29460060":{"mux.calls":3}}}"#;
        let record: Record = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&record).unwrap(), json);
        let later = r#"{"id":"rec_00000000000000000000000000","more":{"x":1}}"#;
        let record: Record = serde_json::from_str(later).unwrap();
        assert_eq!(record.counted, BTreeMap::new());
    }
}
