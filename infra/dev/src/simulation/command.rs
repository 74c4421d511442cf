//! `cargo run -p dev -- simulate`: many histories on all cores, and what came of them.

use std::{
    collections::BTreeMap,
    io::IsTerminal,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Instant,
};

use anyhow::{Context, bail};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::{Counts, History, Mutant, Simulation};
use crate::console::Console;

#[derive(Args)]
pub struct Simulate {
    /// How many histories.
    #[arg(long, default_value_t = 10_000)]
    histories: u64,
    /// The seed of the first one; the next has the next number.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many at once; one per core, if not said.
    #[arg(long)]
    jobs: Option<usize>,
    /// A mistake to make around the product, which has to be noticed.
    #[arg(long)]
    mutant: Option<Mutant>,
    /// Say what happened in the last history, line by line.
    #[arg(long)]
    trace: bool,
}

/// What a run has seen so far.
#[derive(Default)]
struct Seen {
    held: u64,
    counts: Counts,
    virtual_seconds: f64,
    failed: Option<History>,
    broken: Option<anyhow::Error>,
}

/// Lives through histories until all held, one did not, or somebody interrupts.
pub async fn run(console: &Console, wanted: Simulate) -> anyhow::Result<()> {
    let stop = Arc::new(AtomicBool::new(false));
    let interrupted = tokio::spawn({
        let stop = Arc::clone(&stop);
        async move {
            if tokio::signal::ctrl_c().await.is_ok() {
                stop.store(true, Ordering::SeqCst);
            }
        }
    });
    let (wanted, started) = (Arc::new(wanted), Instant::now());
    let (all, stopped) = (Arc::clone(&wanted), Arc::clone(&stop));
    let seen = tokio::task::spawn_blocking(move || live_all(&all, &stopped)).await??;
    interrupted.abort();
    report(console, &wanted, &seen, started);
    if let Some(error) = seen.broken {
        return Err(error.context("the simulation itself failed"));
    }
    if let Some(history) = &seen.failed {
        fail(console, &wanted, history)?;
    }
    if seen.held < wanted.histories {
        bail!(
            "interrupted: {} of {} histories held",
            seen.held,
            wanted.histories
        );
    }
    Ok(())
}

fn live_all(wanted: &Simulate, stop: &AtomicBool) -> anyhow::Result<Seen> {
    let simulation = Simulation::new(wanted.mutant, wanted.trace)?;
    let (next, seen) = (AtomicU64::new(0), Mutex::new(Seen::default()));
    let bar = progress(wanted);
    let jobs = wanted
        .jobs
        .or_else(|| thread::available_parallelism().ok().map(Into::into))
        .unwrap_or(1);
    thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(|| {
                while !stop.load(Ordering::SeqCst) {
                    let number = next.fetch_add(1, Ordering::SeqCst);
                    if number >= wanted.histories {
                        return;
                    }
                    let own = wanted.seed.wrapping_add(number);
                    let history = simulation.history(own);
                    let history = history.with_context(|| format!("seed {own}"));
                    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                    if !seen.take(history) {
                        stop.store(true, Ordering::SeqCst);
                    }
                    bar.inc(1);
                }
            });
        }
    });
    bar.finish_and_clear();
    Ok(seen.into_inner().unwrap_or_else(PoisonError::into_inner))
}

impl Seen {
    /// Whether to go on after this one.
    fn take(&mut self, history: anyhow::Result<History>) -> bool {
        let history = match history {
            Ok(history) => history,
            Err(error) => {
                self.broken = Some(error);
                return false;
            }
        };
        for (what, count) in &history.counts {
            *self.counts.entry(what).or_default() += count;
        }
        self.virtual_seconds += history.virtual_seconds;
        let held = history.breach.is_none();
        self.held += u64::from(held);
        if !held || !history.trace.is_empty() {
            self.failed = Some(history);
        }
        held
    }
}

/// A bar on a terminal, nothing elsewhere.
fn progress(wanted: &Simulate) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(wanted.histories);
    let form = "{bar:40} {pos} of {len} histories, {per_sec}, {eta} left";
    if let Ok(style) = ProgressStyle::with_template(form) {
        bar.set_style(style);
    }
    bar
}

fn report(console: &Console, wanted: &Simulate, seen: &Seen, started: Instant) {
    if let Some(history) = seen.failed.as_ref().filter(|_| wanted.trace) {
        history.trace.iter().for_each(|line| console.line(line));
    }
    let row = |what: &str, number: &str| console.line(&format!("  {what:<34}{number:>14}"));
    row("histories that held", &seen.held.to_string());
    let counts: BTreeMap<_, _> = seen.counts.iter().collect();
    for (what, number) in counts {
        row(what, &number.to_string());
    }
    row(
        "virtual hours",
        &format!("{:.0}", seen.virtual_seconds / 3600.0),
    );
    let took = started.elapsed().as_secs_f64();
    row("real seconds", &format!("{took:.1}"));
}

fn fail(console: &Console, wanted: &Simulate, history: &History) -> anyhow::Result<()> {
    let Some(breach) = &history.breach else {
        return Ok(()); // it was kept for its trace
    };
    console.line(&format!(
        "\n  {}  {}",
        console.bold(breach.invariant),
        breach.found
    ));
    let mutant = wanted.mutant.and_then(|it| {
        let name = clap::ValueEnum::to_possible_value(&it)?;
        Some(format!(" --mutant {}", name.get_name()))
    });
    console.line(&format!(
        "\n  This history again, with its trace:\n  \
         cargo run -p dev -- simulate --seed {} --histories 1 --trace{}\n",
        history.seed,
        mutant.unwrap_or_default()
    ));
    bail!("seed {}: {} did not hold", history.seed, breach.invariant)
}
