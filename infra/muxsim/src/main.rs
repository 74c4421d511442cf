//! `muxsim`: the stand-in as a program of its own, and the handles of one that runs.

mod cli;

use std::{
    io::{ErrorKind, Write},
    process::ExitCode,
};

use clap::Parser;

fn main() -> ExitCode {
    let ended = tokio::runtime::Runtime::new()
        .map_err(Into::into)
        .and_then(|it| it.block_on(cli::run(cli::Arguments::parse())));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if nobody_reads_on(&error) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to tell if this fails.
            let _ = writeln!(anstream::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether a pipe was closed on the other side, as `head` does when it has seen enough.
fn nobody_reads_on(error: &anyhow::Error) -> bool {
    let mut causes = error
        .chain()
        .filter_map(|it| it.downcast_ref::<std::io::Error>());
    causes.any(|it| it.kind() == ErrorKind::BrokenPipe)
}
