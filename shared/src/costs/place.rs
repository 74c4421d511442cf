//! How far usage is known: what the next run of the job goes on from. Pure.

use serde::{Deserialize, Serialize};
use time::{Date, Duration, OffsetDateTime};

use super::{
    billed::Asked,
    model::{LAG, Month, iso, midnight},
};

/// How many days are asked again once a day after they were said to be complete. Mux promises nothing about
/// corrections; a week of them costs seven calls a day, and a late one is seen before the month is closed.
const AGAIN: Duration = Duration::days(7);

/// For how long a day may change of which the portal counted what it used: counts wait for so long to be
/// added up (`meter`).
const COUNTED_LATE: Duration = Duration::days(7);

/// On which day of the next month a month is closed: its last day is complete after twelve hours, and is
/// asked again on three days.
const CLOSED_ON: u8 = 4;

/// How far back Mux tells (mux.com/docs/api-reference/video/delivery-usage).
const OLDEST: Duration = Duration::days(90);

/// How far usage is known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Place {
    /// Grows with every write; the guard of the next one. 0: never written.
    pub(super) version: u64,
    /// Until the end of this day Mux has said everything that it delivered.
    #[serde(with = "iso::option")]
    pub(super) settled: Option<Date>,
    /// When the days before were last asked again.
    #[serde(with = "iso::option")]
    pub(super) asked_again: Option<Date>,
    /// Until this day it is known what was kept.
    #[serde(with = "iso::option")]
    pub(super) stored: Option<Date>,
    /// Where the list of what is kept goes on, of a walk that is under way.
    pub(super) walk: Option<Walk>,
    /// The day of the newest snapshot.
    #[serde(with = "iso::option")]
    pub(super) snapshot: Option<Date>,
    /// On which day it was last told what the portal itself used.
    #[serde(with = "iso::option")]
    pub(super) platform: Option<Date>,
    /// How asking Cost Explorer last went.
    pub(super) asked: Asked,
    /// The newest month that is closed; nothing, as long as nobody asked.
    pub(super) closed: Option<Month>,
}

/// A walk along Mux's list, on a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Walk {
    #[serde(with = "iso")]
    pub(super) day: Date,
    pub(super) cursor: Option<String>,
}

/// A part of a day that Mux is asked about: full hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) day: Date,
    pub(super) from: OffsetDateTime,
    pub(super) to: OffsetDateTime,
}

impl Window {
    /// What Mux can tell of a day by now; `None`: nothing yet.
    pub(super) fn of(day: Date, now: OffsetDateTime) -> Option<Self> {
        let newest = now - LAG;
        let newest = newest - Duration::seconds(newest.unix_timestamp().rem_euclid(3_600));
        let newest = newest.replace_nanosecond(0).unwrap_or(newest);
        let from = midnight(day);
        let to = midnight(day + Duration::DAY).min(newest);
        (from < to).then_some(Self { day, from, to })
    }

    /// Whether it is the whole day.
    pub(super) fn is_whole(&self) -> bool {
        self.to == midnight(self.day + Duration::DAY)
    }
}

impl Place {
    /// Before the first run: usage counts from the beginning of its month, and what was before is as if it
    /// were closed.
    pub(super) fn first(now: OffsetDateTime) -> Self {
        Self {
            closed: Some(Month::of((now - LAG).date()).before()),
            ..Self::default()
        }
    }

    /// What Mux is to be asked about now, the oldest first: everything since the last whole day, and once a
    /// day those before it again.
    pub(super) fn windows(&self, now: OffsetDateTime) -> Vec<Window> {
        let newest = (now - LAG).date();
        let first = self.settled.map_or_else(
            || Month::of(newest).first(),
            |settled| settled + Duration::DAY,
        );
        let again = self
            .settled
            .filter(|_| self.asked_again != Some(now.date()));
        let again = again.map(|settled| settled - AGAIN + Duration::DAY);
        let first = again.map_or(first, |again| again.min(first));
        let oldest = (now - OLDEST).date() + Duration::DAY;
        let mut day = first.max(oldest);
        let mut windows = Vec::new();
        while day <= newest {
            if !self.is_closed(day) {
                windows.extend(Window::of(day, now));
            }
            day += Duration::DAY;
        }
        windows
    }

    /// The days that are over and of which is to be told now what the portal itself used, the oldest first:
    /// once a day all that may have changed since the last time.
    pub(super) fn counted(&self, now: OffsetDateTime) -> Vec<Date> {
        let today = now.date();
        if self.platform == Some(today) {
            return Vec::new();
        }
        let last = self.platform.unwrap_or(today);
        let mut day = (last - COUNTED_LATE).max(today - OLDEST);
        let mut days = Vec::new();
        while day < today {
            if !self.is_closed(day) {
                days.push(day);
            }
            day += Duration::DAY;
        }
        days
    }

    /// Whether the report that this day belongs to does not change any more.
    pub(super) fn is_closed(&self, day: Date) -> bool {
        self.closed.is_some_and(|closed| Month::of(day) <= closed)
    }

