//! What is kept of a look, and what a spent budget means for changes. No I/O.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::model::{Budget, Burn, Objective, Standing};
use crate::{dlq::Note, ids::UserId};

/// What is kept: whose budget burns too fast, whose is spent, and whether changes are frozen for it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// Grows with every write; the guard of the next one.
    pub version: u64,
    pub burning: BTreeMap<Objective, BTreeSet<Burn>>,
    /// Since when more was bad than may be.
    pub breached: BTreeMap<Objective, Breach>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lifted: Option<Lifted>,
}

/// A budget that is spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Breach {
    #[serde(with = "time::serde::rfc3339")]
    pub since: OffsetDateTime,
}

/// Somebody lets changes through although a budget is spent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lifted {
    /// Which budgets were spent then: another one freezes anew.
    pub of: BTreeSet<Objective>,
    pub by: UserId,
    pub reason: Note,
    #[serde(with = "time::serde::rfc3339")]
    pub until: OffsetDateTime,
}

/// What changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    Breached(Objective, Budget),
    Restored(Objective),
}

impl State {
    /// Whether nothing burns and nothing is spent.
    pub fn is_calm(&self) -> bool {
        self.burning.is_empty() && self.breached.is_empty()
    }

    /// Whether nothing may be changed that can wait: a budget is spent (S2-028), and nobody has answered
    /// for changing something all the same.
    pub fn is_frozen(&self, now: OffsetDateTime) -> bool {
        let lifted = self.lifted.as_ref().filter(|it| now < it.until);
        let answered = |it: &Objective| lifted.is_some_and(|lifted| lifted.of.contains(it));
        self.freezing().any(|it| !answered(&it))
    }

    /// Whose spent budgets freeze changes, unless somebody lifts that.
    pub fn freezing(&self) -> impl Iterator<Item = Objective> {
        self.breached.keys().copied().filter(|it| it.freezes())
    }

    /// How many objectives burn so that somebody is woken for it, or not.
    pub fn burning(&self, pages: bool) -> u64 {
        let such = |it: &&BTreeSet<Burn>| it.iter().any(|burn| burn.pages() == pages);
        self.burning.values().filter(such).count() as u64
    }

    /// What is so after this look, and what that changes.
    pub fn after(&self, now: OffsetDateTime, standings: &[Standing]) -> (Self, Vec<Change>) {
        let (mut next, mut changes) = (self.clone(), Vec::new());
        for standing in standings {
            let objective = standing.objective;
            let fast = standing.burning.iter().filter(|it| it.too_fast);
            let fast: BTreeSet<Burn> = fast.map(|it| it.window).collect();
            if fast.is_empty() {
                next.burning.remove(&objective);
            } else {
                next.burning.insert(objective, fast);
            }
            let was = self.breached.contains_key(&objective);
            match (was, standing.budget.is_breached()) {
                (false, true) => {
                    next.breached.insert(objective, Breach { since: now });
                    changes.push(Change::Breached(objective, standing.budget));
                }
                (true, false) => {
                    next.breached.remove(&objective);
                    changes.push(Change::Restored(objective));
                }
                (true, true) | (false, false) => {}
            }
        }
        // Who answered for one freeze did not answer for the next.
        if next.breached.is_empty() {
            next.lifted = None;
        }
        (next, changes)
    }
}

#[cfg(test)]
mod tests {
    use time::{Duration, macros::datetime};

    use super::{super::model::Tally, *};

    fn tally(good: u64, bad: u64) -> Tally {
        Tally { good, bad }
    }

    const NOON: OffsetDateTime = datetime!(2026-01-05 12:00 UTC);

    /// Everything is well but playback.
    fn standings(playback: Tally) -> [Standing; 5] {
        Objective::ALL.map(|objective| {
            Standing::of(objective, |_| match objective {
                Objective::Playback => playback,
                Objective::PlaybackErrors
                | Objective::Webhooks
                | Objective::Uploads
                | Objective::Latency => tally(1_000, 0),
            })
        })
    }

    #[test]
    fn a_spent_budget_freezes_changes_until_it_is_not_spent_any_more() {
        let (spent, changes) = State::default().after(NOON, &standings(tally(900, 100)));
        assert!(matches!(
            changes[..],
            [Change::Breached(Objective::Playback, _)]
        ));
        assert!(spent.is_frozen(NOON) && !spent.is_calm());
        assert_eq!((spent.burning(true), spent.burning(false)), (1, 1));
        let (same, changes) = spent.after(NOON, &standings(tally(900, 100)));
        assert_eq!((same, changes), (spent.clone(), Vec::new()));
        let (calm, changes) = spent.after(NOON, &standings(tally(1_000, 0)));
        assert_eq!(calm, State::default());
        assert_eq!(changes, [Change::Restored(Objective::Playback)]);
    }

    #[test]
    fn who_answers_for_one_freeze_lifts_it_for_a_time_and_not_the_next_one() {
        let (mut state, _) = State::default().after(NOON, &standings(tally(900, 100)));
        state.lifted = Some(Lifted {
            of: state.freezing().collect(),
            by: ulid::Ulid::from_bytes([0; 16]).into(),
            reason: Note::try_from("it is the fix".to_owned()).unwrap(),
            until: NOON + Duration::HOUR,
        });
        assert!(!state.is_frozen(NOON));
        assert!(state.is_frozen(NOON + Duration::HOUR));
        let mut other = state.clone();
        other
            .breached
            .insert(Objective::Uploads, Breach { since: NOON });
        assert!(other.is_frozen(NOON), "nobody answered for that");
        other.breached = BTreeMap::from([(Objective::PlaybackErrors, Breach { since: NOON })]);
        assert!(!other.is_frozen(NOON), "viewers freeze nothing");
        let (state, _) = state.after(NOON, &standings(tally(1_000, 0)));
        let (state, _) = state.after(NOON, &standings(tally(900, 100)));
        assert!(state.is_frozen(NOON));
    }
}
