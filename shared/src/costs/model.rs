//! What is used, and for whom. No I/O.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use time::{Date, Duration, Month as Name, OffsetDateTime, Time};

use super::money::Money;
use crate::ids::{AssetId, ProjectId, ShareId, TenantId};

// A day as ISO 8601 spells it: `2026-01-05`.
time::serde::format_description!(pub mod iso [Date] = "[year]-[month]-[day]");

/// Who sends the bill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Vendor {
    Mux,
    Aws,
}

impl Vendor {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mux => "mux",
            Self::Aws => "aws",
        }
    }
}

/// What is charged for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// A minute of video that was made playable.
    EncodedMinutes,
    /// A minute of video that was kept for a calendar month.
    StoredMinutes,
    /// A minute of video that viewers were sent.
    DeliveredMinutes,
    /// A call of a function.
    FunctionRequests,
    /// A gigabyte of memory for a second of a function.
    FunctionGbSeconds,
    /// A write unit of the table.
    TableWrites,
    /// A read unit of the table.
    TableReads,
    /// A gigabyte in the table for a month.
    TableGbMonths,
    /// A call of the queue.
    QueueRequests,
    /// A service of AWS for a day, as AWS itself charges it: it has a cost, and neither a quantity nor a price.
    Billed,
}

impl Unit {
    /// Those that have a price.
    pub const ALL: [Self; 9] = [
        Self::EncodedMinutes,
        Self::StoredMinutes,
        Self::DeliveredMinutes,
        Self::FunctionRequests,
        Self::FunctionGbSeconds,
        Self::TableWrites,
        Self::TableReads,
        Self::TableGbMonths,
        Self::QueueRequests,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::EncodedMinutes => "encoded-minutes",
            Self::StoredMinutes => "stored-minutes",
            Self::DeliveredMinutes => "delivered-minutes",
            Self::FunctionRequests => "function-requests",
            Self::FunctionGbSeconds => "function-gb-seconds",
            Self::TableWrites => "table-writes",
            Self::TableReads => "table-reads",
            Self::TableGbMonths => "table-gb-months",
            Self::QueueRequests => "queue-requests",
            Self::Billed => "billed",
        }
    }

    pub const fn vendor(self) -> Vendor {
        match self {
            Self::EncodedMinutes | Self::StoredMinutes | Self::DeliveredMinutes => Vendor::Mux,
            Self::FunctionRequests
            | Self::FunctionGbSeconds
            | Self::TableWrites
            | Self::TableReads
            | Self::TableGbMonths
            | Self::QueueRequests
            | Self::Billed => Vendor::Aws,
        }
    }

    /// How many of what is counted make one of what is priced. Mux gives seconds with six digits after
    /// the point, and video is counted in those: microseconds. All else is counted in millionths.
    pub const fn one(self) -> u64 {
        match self.vendor() {
            Vendor::Mux => 60_000_000,
            Vendor::Aws => 1_000_000,
        }
    }

    /// A quantity in words, with three digits after the point.
    pub fn spell(self, amount: u64) -> String {
        let thousandths = u128::from(amount) * 1_000 / u128::from(self.one());
        format!("{}.{:03}", thousandths / 1_000, thousandths % 1_000)
    }
}

/// How carefully Mux encodes a video.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Quality {
    Basic,
    Plus,
    Premium,
}

impl Quality {
    pub const ALL: [Self; 3] = [Self::Basic, Self::Plus, Self::Premium];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Basic => "basic",
            Self::Plus => "plus",
            Self::Premium => "premium",
        }
    }

    /// As Mux spells it now, or as it did when these were encoding tiers. What is not known is the
    /// dearest.
    pub fn of_mux(text: &str) -> Self {
        match text {
            "basic" | "baseline" => Self::Basic,
            "plus" | "smart" => Self::Plus,
            _ => Self::Premium,
        }
    }
}

/// How large a video is, or what of it was delivered (mux.com/docs/api-reference/video/delivery-usage).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tier {
    AudioOnly,
    #[serde(rename = "720p")]
    Hd,
    #[serde(rename = "1080p")]
    FullHd,
    #[serde(rename = "1440p")]
    QuadHd,
    #[serde(rename = "2160p")]
    UltraHd,
}

impl Tier {
    pub const ALL: [Self; 5] = [
        Self::AudioOnly,
        Self::Hd,
        Self::FullHd,
        Self::QuadHd,
        Self::UltraHd,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::AudioOnly => "audio-only",
            Self::Hd => "720p",
            Self::FullHd => "1080p",
            Self::QuadHd => "1440p",
            Self::UltraHd => "2160p",
        }
    }

    /// As Mux spells it. What is not known is the dearest.
    pub fn of_mux(text: &str) -> Self {
        match text {
            "audio-only" | "audio_only" => Self::AudioOnly,
            "720p" => Self::Hd,
            "1080p" => Self::FullHd,
            "1440p" => Self::QuadHd,
            _ => Self::UltraHd,
        }
    }
}

