//! `muxsim clock`.

use std::{io::Write, time::Duration};

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};

use super::client::Client;

#[derive(Args)]
pub(super) struct Clock {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    client: Client,
}

#[derive(Subcommand)]
enum Command {
    /// Let time pass: retries are made, tokens and addresses lapse
    Advance {
        /// How much, such as 90s, 6h or 2days
        #[arg(value_parser = super::faults::seconds)]
        by: u32,
        #[command(flatten)]
        client: Client,
    },
}

pub(super) async fn run(arguments: Clock) -> anyhow::Result<()> {
    let clock = match arguments.command {
        None => {
            arguments
                .client
                .ask(Method::GET, "/_muxsim/clock", None)
                .await?
        }
        Some(Command::Advance { by, client }) => {
            let body = json!({"advance_seconds": by});
            client
                .ask(Method::POST, "/_muxsim/clock", Some(&body))
                .await?
        }
    };
    show(&clock)
}

fn show(clock: &Value) -> anyhow::Result<()> {
    let now = clock["now"].as_str().unwrap_or_default();
    let ahead = Duration::from_secs(clock["ahead_seconds"].as_u64().unwrap_or(0));
    let ahead = humantime::format_duration(ahead);
    writeln!(anstream::stdout(), "{now}, ahead by {ahead}")?;
    Ok(())
}
