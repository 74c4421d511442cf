//! Whether a vendor is out, by what its status page says and by what becomes of our calls. No I/O.

use serde::{Deserialize, Deserializer, Serialize};
use time::{Duration, OffsetDateTime};

use crate::incidents::{Cause, Severity};

/// The time of our own calls that is looked at.
pub(super) const WINDOW: Duration = Duration::minutes(5);

/// Fewer tries than this in that time say nothing: the breaker opens at five failures in a row, too
/// (S1-029).
const ATTEMPTS: u64 = 5;

/// Of a hundred, so many failed tries are an outage. Single failures are a matter of the retries: with
/// half of all tries failing, still one call in sixteen fails four times in a row (S1-033), and people
/// notice.
const FAILED: u64 = 50;

/// So long nothing may be wrong until an outage is over: as long as the time that is looked at, so that
/// one good minute between two bad ones ends nothing.
pub(super) const CALM: Duration = Duration::minutes(5);

/// How long counts what a status page said that is not reachable any more.
const STALE: Duration = Duration::minutes(15);

/// What a page of Atlassian Statuspage says of everything together (`status.indicator` of
/// `/api/v2/summary.json`; confluence.status.atlassian.com/api).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Indicator {
    None,
    Minor,
    Major,
    Critical,
    Maintenance,
    /// A word that we do not know.
    Unknown,
}

impl<'de> Deserialize<'de> for Indicator {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(match String::deserialize(from)?.as_str() {
            "none" => Self::None,
            "minor" => Self::Minor,
            "major" => Self::Major,
            "critical" => Self::Critical,
            "maintenance" => Self::Maintenance,
            _ => Self::Unknown,
        })
    }
}

impl Indicator {
    /// How bad an outage it is. `minor` is none: a part is slow, somewhere, and our own calls say whether
    /// that is ours.
    const fn severity(self) -> Option<Severity> {
        match self {
            Self::Major => Some(Severity::Major),
            Self::Critical => Some(Severity::Critical),
            Self::None | Self::Minor | Self::Maintenance | Self::Unknown => None,
        }
    }
}

/// What a status page last said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Said {
    pub indicator: Indicator,
    /// Since when it has said that, as far as we know.
    #[serde(with = "time::serde::rfc3339")]
    pub since: OffsetDateTime,
    /// When it was last read.
    #[serde(with = "time::serde::rfc3339")]
    pub read_at: OffsetDateTime,
}

/// A vendor that does not work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Outage {
    #[serde(with = "time::serde::rfc3339")]
    pub since: OffsetDateTime,
    /// When something was last wrong.
    #[serde(with = "time::serde::rfc3339")]
    pub last: OffsetDateTime,
    pub severity: Severity,
    pub cause: Cause,
}

/// Tries of our own calls, and whether calls are held back because too many failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Rates {
    pub attempts: u64,
    pub failures: u64,
    /// Calls that were not made.
    pub held_back: u64,
    pub breaker_open: bool,
}

impl Rates {
    fn are_bad(self) -> bool {
        let many = self.attempts >= ATTEMPTS;
        // One that is open and that nobody calls hurts nobody, and would stand until somebody does.
        let called = self.attempts + self.held_back > 0;
        (self.breaker_open && called) || (many && self.failures * 100 >= self.attempts * FAILED)
    }
}

/// What is known of a vendor.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Watched {
    /// Nothing, if there is no page or it was never read.
    pub page: Option<Said>,
    /// When the page was last asked, whatever came of it.
    #[serde(with = "time::serde::rfc3339::option")]
    pub asked_at: Option<OffsetDateTime>,
    pub outage: Option<Outage>,
    /// Grows with every write; the guard of the next one.
    pub version: u64,
}

impl Watched {
    /// What the page says, if it was read lately. Nothing is known of one that does not answer: that is
    /// no outage.
    pub fn indicator(&self, now: OffsetDateTime) -> Option<Indicator> {
        let page = self.page.as_ref()?;
        (now - page.read_at < STALE).then_some(page.indicator)
    }

    /// After the page was asked: what it said, if it did.
    #[must_use]
    pub(super) fn told(self, said: Option<Indicator>, now: OffsetDateTime) -> Self {
        let before = self.page.as_ref();
        let page = said.map(|indicator| Said {
            indicator,
            since: before
                .filter(|it| it.indicator == indicator)
                .map_or(now, |it| it.since),
            read_at: now,
        });
        Self {
            page: page.or(self.page),
            asked_at: Some(now),
            ..self
        }
    }

