//! `dev replay`: recorded events sent once more, signed now, to any endpoint; what came of each; and a
//! trace of the run in the portal's events (S0-040, S0-041).

mod recording;
mod trace;

use std::{
    collections::BTreeMap,
    io::IsTerminal,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use reqwest::{Client, Url};
use serde_json::Value;
use shared::clock::{Clock, SystemClock};

use self::{
    recording::{Recorded, Recording},
    trace::Trace,
};
use crate::{console::Console, settings};

/// Mux gives up after five seconds (mux.com/docs/core/listen-for-webhooks).
const PATIENCE: Duration = Duration::from_secs(5);

/// The path under which the portal takes webhooks.
const WEBHOOKS: &str = "/api/webhooks/mux";

/// Send recorded events of Mux once more, signed now, and say what came of each.
///
/// The signing secret is read from `MUX_WEBHOOK_SIGNING_SECRET`; towards this machine it is the local
/// stack's, if there is none. The run is written down in the portal as an act of the operator whose
/// session token is in `PORTAL_TOKEN`; towards this machine the local operator signs in.
#[derive(Args)]
pub struct Replay {
    /// The recording: events as JSON, one a line or in one array; what `muxsim events list --json`
    /// prints; dead letters. `-` reads standard input.
    file: PathBuf,
    /// Where webhooks are taken.
    #[arg(long, default_value = "http://127.0.0.1:4000/api/webhooks/mux")]
    to: Url,
    /// Send each event so many times.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    times: u32,
    /// In another order, drawn from this number.
    #[arg(long, value_name = "SEED")]
    shuffle: Option<u64>,
    /// Say what would be sent, and send nothing.
    #[arg(long)]
    dry_run: bool,
    /// Leave no trace in the portal: for endpoints that are none.
    #[arg(long)]
    no_trace: bool,
}

/// Sends them. Fails if an event was not taken, or the run could not be written down.
pub async fn run(console: &Console, replay: &Replay) -> anyhow::Result<()> {
    let recording = Recording::read(&replay.file)?;
    let events = recording.in_order(replay.times, replay.shuffle);
    if replay.dry_run {
        for event in &events {
            console.line(&format!("would send  {}", event.name()));
        }
        console.line(&format!(
            "{} events to {}; nothing was sent",
            events.len(),
            replay.to
        ));
        return Ok(());
    }
    let secret = secret(&replay.to)?;
    let http = Client::builder()
        .timeout(PATIENCE)
        .redirect(reqwest::redirect::Policy::none())
        .build()?;
    let trace = if replay.no_trace {
        None
    } else {
        Some(Trace::begin(&http, &replay.to, events.len(), recording.digest()).await?)
    };
    if let Some(trace) = &trace {
        console.line(&format!("run {}", trace.run));
    }
    let mut report = Report::default();
    let interrupted = tokio::select! {
        () = send_all(console, &http, replay, &secret, &events, &mut report) => false,
        _ = tokio::signal::ctrl_c() => true,
    };
    let traced = match &trace {
        Some(trace) => trace.end(&http, report.accepted, report.refused).await,
        None => Ok(()),
    };
    report.print(console, events.len());
    traced.context("the end of the run could not be written down")?;
    if interrupted {
        bail!("interrupted");
    }
    if report.refused > 0 {
        bail!(
            "{} of {} events were not taken",
            report.refused,
            events.len()
        );
    }
    Ok(())
}

/// What became of the events.
#[derive(Default)]
struct Report {
    accepted: u32,
    refused: u32,
    outcomes: BTreeMap<String, u32>,
    slowest: Duration,
}

impl Report {
    fn print(&self, console: &Console, of: usize) {
        let outcomes = self.outcomes.iter();
        let outcomes: Vec<String> = outcomes
            .map(|(it, count)| format!("{count} {it}"))
            .collect();
        console.line(&format!(
            "{} of {of} taken: {}; the slowest in {} ms",
            self.accepted,
            outcomes.join(", "),
            self.slowest.as_millis()
        ));
    }
}

async fn send_all(
    console: &Console,
    http: &Client,
    replay: &Replay,
    secret: &str,
    events: &[&Recorded],
    report: &mut Report,
) {
    let bar = bar(events.len());
    for event in events {
        let started = Instant::now();
        let sent = send(http, &replay.to, secret, event).await;
        let took = started.elapsed();
        report.slowest = report.slowest.max(took);
        let outcome = match sent {
            Ok(outcome) => {
                report.accepted += 1;
                outcome
            }
            Err(error) => {
                report.refused += 1;
                format!("{error:#}")
            }
        };
        let line = format!(
            "{:<12} {:>5} ms  {}",
            outcome,
            took.as_millis(),
            event.name()
        );
        bar.suspend(|| console.line(&line));
        *report.outcomes.entry(outcome).or_default() += 1;
        bar.inc(1);
    }
    bar.finish_and_clear();
}

fn bar(length: usize) -> ProgressBar {
    let length = u64::try_from(length).unwrap_or(u64::MAX);
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} {eta}");
    let bar = ProgressBar::new(length);
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// What the endpoint said became of it.
async fn send(http: &Client, to: &Url, secret: &str, event: &Recorded) -> anyhow::Result<String> {
    let now = SystemClock.now().unix_timestamp();
    let signature = muxsim::sign(secret, event.body(), now);
    let call = http
        .post(to.clone())
        .header("content-type", "application/json")
        .header("mux-signature", signature)
        .body(event.body().to_owned());
    let answer = call.send().await.map_err(reqwest::Error::without_url)?;
    let status = answer.status();
    let body: Value = answer.json().await.unwrap_or_default();
    if status.is_success() {
        return Ok(body["outcome"].as_str().unwrap_or("taken").to_owned());
    }
    match body["title"].as_str() {
        Some(title) => bail!("{}: {title}", status.as_u16()),
        None => bail!("{}", status.as_u16()),
    }
}

fn secret(to: &Url) -> anyhow::Result<String> {
    // With several, the newest is the last one that was added.
    let given = crate::environment("MUX_WEBHOOK_SIGNING_SECRET");
    let given = given.and_then(|it| it.rsplit(',').next().map(|it| it.trim().to_owned()));
    let local = || is_local(to).then(|| settings::MUX_WEBHOOK_SECRET.to_owned());
    given
        .or_else(local)
        .context("set MUX_WEBHOOK_SIGNING_SECRET to the endpoint's signing secret")
}

/// Whether it leads to this machine.
fn is_local(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}
