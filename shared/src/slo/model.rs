//! What is promised, how much of it may be broken, and how fast that is being used up. No I/O.

use std::iter::Sum;

use serde::{Deserialize, Serialize};
use time::Duration;

/// A million: shares are counted in millionths, so that nothing is rounded.
const MILLION: u64 = 1_000_000;

/// Over how long a promise is kept or broken: thirty days that move (S2-031).
pub(super) const PERIOD: Duration = Duration::days(30);

/// Minutes of the period: a budget is easier to grasp in these.
const PERIOD_MINUTES: u64 = 30 * 24 * 60;

/// With fewer failures than this no budget is spent and no alert raised: one failure among three requests
/// of a night is no trend.
const FEW: u64 = 5;

/// Everything that is promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Objective {
    /// A good link is answered with something to play (S0-035, S2-031).
    Playback,
    /// What was begun to be played plays without an error (S2-031).
    PlaybackErrors,
    /// Webhooks are dealt with when they come (S0-104).
    Webhooks,
    /// Who wishes to upload is given an address to upload to (S1-075).
    Uploads,
    /// Requests are answered within `SLOW`.
    Latency,
}

/// An answer that took longer is too late: somebody looks at a page and waits, and after a second they
/// notice that they do (Nielsen, Usability Engineering, chapter 5).
pub const SLOW: Duration = Duration::SECOND;

impl Objective {
    pub const ALL: [Self; 5] = [
        Self::Playback,
        Self::PlaybackErrors,
        Self::Webhooks,
        Self::Uploads,
        Self::Latency,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Playback => "playback",
            Self::PlaybackErrors => "playback-errors",
            Self::Webhooks => "webhooks",
            Self::Uploads => "uploads",
            Self::Latency => "latency",
        }
    }

    /// Of a million, so many must be good.
    pub const fn target(self) -> u64 {
        match self {
            Self::Playback | Self::Uploads => 999_000,
            Self::Webhooks => 995_000,
            Self::PlaybackErrors | Self::Latency => 990_000,
        }
    }

    /// Whether changes are frozen when its budget is spent. What viewers tell can be made up by whoever holds
    /// a link: it is alerted of, and stops nobody.
    pub const fn freezes(self) -> bool {
        !matches!(self, Self::PlaybackErrors)
    }

    /// Of a million, so many may be bad.
    pub const fn allowed(self) -> u64 {
        MILLION - self.target()
    }
}

/// What was good and what was bad in some time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    pub good: u64,
    pub bad: u64,
}

impl Tally {
    pub const fn total(self) -> u64 {
        self.good + self.bad
    }
}

impl Sum for Tally {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, it| Self {
            good: sum.good + it.good,
            bad: sum.bad + it.bad,
        })
    }
}

/// A budget: what may be bad in the period, given how much there was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Budget {
    pub good: u64,
    pub bad: u64,
    /// Of what there was, so many millionths may be bad.
    pub allowed_millionths: u64,
    /// How much of the budget is spent, in millionths; more than a million is too much.
    pub spent_millionths: u64,
    /// The same in minutes of the period in which everything would have been bad.
    pub spent_minutes: u64,
    /// How many such minutes there are.
    pub allowed_minutes: u64,
}

impl Budget {
    pub fn of(objective: Objective, tally: Tally) -> Self {
        let allowed = objective.allowed();
        Self {
            good: tally.good,
            bad: tally.bad,
            allowed_millionths: allowed,
            spent_millionths: burn(objective, tally),
            spent_minutes: share(tally, PERIOD_MINUTES),
            allowed_minutes: PERIOD_MINUTES * allowed / MILLION,
        }
    }

    /// Whether more was bad than may be, and not only a few.
    pub const fn is_breached(&self) -> bool {
        self.spent_millionths > MILLION && self.bad >= FEW
    }
}

/// What is bad of everything there was, times `whole`. Nothing at all is no failure.
fn share(tally: Tally, whole: u64) -> u64 {
    let bad = u128::from(tally.bad) * u128::from(whole);
    let share = bad / u128::from(tally.total().max(1));
    u64::try_from(share).unwrap_or(u64::MAX)
}

/// How many times as fast as the budget allows, in millionths: at a million it lasts exactly for the
/// period.
fn burn(objective: Objective, tally: Tally) -> u64 {
    let bad = u128::from(tally.bad) * u128::from(MILLION) * u128::from(MILLION);
    let may = u128::from(tally.total().max(1)) * u128::from(objective.allowed());
    u64::try_from(bad / may).unwrap_or(u64::MAX)
}

/// How fast a budget may burn, over two windows: the long one says that it matters, the short one that
/// it goes on (Google, The Site Reliability Workbook, chapter 5: alerting on SLOs).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Burn {
    /// Two hundredths of the budget within an hour.
    Hour,
    /// Five hundredths within six hours.
    SixHours,
    /// A tenth within a day.
    Day,
    /// A tenth within three days.
    ThreeDays,
}

impl Burn {
    pub const ALL: [Self; 4] = [Self::Hour, Self::SixHours, Self::Day, Self::ThreeDays];