    /// The months that are to be closed now, the oldest first.
    pub(super) fn closing(&self, now: OffsetDateTime) -> Vec<Month> {
        let today = now.date();
        let newest = match today.day() {
            CLOSED_ON.. => Month::of(today).before(),
            _ => Month::of(today).before().before(),
        };
        // What is kept is walked along once a day, and a walk tells of every day since the last one.
        let known = |month: &Month| {
            let stored = self.walk.is_none() && self.stored.is_some_and(|it| it > month.last());
            stored && self.settled.is_some_and(|it| it >= month.last())
        };
        let Some(mut month) = self.closed.map(Month::after) else {
            return Vec::new();
        };
        let mut months = Vec::new();
        while month <= newest && known(&month) {
            months.push(month);
            month = month.after();
        }
        months
    }
}

#[cfg(test)]
mod tests {
    use time::macros::{date, datetime};

    use super::*;

    fn days(place: &Place, now: OffsetDateTime) -> Vec<u8> {
        place.windows(now).iter().map(|it| it.day.day()).collect()
    }

    #[test]
    fn every_hour_the_days_since_the_last_whole_one_are_asked() {
        let now = datetime!(2026-01-20 15:30 UTC);
        let place = Place {
            settled: Some(date!(2026 - 01 - 18)),
            asked_again: Some(now.date()),
            ..Place::default()
        };
        assert_eq!(days(&place, now), [19, 20]);
        let windows = place.windows(now);
        assert!(windows[0].is_whole() && !windows[1].is_whole());
        assert_eq!(windows[1].to, datetime!(2026-01-20 03:00 UTC));
    }

    #[test]
    fn once_a_day_a_week_is_asked_again() {
        let place = Place {
            settled: Some(date!(2026 - 01 - 19)),
            asked_again: Some(date!(2026 - 01 - 19)),
            ..Place::default()
        };
        let now = datetime!(2026-01-20 11:00 UTC);
        assert_eq!(days(&place, now), [13, 14, 15, 16, 17, 18, 19]);
    }

    #[test]
    fn the_first_run_asks_for_the_month_and_a_late_one_for_ninety_days() {
        let now = datetime!(2026-01-05 15:00 UTC);
        let first = Place::first(now);
        assert_eq!(days(&first, now), [1, 2, 3, 4, 5]);
        assert_eq!(first.closing(datetime!(2026-01-31 15:00 UTC)), []);
        let late = Place {
            settled: Some(date!(2025 - 01 - 01)),
            ..Place::default()
        };
        assert_eq!(late.windows(now).len(), 90);
        assert_eq!(late.windows(now)[0].day, date!(2025 - 10 - 08));
    }

    #[test]
    fn what_the_portal_used_is_told_once_a_day_for_as_long_as_it_may_change() {
        let told = |platform, now: OffsetDateTime| {
            let place = Place {
                platform,
                ..Place::first(datetime!(2026-01-05 15:00 UTC))
            };
            let days = place.counted(now);
            days.iter().map(|it| it.day()).collect::<Vec<u8>>()
        };
        let now = datetime!(2026-01-20 00:10 UTC);
        assert_eq!(told(None, now), [13, 14, 15, 16, 17, 18, 19]);
        let yesterday = Some(date!(2026 - 01 - 19));
        assert_eq!(told(yesterday, now), [12, 13, 14, 15, 16, 17, 18, 19]);
        assert!(told(Some(now.date()), now).is_empty());
        // Two weeks without a run; and nothing of a month that is closed.
        let slept = told(Some(date!(2026 - 01 - 06)), now);
        assert_eq!(slept, (1..20).collect::<Vec<u8>>());
    }

    #[test]
    fn a_month_is_closed_on_the_fourth_and_never_asked_again() {
        let mut place = Place {
            settled: Some(date!(2026 - 02 - 03)),
            stored: Some(date!(2026 - 02 - 04)),
            ..Place::first(datetime!(2026-01-05 15:00 UTC))
        };
        assert_eq!(place.closing(datetime!(2026-02-03 23:00 UTC)), []);
        let fourth = datetime!(2026-02-04 13:00 UTC);
        let january: Month = "2026-01".parse().unwrap();
        assert_eq!(place.closing(fourth), [january]);
        place.closed = Some(january);
        assert_eq!(place.closing(fourth), []);
        assert_eq!(days(&place, fourth), [1, 2, 3, 4]);
        place.settled = Some(date!(2026 - 04 - 10));
        assert_eq!(
            place.closing(datetime!(2026-04-10 13:00 UTC)),
            [],
            "what is kept is not known"
        );
        place.stored = Some(date!(2026 - 04 - 10));
        assert_eq!(place.closing(datetime!(2026-04-10 13:00 UTC)).len(), 2);
    }

    #[test]
    fn a_month_that_mux_has_not_told_of_wholly_stays_open() {
        let place = Place {
            settled: Some(date!(2026 - 01 - 30)),
            stored: Some(date!(2026 - 02 - 10)),
            ..Place::first(datetime!(2026-01-05 15:00 UTC))
        };
        assert_eq!(place.closing(datetime!(2026-02-10 13:00 UTC)), []);
    }
}