/// What was used of one unit on one day by one of those whom it can be laid to. The finest there is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Use {
    /// In UTC.
    pub day: Date,
    pub tenant: TenantId,
    pub project: Option<ProjectId>,
    pub asset: Option<AssetId>,
    /// Nothing, where no link asked for it, or nobody knows which one did.
    pub share: Option<ShareId>,
    pub unit: Unit,
    pub quality: Option<Quality>,
    pub tier: Option<Tier>,
    /// Nobody who sends a bill has said so: it was counted here.
    pub estimated: bool,
    /// In what [`Unit::one`] counts.
    pub amount: u64,
    /// Of [`Unit::Billed`] only: what it cost, which no price says.
    pub bill: Option<Bill>,
}

/// What a service of AWS cost on a day, as AWS says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bill {
    /// As AWS calls it: `Amazon DynamoDB`.
    pub service: String,
    /// What was credited is below nothing.
    pub cost: Money,
}

/// A calendar month in UTC, spelled `2026-01`: what bills are made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Month {
    year: i32,
    name: Name,
}

/// The text is no month such as `2026-01`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a month such as 2026-01")]
pub struct NotAMonth;

impl Month {
    pub fn of(day: Date) -> Self {
        Self {
            year: day.year(),
            name: day.month(),
        }
    }

    pub fn first(self) -> Date {
        // Every month of a year that a date can have begins with a first.
        Date::from_calendar_date(self.year, self.name, 1).unwrap_or(Date::MIN)
    }

    pub fn length(self) -> u8 {
        self.name.length(self.year)
    }

    pub fn last(self) -> Date {
        self.first() + Duration::days(i64::from(self.length()) - 1)
    }

    #[must_use]
    pub fn before(self) -> Self {
        Self::of(self.first() - Duration::DAY)
    }

    #[must_use]
    pub fn after(self) -> Self {
        Self::of(self.last() + Duration::DAY)
    }

    pub fn days(self) -> impl Iterator<Item = Date> {
        let first = self.first();
        (0..i64::from(self.length())).map(move |number| first + Duration::days(number))
    }

    pub fn has(self, day: Date) -> bool {
        Self::of(day) == self
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, u8::from(self.name))
    }
}

impl FromStr for Month {
    type Err = NotAMonth;

    fn from_str(text: &str) -> Result<Self, NotAMonth> {
        let (year, name) = text.split_once('-').ok_or(NotAMonth)?;
        let name: u8 = name.parse().map_err(|_| NotAMonth)?;
        let month = Self {
            year: year.parse().map_err(|_| NotAMonth)?,
            name: Name::try_from(name).map_err(|_| NotAMonth)?,
        };
        // One spelling, and no year before there was a bill.
        let known = (2_000..10_000).contains(&month.year) && month.to_string() == text;
        known.then_some(month).ok_or(NotAMonth)
    }
}

impl TryFrom<String> for Month {
    type Error = NotAMonth;

    fn try_from(text: String) -> Result<Self, NotAMonth> {
        text.parse()
    }
}

impl From<Month> for String {
    fn from(month: Month) -> Self {
        month.to_string()
    }
}

/// How far behind Mux's usage is (mux.com/docs/api-reference/video/delivery-usage): twelve hours.
pub(super) const LAG: Duration = Duration::hours(12);

/// The newest day that is over for Mux, too: nothing is added to it any more.
pub fn last_complete(now: OffsetDateTime) -> Date {
    (now - LAG).date() - Duration::DAY
}

/// When a day begins.
pub fn midnight(day: Date) -> OffsetDateTime {
    day.with_time(Time::MIDNIGHT).assume_utc()
}

#[cfg(test)]
mod tests {
    use time::macros::{date, datetime};

    use super::*;

    #[test]
    fn a_month_has_one_spelling_and_all_its_days() {
        let month: Month = "2028-02".parse().unwrap();
        assert_eq!(month.days().count(), 29);
        assert_eq!(month.last(), date!(2028 - 02 - 29));
        assert_eq!(month.before().to_string(), "2028-01");
        let january: Month = "2026-01".parse().unwrap();
        assert_eq!(january.before().to_string(), "2025-12");
        for text in [
            "2026-1",
            "2026-13",
            "2026-00",
            "26-01",
            "2026",
            "-2026-01",
            "2026-01-01",
        ] {
            assert_eq!(text.parse::<Month>(), Err(NotAMonth), "{text}");
        }
    }

    #[test]
    fn a_day_is_complete_twelve_hours_after_its_end() {
        let noon = datetime!(2026-01-05 12:00 UTC);
        assert_eq!(last_complete(noon), date!(2026 - 01 - 04));
        let before = noon - Duration::NANOSECOND;
        assert_eq!(last_complete(before), date!(2026 - 01 - 03));
    }

    #[test]
    fn what_mux_calls_otherwise_is_the_dearest() {
        assert_eq!(Quality::of_mux("smart"), Quality::Plus);
        assert_eq!(Quality::of_mux("brilliant"), Quality::Premium);
        assert_eq!(Tier::of_mux("audio_only"), Tier::AudioOnly);
        assert_eq!(Tier::of_mux("4320p"), Tier::UltraHd);
        assert_eq!(Unit::DeliveredMinutes.spell(90_500_000), "1.508");
    }
}
