//! The world of the check: one breaker in a table, and three instances that use it.

use time::{Duration, OffsetDateTime, macros::datetime};

use super::super::breaker::{Breaker, Lease, Permit, Settings, State, Verdict};

/// It is always this moment: when time passes, everything else moves into the past.
pub(super) const NOW: OffsetDateTime = datetime!(2026-01-05 12:00 UTC);

/// How far time moves at once.
pub(super) const STEP: Duration = Duration::seconds(10);

/// The usual numbers, with a shorter memory: there is less to forget.
pub(super) const SETTINGS: Settings = Settings {
    memory: STEP,
    ..Settings::USUAL
};

pub(super) const INSTANCES: usize = 3;

/// What one instance is at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Instance {
    Idle,
    /// Has decided to try, and not written it. Without it, somebody else has written.
    Trying(Option<(Breaker, Permit)>),
    /// Asks the vendor.
    Asking(Permit),
    /// Knows what to report, and has not read.
    Over(Permit, Verdict),
    /// Has read, and not written: what it will write, and the failures in a row as it saw them. Without
    /// it, somebody else has written.
    Reporting(Permit, Verdict, Option<(Breaker, u32)>),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct World {
    pub(super) breaker: Breaker,
    pub(super) instances: [Instance; INSTANCES],
    /// Failures since the last success, as somebody counts who sees every write.
    pub(super) failures: u32,
    /// Good trials since it was last tried.
    pub(super) successes: u32,
    pub(super) wrong: Option<&'static str>,
}

impl Default for World {
    fn default() -> Self {
        Self {
            breaker: Breaker::default(),
            instances: std::array::from_fn(|_| Instance::Idle),
            failures: 0,
            successes: 0,
            wrong: None,
        }
    }
}

impl World {
    /// Trials that are under way and in time.
    pub(super) fn trials(&self) -> usize {
        let tries = |it: &&Instance| match it {
            Instance::Asking(permit) | Instance::Over(permit, _) => {
                permit.era == self.breaker.era && permit.trial.is_some_and(|it| NOW < it.0)
            }
            Instance::Idle | Instance::Trying(_) | Instance::Reporting(..) => false,
        };
        self.instances.iter().filter(tries).count()
    }

    /// An instance writes what it has decided, if nobody has written in between.
    pub(super) fn write(&mut self, who: usize) {
        let (next, then, verdict) = match self.instances[who].clone() {
            Instance::Trying(Some((next, permit))) => (next, Instance::Asking(permit), None),
            Instance::Reporting(permit, verdict, Some((next, failures))) => {
                if permit.era != self.breaker.era {
                    self.wrong = Some("a call of another era is heard");
                }
                self.failures = failures;
                (next, Instance::Idle, Some(verdict))
            }
            // It reads again.
            Instance::Reporting(permit, verdict, None) => {
                self.instances[who] = Instance::Over(permit, verdict);
                return;
            }
            Instance::Idle | Instance::Trying(None) | Instance::Asking(_) | Instance::Over(..) => {
                self.instances[who] = Instance::Idle;
                return;
            }
        };
        self.judge(&next, verdict);
        self.breaker = next;
        self.instances[who] = then;
        for other in &mut self.instances {
            match other {
                Instance::Trying(next) => *next = None,
                Instance::Reporting(_, _, next) => *next = None,
                Instance::Idle | Instance::Asking(_) | Instance::Over(..) => {}
            }
        }
    }

