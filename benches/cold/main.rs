//! How long a webhook waits for a function that is not there yet: from the start of the process to the
//! first answer, beside the same function as a team would write it for Node; what it weighs, and the
//! memory it takes.
//!
//! `cargo build --release -p webhooks-mux && cargo bench -p benches --bench cold`
//!
//! Both speak to the same table through TLS on loopback, and to a Runtime API that notes when what came.
//! Both have one processor, the table and the rest of the bench another one, if there are two.
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a bench fails by panicking, and prints"
)]

mod function;
mod processors;
mod report;
mod runtime_api;
mod share;
mod stage;

use std::{path::PathBuf, process::ExitCode};

use clap::Parser;

use self::{
    function::{Function, Start},
    processors::Processors,
    share::Share,
    stage::Stage,
};

/// Measures how long a new process takes to its first webhook, beside the peer in Node.
///
/// Ends with 0 when it has measured, whether the goals are held or not; with 1 when it cannot measure.
#[derive(Parser)]
struct Arguments {
    /// How often each process is started
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    runs: u16,
    /// The function; what `cargo build --release -p webhooks-mux` makes if nobody says
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// Only says what would be measured
    #[arg(long)]
    dry_run: bool,
    #[arg(long, hide = true)]
    bench: bool,
}

/// What was measured of both, with the whole processor and with a share of it.
pub(crate) struct Figures {
    pub whole: Pair,
    pub share: Option<Pair>,
}

#[derive(Default)]
pub(crate) struct Pair {
    pub ours: Vec<Start>,
    pub peer: Vec<Start>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let ours = match Function::ours(arguments.binary.as_deref()) {
        Ok(ours) => ours,
        Err(refusal) => return refuse(&refusal),
    };
    if arguments.dry_run {
        println!(
            "{} starts of {} and of benches/peer/cold.mjs",
            arguments.runs, ours.name
        );
        return ExitCode::SUCCESS;
    }
    let peer = match Function::peer() {
        Ok(peer) => peer,
        Err(refusal) => return refuse(&refusal),
    };
    let share = Share::supported();
    let processors = Processors::divide();
    report::conditions(&arguments, &processors, &share, &peer);
    // After the division: the bench's threads are where this one is.
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let functions = [ours, peer];
    let measured = runtime.block_on(async {
        tokio::select! {
            figures = measure(arguments.runs, &functions, &processors, share.as_ref().ok()) => Some(figures),
            _ = tokio::signal::ctrl_c() => None, // what was started ends with its handle
        }
    });
    let Some(figures) = measured else {
        return refuse("interrupted");
    };
    report::table(&functions, &figures);
    ExitCode::SUCCESS
}

fn refuse(why: &str) -> ExitCode {
    eprintln!("{why}");
    ExitCode::FAILURE
}

/// Everybody has a turn in each round, so that a busy minute is everybody's.
async fn measure(
    runs: u16,
    [ours, peer]: &[Function; 2],
    processors: &Processors,
    share: Option<&Share>,
) -> Figures {
    let stage = Stage::new().await;
    let mut figures = Figures {
        whole: Pair::default(),
        share: share.map(|_| Pair::default()),
    };
    // Once without counting: files come from the disk the first time.
    ours.start(&stage, processors, None).await;
    peer.start(&stage, processors, None).await;
    for _ in 0..runs {
        let whole = &mut figures.whole;
        whole.ours.push(ours.start(&stage, processors, None).await);
        whole.peer.push(peer.start(&stage, processors, None).await);
        if let Some(pair) = &mut figures.share {
            pair.ours.push(ours.start(&stage, processors, share).await);
            pair.peer.push(peer.start(&stage, processors, share).await);
        }
    }
    figures
}
