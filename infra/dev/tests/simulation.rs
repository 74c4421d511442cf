//! The simulation in a small size, and what it notices.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use dev::simulation::{Mutant, Simulation};

/// How many histories fit into a coffee break of the continuous integration: twenty seconds on two cores.
const SMALL: u64 = 30;

/// Within how many histories each mistake has to be noticed.
const ENOUGH: u64 = 40;

/// `SIMULATION_HISTORIES` makes it as large as one likes.
fn wanted() -> u64 {
    let wanted = std::env::var("SIMULATION_HISTORIES").ok();
    wanted.and_then(|it| it.parse().ok()).unwrap_or(SMALL)
}

#[test]
fn every_history_ends_as_it_should() {
    let simulation = Simulation::new(None, false).unwrap();
    let next = AtomicU64::new(1);
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, Into::into) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::SeqCst);
                    if seed > wanted() {
                        return;
                    }
                    let history = simulation.history(seed).unwrap();
                    assert_eq!(
                        history.breach, None,
                        "cargo run -p dev -- simulate --seed {seed} --histories 1 --trace"
                    );
                }
            });
        }
    });
}

/// What the first history says in which a mistake is noticed.
fn noticed(mutant: Mutant) -> Option<&'static str> {
    let simulation = Simulation::new(Some(mutant), false).ok()?;
    let mut histories = (1..=ENOUGH).map_while(|seed| simulation.history(seed).ok());
    let breach = histories.find_map(|history| history.breach)?;
    Some(breach.invariant)
}

#[test]
fn an_answer_before_the_work_is_noticed_at_once() {
    assert_eq!(
        noticed(Mutant::AnswersEarly),
        Some("acknowledged-before-durable")
    );
}

#[test]
fn a_failure_that_is_answered_as_success_is_noticed() {
    assert_eq!(
        noticed(Mutant::SwallowsFailure),
        Some("acknowledged-before-durable")
    );
}

#[test]
fn a_letter_that_leaves_the_queue_too_early_is_missed() {
    assert_eq!(noticed(Mutant::DeletesFirst), Some("acknowledged-and-kept"));
}

#[test]
fn writes_without_guards_are_noticed() {
    assert_eq!(noticed(Mutant::Unguarded), Some("one-key-one-video"));
}

#[test]
fn an_event_that_takes_effect_twice_is_noticed() {
    assert_eq!(noticed(Mutant::UnguardedEvents), Some("told-once"));
}

#[test]
fn a_queue_that_forgets_is_noticed() {
    assert_eq!(
        noticed(Mutant::ForgetsQueue),
        Some("acknowledged-before-durable")
    );
}