    /// After a look at everything: an outage begins at once, and ends after a calm time.
    #[must_use]
    pub(super) fn judged(self, rates: Rates, now: OffsetDateTime) -> Self {
        let page = self.indicator(now).and_then(Indicator::severity);
        let wrong = match (page, rates.are_bad()) {
            (Some(severity), true) => Some((severity, Cause::Both)),
            (Some(severity), false) => Some((severity, Cause::StatusPage)),
            (None, true) => Some((Severity::Major, Cause::OwnRates)),
            (None, false) => None,
        };
        let outage = match (self.outage, wrong) {
            (None, None) => None,
            (None, Some((severity, cause))) => Some(Outage {
                since: now,
                last: now,
                severity,
                cause,
            }),
            (Some(outage), Some((severity, cause))) => Some(Outage {
                last: now,
                severity: outage.severity.max(severity),
                cause: outage.cause.and(cause),
                ..outage
            }),
            (Some(outage), None) => (now - outage.last < CALM).then_some(outage),
        };
        Self { outage, ..self }
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOON: OffsetDateTime = datetime!(2026-01-05 12:00 UTC);

    const WELL: Rates = Rates {
        attempts: 20,
        failures: 9,
        held_back: 0,
        breaker_open: false,
    };

    const ILL: Rates = Rates {
        attempts: 20,
        failures: 10,
        held_back: 0,
        breaker_open: false,
    };

    fn at(minutes: i64) -> OffsetDateTime {
        NOON + Duration::minutes(minutes)
    }

    #[test]
    fn an_outage_begins_at_once_and_ends_after_five_calm_minutes() {
        let mut watched = Watched::default();
        // Bad and good minutes in turn are one outage.
        for minute in 0..20 {
            let rates = if minute % 2 == 0 { ILL } else { WELL };
            watched = watched.judged(rates, at(minute));
            assert_eq!(watched.outage.as_ref().unwrap().since, NOON);
        }
        for minute in 20..23 {
            watched = watched.judged(WELL, at(minute));
            assert!(watched.outage.is_some(), "{minute}");
        }
        assert_eq!(watched.judged(WELL, at(23)).outage, None);
    }

    #[test]
    fn few_tries_say_nothing_and_an_open_breaker_that_holds_calls_back_says_all() {
        let few = Rates {
            attempts: 4,
            failures: 4,
            held_back: 0,
            breaker_open: false,
        };
        let judged = |rates| Watched::default().judged(rates, NOON).outage;
        assert_eq!(judged(few), None);
        assert_eq!(judged(WELL), None);
        assert!(judged(ILL).is_some());
        let open = |held_back| Rates {
            held_back,
            breaker_open: true,
            ..Rates::default()
        };
        assert_eq!(judged(open(1)).unwrap().cause, Cause::OwnRates);
        assert_eq!(judged(open(0)), None, "nobody is hurt");
    }

    #[test]
    fn a_page_counts_for_a_quarter_of_an_hour_after_it_was_last_read() {
        let said = Watched::default().told(Some(Indicator::Critical), NOON);
        let outage = said.clone().judged(WELL, NOON).outage.unwrap();
        assert_eq!(outage.cause, Cause::StatusPage);
        assert_eq!(outage.severity, Severity::Critical);
        let mute = said.told(None, at(14));
        assert_eq!(mute.indicator(at(14)), Some(Indicator::Critical));
        assert_eq!(mute.indicator(at(15)), None);
        assert_eq!(mute.judged(WELL, at(15)).outage, None);
        for calm in ["none", "minor", "maintenance", "a word of next year"] {
            let indicator = serde_json::from_value(calm.into()).unwrap();
            let said = Watched::default().told(Some(indicator), NOON);
            assert_eq!(said.judged(WELL, NOON).outage, None, "{calm}");
        }
    }

    #[test]
    fn both_together_are_one_outage_that_knows_both() {
        let watched = Watched::default().judged(ILL, NOON);
        let watched = watched.told(Some(Indicator::Critical), at(1));
        let outage = watched.judged(WELL, at(1)).outage.unwrap();
        assert_eq!((outage.since, outage.cause), (NOON, Cause::Both));
        assert_eq!(outage.severity, Severity::Critical);
    }

    #[test]
    fn since_when_a_page_says_so_outlives_its_silence() {
        let watched = Watched::default().told(Some(Indicator::Major), NOON);
        let watched = watched
            .told(None, at(1))
            .told(Some(Indicator::Major), at(2));
        let page = watched.page.clone().unwrap();
        assert_eq!((page.since, page.read_at), (NOON, at(2)));
        let better = watched.told(Some(Indicator::None), at(3)).page.unwrap();
        assert_eq!(better.since, at(3));
    }
}
