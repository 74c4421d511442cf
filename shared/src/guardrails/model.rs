//! What is done when a month costs more than it should: at which part of a budget, to whom, and what is
//! undone. No I/O.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{
    dlq::Note,
    ids::{InvalidId, ShareId, TenantId, UserId},
    mux::Resolution,
};

/// Shares of a budget at which somebody is told, in percent (S0-013).
const THRESHOLDS: [u64; 4] = [50, 80, 100, 120];

/// What one link may cost of a month's budget, in ten-thousandths, before it is one that runs away: a
/// quarter. A link is for named people; one that costs so much is in other hands.
const RUNAWAY: u64 = 2_500;

/// So many links are paused by themselves in a month; more than that is no runaway link, and for people.
const PAUSED_MAX: usize = 200;

/// The tallest picture that new tokens play once the cap acts: the tier that Mux charges least for
/// (mux.com/blog/introducing-resolution-based-pricing).
pub const CAP: Resolution = Resolution::P720;

/// What can be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rail {
    /// New tokens play [`CAP`] at the most.
    CapResolution,
    /// Nobody begins an upload.
    PauseUploads,
    /// A link that runs away opens for nobody.
    PauseLinks,
}

impl Rail {
    pub const ALL: [Self; 3] = [Self::CapResolution, Self::PauseUploads, Self::PauseLinks];

    pub const fn name(self) -> &'static str {
        match self {
            Self::CapResolution => "cap-resolution",
            Self::PauseUploads => "pause-uploads",
            Self::PauseLinks => "pause-links",
        }
    }

    /// From which part of a budget on, in percent.
    pub const fn from(self) -> u64 {
        match self {
            Self::PauseLinks => 50,
            Self::CapResolution => 80,
            Self::PauseUploads => 100,
        }
    }
}

/// Whether something is done, or only told of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    Off,
    /// It is told of as if it were done. So everything begins.
    #[default]
    DryRun,
    Enforce,
}

/// What is done about what: `GUARDRAILS`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rails([Mode; Rail::ALL.len()]);

impl Rails {
    pub const fn mode(&self, rail: Rail) -> Mode {
        self.0[rail as usize]
    }

    /// `cap-resolution=enforce,pause-uploads=off`: who is not named stays a dry run. Each fault says
    /// where it is and shows nothing of what stands there.
    pub fn read(text: &str) -> Result<Self, Vec<String>> {
        let (mut rails, mut faults) = (Self::default(), Vec::new());
        let parts = text.split(',').map(str::trim).enumerate();
        for (place, part) in parts.filter(|(_, it)| !it.is_empty()) {
            let (name, mode) = part.split_once('=').unwrap_or((part, ""));
            let rail = Rail::ALL.into_iter().find(|it| it.name() == name.trim());
            let mode = match mode.trim() {
                "off" => Some(Mode::Off),
                "dry-run" => Some(Mode::DryRun),
                "enforce" => Some(Mode::Enforce),
                _ => None,
            };
            match (rail, mode) {
                (Some(rail), Some(mode)) => rails.0[rail as usize] = mode,
                (None, _) => faults.push(format!("has no guardrail at place {}", place + 1)),
                (Some(rail), None) => faults.push(format!("has no good value for {}", rail.name())),
            }
        }
        if faults.is_empty() {
            return Ok(rails);
        }
        Err(faults)
    }
}

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
    /// The highest threshold that was reached this month, in percent.
    pub reached: u64,
    /// What acts, or would.
    pub acting: BTreeSet<Rail>,
    /// What an operator has lifted for the rest of the month.
    pub lifted: BTreeMap<Rail, Lifted>,
    /// Links that ran away.
    pub paused: BTreeSet<ShareId>,
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
}

