//! Every state that the breaker can reach while three instances read, decide, write, fail and die in any
//! order, and while time passes in between. That the check can find something is checked, too: each
//! broken machine is caught.

mod world;

use stateright::{Checker, Model, Property};
use time::Duration;

use self::world::{Instance, NOW, SETTINGS, STEP, World};
use super::breaker::{Admission, Breaker, Permit, State, Verdict};

/// The machine as it is, or broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Machine {
    Right,
    /// Failures open it one too early.
    Hasty,
    /// It tries before its time is over.
    Early,
    /// A failed trial closes it.
    Blind,
    /// One good trial is enough.
    Trusting,
    /// It does not count its trials.
    Crowded,
    /// It listens to calls of another era.
    Forgetful,
    /// Once open, it stays so.
    Stuck,
}

impl Machine {
    fn admit(self, breaker: &Breaker) -> Admission {
        let mut seen = breaker.clone();
        match (self, &mut seen.state) {
            (Self::Early, State::Open { until, .. }) => *until = (*until - STEP).min(NOW + STEP),
            (Self::Crowded, State::HalfOpen { trials, .. }) => trials.truncate(1),
            (Self::Stuck, State::Open { until, .. }) => *until = NOW + STEP,
            _ => {}
        }
        seen.admit(&SETTINGS, NOW)
    }

    fn report(self, breaker: &Breaker, mut permit: Permit, verdict: Verdict) -> Option<Breaker> {
        let mut settings = SETTINGS;
        let mut seen = breaker.clone();
        let mut verdict = verdict;
        match (self, &mut seen.state) {
            (Self::Hasty, _) => settings.failures -= 1,
            (Self::Trusting, _) => settings.successes = 1,
            (Self::Blind, State::HalfOpen { successes, .. }) if verdict == Verdict::Ailing => {
                *successes = settings.successes;
                verdict = Verdict::Well;
            }
            (Self::Forgetful, state) => {
                permit.era = breaker.era;
                if let State::HalfOpen { trials, .. } = state {
                    permit.trial = permit.trial.or(trials.first().copied());
                }
            }
            _ => {}
        }
        seen.report(&settings, permit, verdict, NOW)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Action {
    TimePasses,
    Dies(usize),
    Begins(usize),
    Writes(usize),
    Hears(usize, Verdict),
    Reads(usize),
}

impl Model for Machine {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World::default()]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        if world.wrong.is_some() {
            return;
        }
        actions.push(Action::TimePasses);
        for (who, instance) in world.instances.iter().enumerate() {
            match instance {
                Instance::Idle => actions.push(Action::Begins(who)),
                Instance::Trying(_) | Instance::Reporting(..) => actions.push(Action::Writes(who)),
                Instance::Asking(_) => {
                    let verdicts = [Verdict::Well, Verdict::Ailing, Verdict::Neither];
                    actions.extend(verdicts.map(|it| Action::Hears(who, it)));
                }
                Instance::Over(..) => actions.push(Action::Reads(who)),
            }
            if *instance != Instance::Idle {
                actions.push(Action::Dies(who));
            }
        }
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        let mut world = world.clone();
        match action {
            Action::TimePasses => world.pass(),
            Action::Dies(who) => world.instances[who] = Instance::Idle,
            Action::Hears(who, verdict) => {
                let Instance::Asking(permit) = world.instances[who] else {
                    return None;
                };
                world.instances[who] = Instance::Over(permit, verdict);
            }
            Action::Begins(who) => match self.admit(&world.breaker) {
                Admission::Refuse { .. } => return None,
                Admission::Pass(permit) => {
                    if !world.breaker.is_closed() {
                        world.wrong = Some("somebody passed who should have tried");
                    }
                    world.instances[who] = Instance::Asking(permit);
                }
                Admission::Trial(next, permit) => {
                    world.instances[who] = Instance::Trying(Some((next, permit)));
                }
            },
            Action::Reads(who) => {
                let Instance::Over(permit, verdict) = world.instances[who] else {
                    return None;
                };
                let next = self.report(&world.breaker, permit, verdict);
                world.instances[who] = match next {
                    Some(next) => {
                        let failures = world.failures_after(verdict);
                        Instance::Reporting(permit, verdict, Some((next, failures)))
                    }
                    None => Instance::Idle,
                };
            }
            Action::Writes(who) => world.write(who),
        }
        Some(world.normal())
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("nothing is wrong", |_, world: &World| world.wrong.is_none()),
            Property::always("at most two try at once", |_, world: &World| {
                world.trials() <= SETTINGS.trials
            }),
            Property::always("there is a way back", |machine: &Self, world: &World| {
                machine.recovers(world)
            }),
            Property::sometimes("it opens", |_, world: &World| {
                matches!(world.breaker.state, State::Open { .. })
            }),
            Property::sometimes("two try", |_, world: &World| world.trials() == 2),
            Property::sometimes(
                "a trial outlives its time",
                |_, world: &World| matches!(&world.breaker.state, State::HalfOpen { trials, .. } if trials.iter().any(|it| it.0 <= NOW)),
            ),
            Property::sometimes("a call outlives its era", |_, world: &World| {
                let old = |it: &Instance| matches!(it, Instance::Asking(it) if it.era != world.breaker.era);
                world.instances.iter().any(old)
            }),
            Property::sometimes("two good trials", |_, world: &World| world.successes == 2),
            Property::sometimes("it closes again", |_, world: &World| {
                let old = |it: &Instance| matches!(it, Instance::Over(it, _) if it.era == 0);
                world.breaker.is_closed() && world.instances.iter().any(old)
            }),
        ]
    }
}

impl Machine {
    /// Whether one instance alone, with a vendor that works, closes it.
    fn recovers(self, world: &World) -> bool {
        if world.wrong.is_some() {
            return true; // said elsewhere
        }
        let mut breaker = world.breaker.clone();
        let mut world = world.clone();
        let mut waited = Duration::ZERO;
        while waited <= SETTINGS.open_for {
            waited += STEP;
            world.breaker = breaker;
            world.pass();
            breaker = world.breaker.clone();
        }
        for _ in 0..SETTINGS.successes {
            let permit = match self.admit(&breaker) {
                Admission::Refuse { .. } => return false,
                Admission::Pass(permit) => permit,
                Admission::Trial(next, permit) => {
                    breaker = next;
                    permit
                }
            };
            let after = self.report(&breaker, permit, Verdict::Well);
            breaker = after.unwrap_or(breaker);
        }
        breaker.is_closed()
    }
}

#[test]
fn no_interleaving_of_three_instances_breaks_the_breaker() {
    let checker = Machine::Right.checker().threads(2).spawn_bfs().join();
    assert!(checker.is_done());
    checker.assert_properties();
    // Not by looking at nothing.
    assert!(checker.unique_state_count() > 100_000);
}

#[test]
fn every_broken_breaker_is_caught() {
    for (machine, property) in [
        (Machine::Hasty, "nothing is wrong"),
        (Machine::Early, "nothing is wrong"),
        (Machine::Blind, "nothing is wrong"),
        (Machine::Trusting, "nothing is wrong"),
        (Machine::Crowded, "at most two try at once"),
        (Machine::Forgetful, "nothing is wrong"),
        (Machine::Stuck, "there is a way back"),
    ] {
        let found = machine
            .checker()
            .threads(2)
            .spawn_bfs()
            .join()
            .discovery(property);
        assert!(found.is_some(), "{machine:?} passes");
    }
}
