//! What a run did, and how far a comparison has come. No I/O.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::census::Counts;
use crate::{assets::Way, ids::AssetId};

/// What one run did.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Pass {
    /// Videos that something was still expected of.
    pub open: u32,
    /// Those that Mux was asked about.
    pub asked: u32,
    /// Those that the answer closed: nothing more is expected of them.
    pub closed: u32,
    /// Those that could not be asked about this time.
    pub failed: u32,
    /// Those that the answer brought further, of which a webhook should have told.
    pub missed: u32,
    /// What the comparison found that ended in this run, if one did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compared: Option<Findings>,
}

/// What a comparison found (S0-112). What is safe was healed; the rest is for people.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Findings {
    /// Assets that Mux has.
    pub at_mux: u32,
    /// Those that belong to a video here.
    pub ours_at_mux: u32,
    /// Videos here that nothing more was expected of.
    pub here: u32,
    /// Those that Mux knew something new of. Healed: it has been learnt.
    pub healed: u32,
    /// Assets at Mux that belong to no video here. Nobody deletes them: they may be another system's.
    pub unknown: u32,
    /// Assets of ours at Mux that anybody could watch who knows an id.
    pub public: u32,
    /// Videos that are deleted here, and that Mux still has.
    pub undeleted: u32,
    /// Videos here whose asset Mux does not have. Believed, and healed, when the next comparison finds
    /// the same, and only for a few: for many, something else is wrong.
    pub missing: u32,
    /// Links that ended because their video is gone. Healed.
    pub links_ended: u32,
    /// Links of a restored table that were taken back after its backup: their playback ids are gone.
    /// Healed: they are taken back again.
    pub links_withdrawn: u32,
    /// Links that would open if their video could be played, which it never will.
    pub links_idle: u32,
    /// Links that have been over for a quarter of an hour, and whose playback id still plays.
    pub links_uncut: u32,
    /// Signed playback ids of ours that belong to no link. Nobody was given them; those that are there
    /// for the second time are deleted.
    pub stray: u32,
    /// What could not be compared this time.
    pub failed: u32,
    /// How the videos here were closed.
    pub closed_by: BTreeMap<Way, u32>,
    /// The first few of what is unknown, public, undeleted or missing, by Mux's ids or ours.
    pub examples: Vec<String>,
}

/// Examples that are kept.
const EXAMPLES: usize = 20;

impl Findings {
    pub(super) fn example(&mut self, of: &str, id: &str) {
        if self.examples.len() < EXAMPLES {
            self.examples.push(format!("{of} {id}"));
        }
    }

    /// Whether there is something that only people can decide.
    pub fn wants_people(&self) -> bool {
        self.unknown + self.public + self.missing + self.links_idle + self.links_uncut > 0
    }
}

/// How often everything is compared.
const EVERY: Duration = Duration::days(1);

/// How far the comparison has come: a run goes on where the last one stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Comparison {
    #[serde(with = "time::serde::rfc3339")]
    pub started_at: OffsetDateTime,
    pub phase: Phase,
    pub findings: Findings,
    /// Videos here by status, as far as they were looked at.
    #[serde(default)]
    pub counts: Counts,
    /// Videos that Mux did not have the last time.
    #[serde(default)]
    pub suspects: BTreeSet<AssetId>,
    /// Those that it does not have this time; of many, the first ones.
    #[serde(default)]
    pub missing: BTreeSet<AssetId>,
    /// Playback ids that belonged to nobody the last time, by their digests.
    #[serde(default)]
    pub strays: BTreeSet<String>,
    /// Those that do this time; of many, the first ones.
    #[serde(default)]
    pub stray: BTreeSet<String>,
    /// When it last came further.
    #[serde(with = "time::serde::rfc3339")]
    pub progressed_at: OffsetDateTime,
    /// When one last ended.
    #[serde(with = "time::serde::rfc3339")]
    pub ended_at: OffsetDateTime,
    /// Grows with every write; the guard of the next one.
    pub version: u64,
}

/// Which half is being walked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(super) enum Phase {
    /// Mux's list, from a cursor on.
    Mux { cursor: Option<String> },
    /// Our videos, list by list, from a video on.
    Here { shard: u8, after: Option<AssetId> },
    /// Nothing, until it is time again.
    Done,
}

/// A comparison that comes no further for so long begins again: something keeps it at its place.
const STUCK: Duration = Duration::days(1);

/// How many videos may be missing and be believed to be gone: so many, or one in so many, and never
/// more than can be remembered.
const FEW: u32 = 10;
const ONE_IN: u32 = 20;
pub(super) const REMEMBERED: u32 = 1000;