impl State {
    /// What is so after this look, and what that changes. With a new month everything begins anew.
    pub fn after(&self, month: &str, spent: &[Spent]) -> (Self, Vec<Change>) {
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
            let own = was.after(spent, &mut changes);
            if own != nothing {
                next.budgets.insert(spent.whose, own);
            }
        }
        // What is over: with its month, with what was spent, with its budget.
        for (whose, own) in &self.budgets {
            let now = next.budgets.get(whose).unwrap_or(&nothing);
            let over = own.acting.difference(&now.acting);
            changes.extend(over.map(|rail| Change::Ended(*whose, *rail)));
        }
        (next, changes)
    }

    /// Whether this is done to an organisation: for its own budget, or for that of all.
    pub fn acts(&self, rails: &Rails, rail: Rail, tenant: TenantId) -> bool {
        let of = [Whose::All, Whose::Tenant(tenant)];
        let mut own = of.iter().filter_map(|it| self.budgets.get(it));
        rails.mode(rail) == Mode::Enforce
            && own.any(|it| it.acting.contains(&rail) && !it.lifted.contains_key(&rail))
    }

    /// Whether this link is paused.
    pub fn pauses(&self, rails: &Rails, tenant: TenantId, share: ShareId) -> bool {
        let of = [Whose::All, Whose::Tenant(tenant)];
        let mut own = of.iter().filter_map(|it| self.budgets.get(it));
        rails.mode(Rail::PauseLinks) == Mode::Enforce
            && own.any(|it| {
                it.paused.contains(&share)
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
    fn after(&self, spent: &Spent, changes: &mut Vec<Change>) -> Self {
        let (mut next, whose) = (self.clone(), spent.whose);
        let percent = spent.used / 100;
        for threshold in THRESHOLDS {
            if percent >= threshold && self.reached < threshold {
                next.reached = threshold;
                changes.push(Change::Reached(whose, threshold));
            }
        }
        for rail in [Rail::CapResolution, Rail::PauseUploads] {
            // What Mux corrects downwards ends it again; that it was reached stays told.
            if percent < rail.from() {
                next.acting.remove(&rail);
            } else if next.acting.insert(rail) {
                changes.push(Change::Began(whose, rail));
            }
        }
        if percent >= Rail::PauseLinks.from() {
            for (share, used) in &spent.links {
                let room = next.paused.len() < PAUSED_MAX;
                if *used >= RUNAWAY && room && next.paused.insert(*share) {
                    changes.push(Change::Paused(whose, *share));
                }
            }
        }
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
            used,
            links: Vec::new(),
        }
    }

    fn after(state: &State, used: u64) -> (State, Vec<Change>) {
        state.after("2026-01", &[spent(Whose::All, used)])
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
        let (next, changes) = state.after("2026-02", &[spent(Whose::All, 0)]);
        let ended =
            [Rail::CapResolution, Rail::PauseUploads].map(|it| Change::Ended(Whose::All, it));
        assert_eq!(changes, ended);
        let (next, _) = next.after("2026-02", &[spent(Whose::All, 10_000)]);
        assert!(next.acts(&enforced(), Rail::PauseUploads, tenant(1)));
    }

    #[test]
    fn an_organisations_budget_touches_nobody_else() {
        let own = spent(Whose::Tenant(tenant(1)), 10_000);
        let (state, _) = State::default().after("2026-01", &[own]);
        assert!(state.acts(&enforced(), Rail::PauseUploads, tenant(1)));
        assert!(!state.acts(&enforced(), Rail::PauseUploads, tenant(2)));
    }

    #[test]
    fn a_dry_run_tells_and_does_nothing() {
        let (state, changes) = after(&State::default(), 10_000);
        assert_eq!(changes.len(), 5);
        for rail in Rail::ALL {
            assert!(!state.acts(&Rails::default(), rail, tenant(1)));
        }
    }

    #[test]
    fn a_link_that_costs_a_quarter_runs_away_once_half_of_the_budget_is_gone() {
        let of = |used, link| Spent {
            links: vec![(share(1), link), (share(2), 2_499)],
            ..spent(Whose::Tenant(tenant(1)), used)
        };
        let paused = |spent| {
            let (state, _) = State::default().after("2026-01", &[spent]);
            state.pauses(&enforced(), tenant(1), share(1))
        };
        assert!(!paused(of(4_999, 4_000)), "there is enough left");
        assert!(!paused(of(5_000, 2_499)));
        assert!(paused(of(5_000, 2_500)));
        let (state, _) = State::default().after("2026-01", &[of(5_000, 2_500)]);
        assert!(!state.pauses(&enforced(), tenant(1), share(2)));
        assert!(!state.pauses(&Rails::default(), tenant(1), share(1)));
    }

    #[test]
    fn what_is_not_understood_is_named_and_not_shown() {
        let faults = Rails::read("cap-resolution=hunter2,hunter2=off,pause-links").unwrap_err();
        let named = [
            "has no good value for cap-resolution",
            "has no guardrail at place 2",
            "has no good value for pause-links",
        ];
        assert_eq!(faults, named);
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
                    acting: BTreeSet::from([Rail::CapResolution]),
                    ..Own::default()
                },
            )]),
        };
        let json = r#"{"version":1,"month":"2026-01","budgets":{"ten_00000000000000000000000000":{"reached":80,"acting":["cap-resolution"],"lifted":{},"paused":[],"resumed":{}}}}"#;
        assert_eq!(serde_json::to_string(&state).unwrap(), json);
        assert_eq!(serde_json::from_str::<State>(json).unwrap(), state);
    }
}
