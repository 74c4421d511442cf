//! `muxsim faults`.

use std::{collections::BTreeMap, io::Write, time::Duration};

use anyhow::Context;
use clap::{Args, Subcommand};
use muxsim::{Fault, Faults};
use reqwest::Method;
use serde_json::{Value, json};

use super::client::Client;

/// One fault and how often it strikes: `duplicate=0.2`.
pub(super) fn rate(text: &str) -> anyhow::Result<(Fault, f64)> {
    let (name, rate) = text
        .split_once('=')
        .context("a fault is written as duplicate=0.2")?;
    let fault: Fault = name.parse()?;
    let rate = rate.parse().ok().filter(|it| (0.0..=1.0).contains(it));
    Ok((fault, rate.context("a rate is between 0 and 1")?))
}

/// All faults and what they do, for whoever asks for help.
pub(super) fn table() -> String {
    let all = Fault::ALL.iter();
    let rows = all.map(|it| format!("\n  {:<18} {}", it.name(), it.what()));
    format!("Faults:{}", rows.collect::<String>())
}

/// What else there is to say of faults.
#[derive(Args)]
pub(super) struct Numbers {
    /// Another seed is another run of the faults; the same one repeats it
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// How far ahead the stand-in's clock is in what it signs and writes, such as 10m or -10m
    #[arg(long, allow_hyphen_values = true, value_parser = skew, value_name = "DURATION")]
    skew: Option<i64>,
    /// How much later a delayed event is sent
    #[arg(long, default_value = "1m", value_parser = seconds, value_name = "DURATION")]
    delay: u32,
    /// How long something slow or stalled takes
    #[arg(long, default_value = "2s", value_parser = seconds, value_name = "DURATION")]
    pause: u32,
}

impl Numbers {
    pub(super) fn of(self, faults: Vec<(Fault, f64)>) -> Faults {
        Faults {
            seed: self.seed,
            rates: BTreeMap::from_iter(faults),
            skew_seconds: self.skew.unwrap_or(0),
            delay_seconds: self.delay,
            pause_seconds: self.pause,
        }
    }
}

/// A length of time in whole seconds, rounded up: none at all was not meant.
pub(super) fn seconds(text: &str) -> anyhow::Result<u32> {
    let length: Duration = text.parse::<humantime::Duration>()?.into();
    let seconds = length.as_secs() + u64::from(length.subsec_nanos() > 0);
    u32::try_from(seconds).context("that is more than a century")
}

fn skew(text: &str) -> anyhow::Result<i64> {
    match text.strip_prefix('-') {
        Some(behind) => Ok(-i64::from(seconds(behind)?)),
        None => Ok(seconds(text)?.into()),
    }
}

#[derive(Subcommand)]
pub(super) enum Command {
    /// Name all faults, what they do, and how often each strikes now
    List {
        #[command(flatten)]
        client: Client,
    },
    /// Let these strike from now on, and no others
    Set {
        /// Such as duplicate=0.2
        #[arg(required_unless_present = "skew", value_parser = rate)]
        faults: Vec<(Fault, f64)>,
        #[command(flatten)]
        numbers: Numbers,
        #[command(flatten)]
        client: Client,
    },
    /// Let nothing strike any more
    Clear {
        #[command(flatten)]
        client: Client,
    },
    /// Show what struck what
    Log {
        #[command(flatten)]
        client: Client,
    },
}

const PATH: &str = "/_muxsim/faults";

pub(super) async fn run(command: Command) -> anyhow::Result<()> {
    let faults = match command {
        Command::List { client } => client.ask(Method::GET, PATH, None).await?,
        Command::Set {
            faults,
            numbers,
            client,
        } => {
            let faults = numbers.of(faults);
            client.ask(Method::PUT, PATH, Some(&json!(faults))).await?
        }
        Command::Clear { client } => client.ask(Method::DELETE, PATH, None).await?,
        Command::Log { client } => return log(&client).await,
    };
    show(&faults)
}

fn show(faults: &Value) -> anyhow::Result<()> {
    let mut out = anstream::stdout().lock();
    for fault in faults["faults"].as_array().into_iter().flatten() {
        let text = |name: &str| fault[name].as_str().unwrap_or_default();
        let (name, rate, what) = (text("name"), &fault["rate"], text("what"));
        writeln!(out, "{name:<18} {rate:<5} {what}")?;
    }
    let numbers = ["seed", "skew_seconds", "delay_seconds", "pause_seconds"];
    let numbers = numbers.map(|it| format!("{it} {}", faults[it]));
    writeln!(out, "{}", numbers.join(", "))?;
    Ok(())
}

async fn log(client: &Client) -> anyhow::Result<()> {
    let mishaps = client.ask(Method::GET, "/_muxsim/mishaps", None).await?;
    let mut out = anstream::stdout().lock();
    for mishap in mishaps.as_array().into_iter().flatten() {
        let text = |name: &str| mishap[name].as_str().unwrap_or_default();
        writeln!(
            out,
            "{}  {:<18} {}",
            text("at"),
            text("fault"),
            text("struck")
        )?;
    }
    Ok(())
}
