//! `audit-verify`: checks an export of the audit log without trusting whoever made it.

mod cli;

use std::{io::Write, process::ExitCode};

use clap::Parser;

/// What the exit code says.
const UNUSABLE: u8 = 2;

fn main() -> ExitCode {
    match cli::run(&cli::Arguments::parse()) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            // Nobody is left to tell if this fails.
            let _ = writeln!(anstream::stderr(), "error: {error}");
            ExitCode::from(UNUSABLE)
        }
    }
}