    /// From which rate on, in millionths.
    pub const fn rate(self) -> u64 {
        match self {
            Self::Hour => 14_400_000,
            Self::SixHours => 6_000_000,
            Self::Day => 3_000_000,
            Self::ThreeDays => 1_000_000,
        }
    }

    pub const fn long(self) -> Duration {
        match self {
            Self::Hour => Duration::HOUR,
            Self::SixHours => Duration::hours(6),
            Self::Day => Duration::DAY,
            Self::ThreeDays => Duration::days(3),
        }
    }

    /// A twelfth of the long one.
    pub fn short(self) -> Duration {
        self.long() / 12
    }

    /// Whether somebody is woken for it; else it is for the next morning.
    pub const fn pages(self) -> bool {
        matches!(self, Self::Hour | Self::SixHours)
    }
}

/// How fast the budget of one objective burns by one pair of windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Burning {
    pub window: Burn,
    /// Rates, and from which on it is too fast, in millionths.
    pub long: u64,
    pub short: u64,
    pub limit: u64,
    pub too_fast: bool,
}

impl Burning {
    /// `within` says what there was in the last so much time.
    pub fn of(objective: Objective, window: Burn, within: impl Fn(Duration) -> Tally) -> Self {
        let (long, short) = (within(window.long()), within(window.short()));
        let rate = |tally| burn(objective, tally);
        let fast = |tally| rate(tally) >= window.rate();
        Self {
            window,
            long: rate(long),
            short: rate(short),
            limit: window.rate(),
            too_fast: long.bad >= FEW && fast(long) && fast(short),
        }
    }
}

/// How it stands with one promise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    pub objective: Objective,
    /// Of a million, so many must be good.
    pub target_millionths: u64,
    pub budget: Budget,
    pub burning: [Burning; 4],
}

impl Standing {
    /// `within` says what there was in the last so much time.
    pub fn of(objective: Objective, within: impl Fn(Duration) -> Tally) -> Self {
        Self {
            objective,
            target_millionths: objective.target(),
            budget: Budget::of(objective, within(PERIOD)),
            burning: Burn::ALL.map(|it| Burning::of(objective, it, &within)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(good: u64, bad: u64) -> Tally {
        Tally { good, bad }
    }

    #[test]
    fn a_budget_is_spent_to_the_minute() {
        // One request a minute for thirty days, and forty-three minutes in which all of them failed.
        let budget = Budget::of(Objective::Playback, tally(43_200 - 43, 43));
        assert_eq!((budget.allowed_minutes, budget.spent_minutes), (43, 43));
        assert_eq!(budget.spent_millionths, 995_370);
        assert!(!budget.is_breached());
        let budget = Budget::of(Objective::Playback, tally(43_200 - 44, 44));
        assert!(budget.is_breached());
    }

    #[test]
    fn what_nobody_asked_for_breaks_no_promise() {
        for objective in Objective::ALL {
            let budget = Budget::of(objective, Tally::default());
            assert_eq!((budget.spent_millionths, budget.is_breached()), (0, false));
            for window in Burn::ALL {
                assert!(!Burning::of(objective, window, |_| Tally::default()).too_fast);
            }
        }
    }

    #[test]
    fn what_is_exactly_as_bad_as_it_may_be_burns_at_one() {
        for objective in Objective::ALL {
            let exactly = tally(objective.target(), objective.allowed());
            assert_eq!(burn(objective, exactly), MILLION);
            assert!(!Budget::of(objective, exactly).is_breached());
        }
    }

    #[test]
    fn both_windows_must_burn() {
        let bad = tally(900, 100); // a hundred times too fast for playback
        let well = tally(1_000, 0);
        for window in Burn::ALL {
            let (long, short) = (window.long(), window.short());
            let of = |when_long, when_short| {
                let within = |it| {
                    if it == long {
                        when_long
                    } else {
                        assert_eq!(it, short);
                        when_short
                    }
                };
                Burning::of(Objective::Playback, window, within).too_fast
            };
            assert!(of(bad, bad));
            assert!(!of(bad, well), "it is over");
            assert!(!of(well, bad), "it does not matter yet");
        }
    }

    #[test]
    fn each_pair_has_its_rate_and_the_ones_of_the_book() {
        // At each rate, for the long window, this much of the budget is gone.
        let spent = Burn::ALL.map(|it| {
            let share =
                u128::from(it.rate()) * u128::from(it.long().whole_minutes().unsigned_abs());
            share / u128::from(PERIOD_MINUTES)
        });
        assert_eq!(spent, [20_000, 50_000, 100_000, 100_000]);
        let at = |bad| {
            Burning::of(Objective::Webhooks, Burn::Hour, |_| {
                tally(10_000 - bad, bad)
            })
        };
        assert!(!at(719).too_fast);
        assert!(at(720).too_fast);
    }

    #[test]
    fn a_few_failures_of_a_quiet_night_wake_nobody() {
        let few = |_| tally(1, FEW - 1);
        assert!(!Burning::of(Objective::Uploads, Burn::Hour, few).too_fast);
        let enough = |_| tally(1, FEW);
        assert!(Burning::of(Objective::Uploads, Burn::Hour, enough).too_fast);
    }
}
