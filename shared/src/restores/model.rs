//! By which table the portal knows itself, and what a drill of restoring came to. No I/O.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// The name that a table had when it was last known to be complete. `DynamoDB` restores into a table
/// with another name
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/pointintimerecovery_howitworks.html>),
/// so a restored table says by itself that it is one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Known {
    pub table: String,
    /// When it was noticed that the table has another name.
    #[serde(
        default,
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub held_since: Option<OffsetDateTime>,
    /// When the first comparison with Mux ended that began after that.
    #[serde(
        default,
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub compared_at: Option<OffsetDateTime>,
    /// Grows with every write; the guard of the next one.
    pub version: u64,
}

impl Known {
    pub(super) fn of(table: &str, version: u64) -> Self {
        Self {
            table: table.to_owned(),
            held_since: None,
            compared_at: None,
            version,
        }
    }

    /// Whether this table was restored, and nobody has vouched for it.
    pub(super) fn is_restored(&self, table: &str) -> bool {
        self.table != table
    }

    /// Whether a link that was made at this time may have been taken back since without a trace: all
    /// that came with the backup. As long as nobody has noticed, that is every link.
    pub(super) fn holds(&self, table: &str, made_at: OffsetDateTime) -> bool {
        self.is_restored(table) && self.held_since.is_none_or(|since| made_at <= since)
    }

    /// The same once it is noticed; `None`: it was before.
    pub(super) fn noticed(&self, now: OffsetDateTime) -> Option<Self> {
        self.held_since.is_none().then(|| Self {
            held_since: Some(now),
            compared_at: None,
            version: self.version + 1,
            ..self.clone()
        })
    }

    /// The same after a comparison that began then; `None`: it says nothing new.
    pub(super) fn compared(&self, began: OffsetDateTime, now: OffsetDateTime) -> Option<Self> {
        let since = self.held_since?;
        (began >= since && self.compared_at.is_none()).then(|| Self {
            compared_at: Some(now),
            version: self.version + 1,
            ..self.clone()
        })
    }
}

/// A table's name: 3 to 255 letters, digits, `_`, `-` and `.`
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html>).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct TableName(String);

impl FromStr for TableName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |it: u8| it.is_ascii_alphanumeric() || b"_-.".contains(&it);
        if (3..=255).contains(&text.len()) && text.bytes().all(allowed) {
            return Ok(Self(text.to_owned()));
        }
        Err("table must have 3 to 255 letters, digits, _, - or .")
    }
}

impl From<TableName> for String {
    fn from(name: TableName) -> Self {
        name.0
    }
}

/// SHA-256 of what was restored, in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Digest(String);

impl FromStr for Digest {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let hexadecimal = |it: u8| it.is_ascii_digit() || (b'a'..=b'f').contains(&it);
        if text.len() == 64 && text.bytes().all(hexadecimal) {
            return Ok(Self(text.to_owned()));
        }
        Err("digest must be a SHA-256 in hexadecimal, in small letters")
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.0
    }
}

/// How a drill ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Outcome {
    /// What was restored is what was backed up.
    Restored,
    /// It is not, or nothing was restored.
    Failed,
}

/// The last drill: what was restored, and how long that took.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Drill {
    /// The table that it was restored into.
    pub table: TableName,
    pub items: u64,
    pub digest: Digest,
    /// From the order to restore until it was compared.
    pub seconds: u64,
    pub outcome: Outcome,
}

/// A drill, and when it was told of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Held {
    #[serde(flatten)]
    pub drill: Drill,
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    pub version: u64,
}

#[cfg(test)]
mod tests {
    use time::{Duration, macros::datetime};

    use super::*;

    const NOON: OffsetDateTime = datetime!(2026-01-05 12:00 UTC);

    #[test]
    fn a_table_with_another_name_holds_what_came_with_it_and_nothing_that_came_later() {
        let known = Known::of("portal", 1);
        assert!(!known.holds("portal", NOON));
        assert!(known.holds("portal-2", NOON), "even before it is noticed");
        let noticed = known.noticed(NOON).unwrap();
        assert!(noticed.holds("portal-2", NOON));
        assert!(!noticed.holds("portal-2", NOON + Duration::SECOND));
        assert_eq!(noticed.noticed(NOON + Duration::HOUR), None);
    }

    #[test]
    fn only_a_comparison_that_began_after_the_restore_says_anything() {
        let noticed = Known::of("portal", 1).noticed(NOON).unwrap();
        let late = NOON + Duration::HOUR;
        assert_eq!(noticed.compared(NOON - Duration::SECOND, late), None);
        let compared = noticed.compared(NOON, late).unwrap();
        assert_eq!(compared.compared_at, Some(late));
        assert_eq!(compared.compared(late, late), None);
        assert_eq!(Known::of("portal", 1).compared(NOON, late), None);
    }

    #[test]
    fn a_table_is_named_as_dynamodb_allows_it_and_a_digest_is_one() {
        assert!("portal-Table-1.drill_2".parse::<TableName>().is_ok());
        for wrong in ["ab", "portal table", "", "päckchen"] {
            assert!(wrong.parse::<TableName>().is_err(), "{wrong}");
        }
        assert!("ab12".repeat(16).parse::<Digest>().is_ok());
        for wrong in ["ab", &"g".repeat(64), &"A".repeat(64)] {
            assert!(wrong.parse::<Digest>().is_err(), "{wrong}");
        }
    }
}
