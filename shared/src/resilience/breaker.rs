//! The circuit breaker: a pure state machine. What it is told, and what it answers, is all there is;
//! the table keeps it, and every instance sees the same one.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

/// When a breaker opens and closes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Failures in a row that open it (S1-029).
    pub failures: u32,
    /// Trials that succeed until it closes (S1-030).
    pub successes: u32,
    /// How long nobody is let through once it has opened (S1-031).
    pub open_for: Duration,
    /// Trials at the same time, over all instances (S1-032).
    pub trials: usize,
    /// After so long a trial whose instance died makes room for another one: longer than a call may take.
    pub trial_life: Duration,
    /// Failures that are further apart are not in a row: a call an hour that fails is no outage.
    pub memory: Duration,
}

impl Settings {
    /// The founding documents' numbers (S1-029 to S1-032).
    pub const USUAL: Self = Self {
        failures: 5,
        successes: 3,
        open_for: Duration::seconds(30),
        trials: 2,
        trial_life: Duration::seconds(10),
        memory: Duration::minutes(1),
    };
}

/// How long somebody should wait who comes while others try.
const TRYING: Duration = Duration::seconds(2);

/// One vendor's breaker.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Breaker {
    /// Grows with each change of state: what was let through in another era says nothing about this one.
    pub era: u64,
    #[serde(flatten)]
    pub state: State,
    /// Grows with every write; the guard of the next one. 0 was never written.
    pub version: u64,
}

/// Whether calls are made.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum State {
    /// All are.
    Closed {
        /// In a row.
        failures: u32,
        /// When the last one was.
        #[serde(with = "time::serde::rfc3339::option")]
        last: Option<OffsetDateTime>,
    },
    /// None are.
    Open {
        /// When it last was closed: trials in vain do not make another outage of it.
        #[serde(with = "time::serde::rfc3339")]
        since: OffsetDateTime,
        #[serde(with = "time::serde::rfc3339")]
        until: OffsetDateTime,
    },
    /// A few are, to find out.
    HalfOpen {
        #[serde(with = "time::serde::rfc3339")]
        since: OffsetDateTime,
        /// By when each trial under way must be over.
        trials: Vec<Lease>,
        successes: u32,
    },
}

/// A trial's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Lease(#[serde(with = "time::serde::rfc3339")] pub OffsetDateTime);

/// What a call that was let through shows when it is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Permit {
    pub era: u64,
    /// It is one of the trials.
    pub trial: Option<Lease>,
}

/// What a call says about the vendor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// It works: it did what it was asked, or refused for a good reason.
    Well,
    /// It does not: it failed, or could not be reached, or was too slow.
    Ailing,
    /// That it works, but not whether it would have done it: it limits us, or was not asked.
    Neither,
}

/// Whether a call may be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    Pass(Permit),
    /// If this can be written in the place of what was read.
    Trial(Breaker, Permit),
    Refuse {
        wait: Duration,
    },
}

impl Default for Breaker {
    fn default() -> Self {
        Self {
            era: 0,
            state: State::Closed {
                failures: 0,
                last: None,
            },
            version: 0,
        }
    }
}

impl Breaker {
    /// Whether a call may be made now.
    pub fn admit(&self, settings: &Settings, now: OffsetDateTime) -> Admission {
        let lease = Lease(now + settings.trial_life);
        match &self.state {
            State::Closed { .. } => Admission::Pass(Permit {
                era: self.era,
                trial: None,
            }),
            State::Open { until, .. } if now < *until => Admission::Refuse { wait: *until - now },
            State::Open { since, .. } => {
                let trying = State::HalfOpen {
                    since: *since,
                    trials: vec![lease],
                    successes: 0,
                };
                self.change(trying).with_trial(lease)
            }
            State::HalfOpen {
                since,
                trials,
                successes,
            } => {
                let alive = trials.iter().filter(|it| now < it.0);
                let mut trials: Vec<Lease> = alive.copied().collect();
                if trials.len() >= settings.trials {
                    return Admission::Refuse { wait: TRYING };
                }
                trials.push(lease);
                let trying = State::HalfOpen {
                    since: *since,
                    trials,
                    successes: *successes,
                };
                self.stay(trying).with_trial(lease)
            }
        }
    }

    /// What becomes of it when a call is over; nothing, if that changes nothing.
    pub fn report(
        &self,
        settings: &Settings,
        permit: Permit,
        verdict: Verdict,
        now: OffsetDateTime,
    ) -> Option<Self> {
        if permit.era != self.era {
            return None;
        }
        match &self.state {
            State::Closed { failures, last } => match verdict {
                Verdict::Neither => None,
                Verdict::Well if *failures == 0 => None,
                Verdict::Well => Some(self.stay(State::Closed {
                    failures: 0,
                    last: None,
                })),
                Verdict::Ailing => {
                    let in_a_row = last.is_some_and(|it| now - it <= settings.memory);
                    let failures = if in_a_row { failures + 1 } else { 1 };
                    Some(if failures < settings.failures {
                        self.stay(State::Closed {
                            failures,
                            last: Some(now),
                        })
                    } else {
                        self.opened(settings, now, now)
                    })
                }
            },
            State::Open { .. } => None,
            State::HalfOpen {
                since,
                trials,
                successes,
            } => {
                let place = trials.iter().position(|it| Some(*it) == permit.trial)?;
                let mut trials = trials.clone();
                trials.remove(place);
                let successes = match verdict {
                    Verdict::Ailing => return Some(self.opened(settings, *since, now)),
                    Verdict::Neither => *successes,
                    Verdict::Well => successes + 1,
                };
                Some(if successes < settings.successes {
                    self.stay(State::HalfOpen {
                        since: *since,
                        trials,
                        successes,
                    })
                } else {
                    self.change(Self::default().state)
                })
            }
        }
    }

    fn opened(&self, settings: &Settings, since: OffsetDateTime, now: OffsetDateTime) -> Self {
        self.change(State::Open {
            since,
            until: now + settings.open_for,
        })
    }

    /// In another state.
    fn change(&self, state: State) -> Self {
        Self {
            era: self.era + 1,
            ..self.stay(state)
        }
    }

    /// In the same state, with other numbers.
    fn stay(&self, state: State) -> Self {
        Self {
            era: self.era,
            state,
            version: self.version + 1,
        }
    }

    fn with_trial(self, lease: Lease) -> Admission {
        let permit = Permit {
            era: self.era,
            trial: Some(lease),
        };
        Admission::Trial(self, permit)
    }

    pub fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed { .. })
    }

    /// Since when no call was let through but trials.
    pub fn open_since(&self) -> Option<OffsetDateTime> {
        match self.state {
            State::Closed { .. } => None,
            State::Open { since, .. } | State::HalfOpen { since, .. } => Some(since),
        }
    }
}
