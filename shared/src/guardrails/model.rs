//! What is done when a month costs more than it should: at which part of a budget, to whom, and what is
//! undone. No I/O.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::rails::{Mode, Rail, Rails};
use crate::{
    costs::Money,
    dlq::Note,
    ids::{InvalidId, ShareId, TenantId, UserId},
};

/// Shares of a budget at which somebody is told, in percent (S0-013).
const THRESHOLDS: [u64; 4] = [50, 80, 100, 120];

/// What one link may cost of a month's budget, in ten-thousandths, before it is one that runs away: a
/// quarter. A link is for named people; one that costs so much is in other hands.
const RUNAWAY: u64 = 2_500;

/// So many links are paused by themselves in a month; more than that is no runaway link, and for people.
const PAUSED_MAX: usize = 200;

/// Whose budget: an organisation's, or that of all together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Whose {
    All,
    Tenant(TenantId),
}

impl From<Whose> for String {
    fn from(whose: Whose) -> Self {
        match whose {
            Whose::All => "all".to_owned(),
            Whose::Tenant(tenant) => tenant.to_string(),
        }
    }
}

impl TryFrom<String> for Whose {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.as_str() {
            "all" => Ok(Self::All),
            id => id.parse().map(Self::Tenant),
        }
    }
}

/// How a budget stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spent {
    pub whose: Whose,
    pub budget: Money,
    /// In ten-thousandths of the budget.
    pub used: u64,
    /// What links cost, in ten-thousandths of the budget.
    pub links: Vec<(ShareId, u64)>,
}

/// What is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// Grows with every write; the guard of the next one.
    pub version: u64,
    /// The month that this is about, as `2026-01`.
    pub month: String,
    pub budgets: BTreeMap<Whose, Own>,
}

/// What is so for one budget.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Own {
    /// What the budget was when this was written: with another one, thresholds are told of anew.
    pub budget: Money,
    /// The highest threshold that was reached this month, in percent.
    pub reached: u64,
    /// What acts, or would, and as which it was told of.
    pub acting: BTreeMap<Rail, Mode>,
    /// What an operator has lifted for the rest of the month.
    pub lifted: BTreeMap<Rail, Lifted>,
    /// Links that ran away, and as what that was told of.
    pub paused: BTreeMap<ShareId, Mode>,
    /// Those that an operator lets open all the same.
    pub resumed: BTreeMap<ShareId, Lifted>,
}

/// Who lifted it, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lifted {
    pub by: UserId,
    pub reason: Note,
}

/// What changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    Reached(Whose, u64),
    Began(Whose, Rail),
    Ended(Whose, Rail),
    Paused(Whose, ShareId),
    Unpaused(Whose, ShareId),
}

impl State {
    /// What is so after this look, and what that changes. With a new month everything begins anew.
    pub fn after(&self, rails: Rails, month: &str, spent: &[Spent]) -> (Self, Vec<Change>) {
        let mut next = Self {
            version: self.version,
            month: month.to_owned(),
            budgets: BTreeMap::new(),
        };
        let mut changes = Vec::new();
        let same = self.month == month;
        let nothing = Own::default();
        for spent in spent {
            let before = self.budgets.get(&spent.whose);
            let was = before.filter(|_| same).unwrap_or(&nothing);
            let own = was.after(rails, spent, &mut changes);
            if own.says_something() {
                next.budgets.insert(spent.whose, own);
            }
        }
        // What is over: with its month, with what was spent, with its budget.
        for (whose, own) in &self.budgets {
            let now = next.budgets.get(whose).unwrap_or(&nothing);
            let ended = own.acting.keys().filter(|it| !now.acting.contains_key(it));
            changes.extend(ended.map(|rail| Change::Ended(*whose, *rail)));
            let open = own.paused.keys().filter(|it| !now.paused.contains_key(it));
            changes.extend(open.map(|share| Change::Unpaused(*whose, *share)));
        }
        (next, changes)
    }

    /// Whether this is done to an organisation: for its own budget, or for that of all.
    pub fn acts(&self, rails: &Rails, rail: Rail, tenant: TenantId) -> bool {
        let of = [Whose::All, Whose::Tenant(tenant)];
        let mut own = of.iter().filter_map(|it| self.budgets.get(it));
        rails.mode(rail) == Mode::Enforce
            && own.any(|it| it.acting.contains_key(&rail) && !it.lifted.contains_key(&rail))
    }

