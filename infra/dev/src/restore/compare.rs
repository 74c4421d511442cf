//! How much of a table that lives on is in one that was restored from it: for a drill on AWS, where
//! nobody stops the portal to compare.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use clap::Args;
use serde::Serialize;
use serde_json::Value;

use super::backup::{self, Backup, Place};
use crate::console::Console;

/// Parts of keys whose items count or come and go, and so have changed since for good reasons.
const COUNTS: [&str; 8] = [
    "ALERTS", "CENSUS", "COUNTED#", "JOB#", "LIMIT#", "METER", "REFUSALS", "TALLY#",
];

/// Attributes by which an item stands in an index. An event leaves one when it is sealed.
const LISTED: [&str; 4] = ["gsi1pk", "gsi1sk", "gsi2pk", "gsi2sk"];

/// Compare a restored table with the one that lives on, item by item.
///
/// An item of the restored table must be in the other one as it is, or with a later `version`, or be one
/// that counts, or be gone by a deletion; anything else cannot be explained. Region and credentials are
/// the usual ones of AWS. Prints JSON. Ends with 1 if anything cannot be explained, or nothing was
/// compared.
#[derive(Args)]
pub struct CompareTables {
    /// The table that lives on.
    #[arg(long)]
    live: String,
    /// The table that was restored.
    #[arg(long)]
    restored: String,
    /// Compare only every so-many-th item, in the order of their keys.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    every: u32,
}

/// What was found.
#[derive(Debug, Default, Serialize, PartialEq, Eq)]
pub(super) struct Found {
    /// Items of the restored table, and the digest of all.
    pub items: usize,
    pub digest: String,
    pub compared: usize,
    /// Byte for byte.
    pub same: usize,
    /// Written since.
    pub newer: usize,
    /// Deleted since.
    pub gone: usize,
    /// Keys of what cannot be explained, the first twenty, and how many there are.
    pub unexplained: usize,
    pub examples: Vec<String>,
}

/// Compares, and prints what was found.
pub async fn run(console: &Console, wanted: &CompareTables) -> anyhow::Result<()> {
    let config = aws_config::load_defaults(aws_config::BehaviorVersion::v2026_01_12());
    let client = aws_sdk_dynamodb::Client::new(&config.await);
    let restored = backup::export(&client, &wanted.restored).await;
    let restored = restored.with_context(|| format!("{} was not read", wanted.restored))?;
    let every = usize::try_from(wanted.every)?;
    let places: Vec<&Place> = restored.places().step_by(every).collect();
    let live = backup::read(&client, &wanted.live, places.iter().copied()).await;
    let live = live.with_context(|| format!("{} was not read", wanted.live))?;
    let found = compared(&restored, &places, &live)?;
    console.line(&serde_json::to_string(&found)?);
    ensure!(found.compared > 0, "{} is empty", wanted.restored);
    ensure!(found.unexplained == 0, "{} items differ", found.unexplained);
    Ok(())
}

fn compared(restored: &Backup, places: &[&Place], live: &Backup) -> anyhow::Result<Found> {
    let mut found = Found {
        items: restored.items(),
        digest: restored.digest(),
        compared: places.len(),
        ..Found::default()
    };
    for place in places {
        let old = restored.item(place)?;
        let Ok(new) = live.item(place) else {
            found.gone += 1;
            continue;
        };
        if old == new {
            found.same += 1;
        } else if is_newer(&place.0, old, new) {
            found.newer += 1;
        } else {
            found.unexplained += 1;
            if found.examples.len() < 20 {
                found.examples.push(format!("{} {}", place.0, place.1));
            }
        }
    }
    Ok(found)
}

type Item = BTreeMap<String, Value>;

fn is_newer(partition: &str, mut old: Item, mut new: Item) -> bool {
    let version = |it: &Item| it.get("version")?["N"].as_str()?.parse::<u64>().ok();
    match (version(&old), version(&new)) {
        (Some(old), Some(new)) => old < new,
        _ if COUNTS.iter().any(|it| partition.starts_with(it)) => true,
        _ => {
            for name in LISTED {
                old.remove(name);
                new.remove(name);
            }
            old == new
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backup(lines: &[&str]) -> Backup {
        Backup::read(lines.join("\n").as_bytes()).unwrap()
    }

    fn found(restored: &str, live: &[&str]) -> (usize, usize, usize, usize) {
        let restored = backup(&[restored]);
        let places: Vec<&Place> = restored.places().collect();
        let found = compared(&restored, &places, &backup(live)).unwrap();
        (found.same, found.newer, found.gone, found.unexplained)
    }

    #[test]
    fn what_has_a_later_version_or_counts_has_changed_and_anything_else_differs() {
        let row = r#"{"pk":{"S":"SHARE#1"},"sk":{"S":"LINK"},"version":{"N":"9"},"a":{"S":"x"}}"#;
        assert_eq!(found(row, &[row]), (1, 0, 0, 0));
        assert_eq!(found(row, &[]), (0, 0, 1, 0));
        let later = row.replace("\"9\"", "\"10\"").replace("\"x\"", "\"y\"");
        assert_eq!(found(row, &[&later]), (0, 1, 0, 0));
        let same_version = row.replace("\"x\"", "\"y\"");
        assert_eq!(found(row, &[&same_version]), (0, 0, 0, 1));
        let earlier = row.replace("\"9\"", "\"8\"");
        assert_eq!(found(row, &[&earlier]), (0, 0, 0, 1));
        let event = r#"{"pk":{"S":"TENANT#1#EVENTS"},"sk":{"S":"e"},"gsi1pk":{"S":"UNSEALED#00"}}"#;
        let sealed = r#"{"pk":{"S":"TENANT#1#EVENTS"},"sk":{"S":"e"}}"#;
        assert_eq!(found(event, &[sealed]), (0, 1, 0, 0));
        let counted = r#"{"pk":{"S":"COUNTED#2026"},"sk":{"S":"DAY"},"n":{"N":"1"}}"#;
        let counted_on = counted.replace("\"1\"", "\"2\"");
        assert_eq!(found(counted, &[&counted_on]), (0, 1, 0, 0));
    }
}
