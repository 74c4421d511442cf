//! What can be said on the command line.

mod client;
mod clock;
mod events;
mod faults;
mod listen;
mod serve;

use clap::{Parser, Subcommand};

/// A stand-in for Mux Video: uploads, processing, signed webhooks and signed playback, offline.
///
/// Without a command it serves. Point Mux's SDK at it with `MUX_BASE_URL` and the token it prints.
#[derive(Parser)]
#[command(version, args_conflicts_with_subcommands = true, after_long_help = faults::table())]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: serve::Serve,
}

#[derive(Subcommand)]
enum Command {
    /// Serve; the same as without a command
    Serve(serve::Serve),
    /// Send an event that nothing caused
    Trigger(events::Trigger),
    /// Look at what happened, and send it again
    #[command(subcommand)]
    Events(events::Events),
    /// Pass every event on to an address, as it happens
    Listen(listen::Listen),
    /// Show the stand-in's time, and let it pass
    Clock(clock::Clock),
    /// Let things go wrong on purpose
    #[command(subcommand)]
    Faults(faults::Command),
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    match arguments.command {
        None => serve::run(arguments.serve).await,
        Some(Command::Serve(serve)) => serve::run(serve).await,
        Some(Command::Trigger(trigger)) => events::trigger(trigger).await,
        Some(Command::Events(command)) => events::run(command).await,
        Some(Command::Listen(arguments)) => listen::run(arguments).await,
        Some(Command::Clock(arguments)) => clock::run(arguments).await,
        Some(Command::Faults(command)) => faults::run(command).await,
    }
}