    /// Whether this link is paused.
    pub fn pauses(&self, rails: &Rails, tenant: TenantId, share: ShareId) -> bool {
        let of = [Whose::All, Whose::Tenant(tenant)];
        let mut own = of.iter().filter_map(|it| self.budgets.get(it));
        rails.mode(Rail::PauseLinks) == Mode::Enforce
            && own.any(|it| {
                it.paused.contains_key(&share)
                    && !it.resumed.contains_key(&share)
                    && !it.lifted.contains_key(&Rail::PauseLinks)
            })
    }

    /// The highest threshold that any budget has reached, in percent.
    pub fn reached(&self) -> u64 {
        let reached = self.budgets.values().map(|it| it.reached);
        reached.max().unwrap_or_default()
    }
}

impl Own {
    fn says_something(&self) -> bool {
        self.reached > 0 || !self.acting.is_empty() || !self.paused.is_empty()
    }

    fn after(&self, rails: Rails, spent: &Spent, changes: &mut Vec<Change>) -> Self {
        let (mut next, whose) = (self.clone(), spent.whose);
        if self.budget != spent.budget {
            (next.budget, next.reached) = (spent.budget, 0);
        }
        let percent = spent.used / 100;
        for threshold in THRESHOLDS {
            if percent >= threshold && next.reached < threshold {
                next.reached = threshold;
                changes.push(Change::Reached(whose, threshold));
            }
        }
        for rail in [Rail::CapResolution, Rail::PauseUploads] {
            // What Mux corrects downwards ends it again; that it was reached stays told.
            let mode = rails.mode(rail);
            if percent < rail.from() || mode == Mode::Off {
                next.acting.remove(&rail);
            } else if next.acting.insert(rail, mode) != Some(mode) {
                changes.push(Change::Began(whose, rail));
            }
        }
        let mode = rails.mode(Rail::PauseLinks);
        let half = percent >= Rail::PauseLinks.from() && mode != Mode::Off;
        let ran = spent.links.iter().filter(|it| half && it.1 >= RUNAWAY);
        next.paused = ran.map(|it| (it.0, mode)).take(PAUSED_MAX).collect();
        let new = next.paused.keys();
        let new = new.filter(|it| self.paused.get(it) != Some(&mode));
        changes.extend(new.map(|share| Change::Paused(whose, *share)));
        next
    }
}

#[cfg(test)]
mod tests {
    use ulid::Ulid;

    use super::*;

    fn tenant(number: u8) -> TenantId {
        Ulid::from_bytes([number; 16]).into()
    }

    fn share(number: u8) -> ShareId {
        Ulid::from_bytes([number; 16]).into()
    }

    fn enforced() -> Rails {
        Rails::read("cap-resolution=enforce, pause-uploads=enforce,pause-links=enforce,").unwrap()
    }

    fn spent(whose: Whose, used: u64) -> Spent {
        Spent {
            whose,
            budget: Money::of_micros(100_000_000),
            used,
            links: Vec::new(),
        }
    }

    fn after(state: &State, used: u64) -> (State, Vec<Change>) {
        state.after(enforced(), "2026-01", &[spent(Whose::All, used)])
    }

    #[test]
    fn each_threshold_is_told_of_once_and_acts_from_its_part_on() {
        let all = Whose::All;
        let (state, changes) = after(&State::default(), 4_999);
        assert_eq!((state.reached(), changes), (0, Vec::new()));
        let (state, changes) = after(&state, 5_000);
        assert_eq!(changes, [Change::Reached(all, 50)]);
        let (state, changes) = after(&state, 9_999);
        let cap = Change::Began(all, Rail::CapResolution);
        assert_eq!(changes, [Change::Reached(all, 80), cap]);
        assert!(state.acts(&enforced(), Rail::CapResolution, tenant(1)));
        assert!(!state.acts(&enforced(), Rail::PauseUploads, tenant(1)));
        let (state, changes) = after(&state, 12_000);
        let pause = Change::Began(all, Rail::PauseUploads);
        let reached = [Change::Reached(all, 100), Change::Reached(all, 120)];
        assert_eq!(changes, [reached[0], reached[1], pause]);
        assert_eq!(after(&state, 12_000), (state.clone(), Vec::new()));
        let (state, changes) = after(&state, 9_000);
        assert_eq!(changes, [Change::Ended(all, Rail::PauseUploads)]);
        assert_eq!(state.reached(), 120, "that it was is not untold");
    }