    /// Whether this step is one of those that are allowed.
    fn judge(&mut self, next: &Breaker, verdict: Option<Verdict>) {
        let before = &self.breaker.state;
        if verdict == Some(Verdict::Well) && matches!(before, State::HalfOpen { .. }) {
            self.successes += 1;
        }
        let allowed = match (before, &next.state) {
            (State::Closed { .. }, State::Closed { failures, .. }) => {
                *failures == self.failures && *failures < SETTINGS.failures
            }
            (State::Closed { .. }, State::Open { .. }) => self.failures == SETTINGS.failures,
            (State::Open { until, .. }, State::HalfOpen { .. }) => {
                *until <= NOW && verdict.is_none()
            }
            (State::HalfOpen { .. }, State::HalfOpen { .. }) => verdict != Some(Verdict::Ailing),
            (State::HalfOpen { .. }, State::Open { .. }) => verdict == Some(Verdict::Ailing),
            (State::HalfOpen { .. }, State::Closed { .. }) => {
                self.successes == SETTINGS.successes && verdict == Some(Verdict::Well)
            }
            _ => false,
        };
        let same = std::mem::discriminant(before) == std::mem::discriminant(&next.state);
        if !allowed {
            self.wrong = Some("a step that is not allowed");
        }
        if same != (next.era == self.breaker.era) {
            self.wrong = Some("another state without another era");
        }
        if !same {
            (self.failures, self.successes) = (0, 0);
        }
    }

    /// How many failures in a row there are after one more call.
    pub(super) fn failures_after(&self, verdict: Verdict) -> u32 {
        let State::Closed { last, .. } = self.breaker.state else {
            return 0;
        };
        let lately = last.is_some_and(|it| NOW - it <= SETTINGS.memory);
        match verdict {
            Verdict::Ailing if lately => self.failures + 1,
            Verdict::Ailing => 1,
            Verdict::Well | Verdict::Neither => 0,
        }
    }

    pub(super) fn pass(&mut self) {
        shift(&mut self.breaker);
        let lease = |permit: &mut Permit| {
            if let Some(it) = &mut permit.trial {
                it.0 -= STEP;
            }
        };
        for instance in &mut self.instances {
            match instance {
                Instance::Idle | Instance::Trying(None) => {}
                Instance::Trying(Some((next, permit))) => {
                    shift(next);
                    lease(permit);
                }
                Instance::Asking(permit) | Instance::Over(permit, _) => lease(permit),
                Instance::Reporting(permit, _, next) => {
                    lease(permit);
                    if let Some((it, _)) = next {
                        shift(it);
                    }
                }
            }
        }
    }

    /// The same world, told with the smallest numbers: who is who, how long ago, and which era does not
    /// matter beyond what the machine compares.
    pub(super) fn normal(mut self) -> Self {
        let era = self.breaker.era;
        let renumber = |it: &mut u64| *it = u64::from(*it == era) + u64::from(*it > era) * 2;
        let floor = |it: &mut OffsetDateTime| *it = (*it).max(NOW - STEP * 2);
        let breaker = |it: &mut Breaker| {
            it.version = 0;
            renumber(&mut it.era);
            match &mut it.state {
                State::Closed { last, .. } => last.iter_mut().for_each(floor),
                State::Open { since, until } => {
                    *since = NOW;
                    floor(until);
                }
                State::HalfOpen { since, trials, .. } => {
                    *since = NOW;
                    for Lease(until) in trials.iter_mut() {
                        floor(until);
                    }
                    trials.sort_unstable();
                }
            }
        };
        let permit = |it: &mut Permit| {
            renumber(&mut it.era);
            if let Some(lease) = &mut it.trial {
                floor(&mut lease.0);
            }
            if it.era == 0 {
                it.trial = None; // whatever it was, nobody listens
            }
        };
        for instance in &mut self.instances {
            match instance {
                Instance::Idle | Instance::Trying(None) => {}
                Instance::Trying(Some((next, it))) => {
                    breaker(next);
                    permit(it);
                }
                Instance::Asking(it) | Instance::Over(it, _) => permit(it),
                Instance::Reporting(it, _, next) => {
                    permit(it);
                    if let Some((it, _)) = next {
                        breaker(it);
                    }
                }
            }
        }
        breaker(&mut self.breaker);
        self.instances.sort_unstable();
        self
    }
}

fn shift(breaker: &mut Breaker) {
    match &mut breaker.state {
        State::Closed { last, .. } => last.iter_mut().for_each(|it| *it -= STEP),
        State::Open { until, .. } => *until -= STEP,
        State::HalfOpen { trials, .. } => trials.iter_mut().for_each(|Lease(it)| *it -= STEP),
    }
}