impl Comparison {
    /// Before the first one: that begins a day later, when there is something to compare; or with the
    /// next run, in a table that was restored.
    pub(super) fn first(now: OffsetDateTime, restored: Option<OffsetDateTime>) -> Self {
        Self {
            started_at: restored.map_or(now, |it| it - EVERY),
            phase: Phase::Done,
            findings: Findings::default(),
            counts: Counts::new(),
            suspects: BTreeSet::new(),
            missing: BTreeSet::new(),
            strays: BTreeSet::new(),
            stray: BTreeSet::new(),
            progressed_at: now,
            ended_at: now,
            version: 0,
        }
    }

    /// The one to go on with, if there is something to do. In a table that was restored, and not yet
    /// compared since, that begins at once.
    pub(super) fn due(self, now: OffsetDateTime, restored: Option<OffsetDateTime>) -> Option<Self> {
        if restored.is_some_and(|it| self.started_at < it || self.phase == Phase::Done) {
            // What was missing before says nothing of what is now.
            return Some(Self {
                suspects: BTreeSet::new(),
                ..self.again(now)
            });
        }
        let stuck = now - self.progressed_at >= STUCK;
        match self.phase {
            Phase::Mux { .. } | Phase::Here { .. } if !stuck => Some(self),
            Phase::Done if now - self.started_at < EVERY => None,
            Phase::Mux { .. } | Phase::Here { .. } => Some(self.again(now)),
            Phase::Done => {
                let few = FEW.max(self.findings.here / ONE_IN).min(REMEMBERED);
                let suspects = if self.findings.missing <= few {
                    self.missing.clone()
                } else {
                    BTreeSet::new()
                };
                Some(Self {
                    suspects,
                    ..self.again(now)
                })
            }
        }
    }

    /// The same, from the beginning.
    pub(super) fn again(self, now: OffsetDateTime) -> Self {
        Self {
            started_at: now,
            progressed_at: now,
            phase: Phase::Mux { cursor: None },
            findings: Findings::default(),
            counts: Counts::new(),
            missing: BTreeSet::new(),
            strays: self.stray,
            stray: BTreeSet::new(),
            ..self
        }
    }
}

/// Whether it is a video's turn to be asked about.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Somebody may be waiting for it, or its hour has come.
    Now,
    /// It was begun long ago, and nothing is known to be wrong with it.
    IfThereIsTime,
    /// A webhook may still tell.
    NotYet,
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;
    use ulid::Ulid;

    use super::*;

    const NOON: OffsetDateTime = datetime!(2026-01-05 12:00 UTC);

    fn ended(here: u32, missing: u32) -> Comparison {
        let ids =
            (0..missing.min(REMEMBERED)).map(|it| Ulid::from_bytes(u128::from(it).to_be_bytes()));
        let mut comparison = Comparison::first(NOON, None);
        comparison.findings.here = here;
        comparison.findings.missing = missing;
        comparison.missing = ids.map(AssetId::from).collect();
        comparison
    }

    #[test]
    fn few_that_are_missing_are_suspected_and_many_are_not() {
        for (here, missing, suspected) in [
            (10, 10, 10),
            (10, 11, 0),
            (1_000, 50, 50),
            (1_000, 51, 0),
            (100_000, 1_000, 1_000),
            (100_000, 1_001, 0),
        ] {
            let next = ended(here, missing)
                .due(NOON + Duration::DAY, None)
                .unwrap();
            assert_eq!(next.suspects.len(), suspected, "{missing} of {here}");
            assert_eq!(next.missing.len(), 0);
        }
    }

    #[test]
    fn in_a_restored_table_it_begins_at_once_and_what_was_missing_before_is_not_suspected() {
        let (mut known, restored) = (ended(10, 2), NOON + Duration::MINUTE);
        known.suspects = known.missing.clone();
        let later = restored + Duration::MINUTE;
        assert_eq!(known.clone().due(later, None), None, "not for a day");
        let began = known.due(later, Some(restored)).unwrap();
        assert_eq!((began.started_at, began.suspects.len()), (later, 0));
        let goes_on = began.clone().due(later, Some(restored)).unwrap();
        assert_eq!(goes_on, began, "it goes on where it is");
        let first = Comparison::first(later, Some(restored));
        assert!(first.due(later, Some(restored)).is_some());
    }

    #[test]
    fn a_comparison_goes_on_as_long_as_it_comes_further() {
        let mut comparison = ended(0, 0).due(NOON + Duration::DAY, None).unwrap();
        comparison.phase = Phase::Here {
            shard: 3,
            after: None,
        };
        comparison.progressed_at = NOON + Duration::days(9);
        let later = comparison
            .clone()
            .due(NOON + Duration::days(9), None)
            .unwrap();
        assert_eq!(later.phase, comparison.phase);
        let stuck = comparison.due(NOON + Duration::days(10), None).unwrap();
        assert_eq!(stuck.phase, Phase::Mux { cursor: None });
    }
}