    #[test]
    fn a_new_month_begins_anew_and_lifts_nothing() {
        let (mut state, _) = after(&State::default(), 10_000);
        let by = Ulid::from_bytes([0; 16]).into();
        let reason = Note::try_from("the season".to_owned()).unwrap();
        let lifted = Lifted { by, reason };
        let own = state.budgets.get_mut(&Whose::All).unwrap();
        own.lifted.insert(Rail::PauseUploads, lifted);
        assert!(!state.acts(&enforced(), Rail::PauseUploads, tenant(1)));
        let (next, changes) = state.after(enforced(), "2026-02", &[spent(Whose::All, 0)]);
        let ended =
            [Rail::CapResolution, Rail::PauseUploads].map(|it| Change::Ended(Whose::All, it));
        assert_eq!(changes, ended);
        let (next, _) = next.after(enforced(), "2026-02", &[spent(Whose::All, 10_000)]);
        assert!(next.acts(&enforced(), Rail::PauseUploads, tenant(1)));
    }

    #[test]
    fn an_organisations_budget_touches_nobody_else() {
        let own = spent(Whose::Tenant(tenant(1)), 10_000);
        let (state, _) = State::default().after(enforced(), "2026-01", &[own]);
        assert!(state.acts(&enforced(), Rail::PauseUploads, tenant(1)));
        assert!(!state.acts(&enforced(), Rail::PauseUploads, tenant(2)));
    }

    #[test]
    fn a_dry_run_tells_and_does_nothing_and_that_it_is_enforced_is_told_then() {
        let all = [spent(Whose::All, 10_000)];
        let (state, changes) = State::default().after(Rails::default(), "2026-01", &all);
        assert_eq!(changes.len(), 5);
        for rail in Rail::ALL {
            assert!(!state.acts(&Rails::default(), rail, tenant(1)));
        }
        let (_, changes) = state.after(enforced(), "2026-01", &all);
        let began =
            [Rail::CapResolution, Rail::PauseUploads].map(|it| Change::Began(Whose::All, it));
        assert_eq!(changes, began);
        let off = Rails::read("cap-resolution=off,pause-uploads=off").unwrap();
        let (_, changes) = State::default().after(off, "2026-01", &all);
        assert_eq!(changes.len(), 3, "what is off tells nothing but thresholds");
    }

    #[test]
    fn a_budget_that_is_raised_is_told_of_anew() {
        let (state, _) = after(&State::default(), 10_000);
        let more = Spent {
            budget: Money::of_micros(1_000_000_000),
            ..spent(Whose::All, 5_000)
        };
        let (_, changes) = state.after(enforced(), "2026-01", &[more]);
        assert_eq!(changes[0], Change::Reached(Whose::All, 50));
    }

    #[test]
    fn a_link_that_costs_a_quarter_runs_away_once_half_of_the_budget_is_gone() {
        let of = |used, link| Spent {
            links: vec![(share(1), link), (share(2), 2_499)],
            ..spent(Whose::Tenant(tenant(1)), used)
        };
        let paused = |spent| {
            let (state, _) = State::default().after(enforced(), "2026-01", &[spent]);
            state.pauses(&enforced(), tenant(1), share(1))
        };
        assert!(!paused(of(4_999, 4_000)), "there is enough left");
        assert!(!paused(of(5_000, 2_499)));
        assert!(paused(of(5_000, 2_500)));
        let (state, _) = State::default().after(enforced(), "2026-01", &[of(5_000, 2_500)]);
        assert!(!state.pauses(&enforced(), tenant(1), share(2)));
        assert!(!state.pauses(&Rails::default(), tenant(1), share(1)));
        // Mux corrects it, or a month begins: it opens again, and that is told.
        let (_, changes) = state.after(enforced(), "2026-01", &[of(5_000, 2_499)]);
        let open = [Change::Unpaused(Whose::Tenant(tenant(1)), share(1))];
        assert_eq!(changes, open);
        let (_, changes) = state.after(enforced(), "2026-02", &[]);
        assert_eq!(changes, open);
    }

    #[test]
    fn the_stored_form_is_stable() {
        let state = State {
            version: 1,
            month: "2026-01".to_owned(),
            budgets: BTreeMap::from([(
                Whose::Tenant(tenant(0)),
                Own {
                    reached: 80,
                    acting: BTreeMap::from([(Rail::CapResolution, Mode::DryRun)]),
                    ..Own::default()
                },
            )]),
        };
        let json = r#"{"version":1,"month":"2026-01","budgets":{"ten_00000000000000000000000000":{"budget":"0.000000","reached":80,"acting":{"cap-resolution":"dry-run"},"lifted":{},"paused":{},"resumed":{}}}}"#;
        assert_eq!(serde_json::to_string(&state).unwrap(), json);
        assert_eq!(serde_json::from_str::<State>(json).unwrap(), state);
    }
}
