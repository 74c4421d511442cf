//! `muxsim listen`: the stream of events, passed on.

use std::{io::Write, time::Duration};

use anstyle::{AnsiColor, Style};
use backon::{ExponentialBuilder, Retryable};
use clap::Args;
use eventsource_stream::Eventsource;
use futures::StreamExt;
use reqwest::Method;
use serde_json::Value;

use super::client::{Client, Forward};

/// Pass every event on to an address, as it happens from now on. What is not taken there is not tried again: this
/// is for development, and a webhook endpoint (`muxsim --webhook URL`) is for everything else.
#[derive(Args)]
pub(super) struct Listen {
    /// Where to
    #[arg(long, value_name = "URL")]
    forward_to: Option<String>,
    #[command(flatten)]
    forward: Forward,
    #[command(flatten)]
    client: Client,
}

pub(super) async fn run(arguments: Listen) -> anyhow::Result<()> {
    // The first time, a stand-in that is not there is an error; later it may just be restarting.
    let mut stream = connect(&arguments.client).await?;
    let retry = ExponentialBuilder::default()
        .with_min_delay(Duration::from_secs(1))
        .with_max_delay(Duration::from_secs(30))
        .without_max_times()
        .with_jitter();
    loop {
        writeln!(anstream::stderr(), "connected")?;
        tokio::select! {
            followed = follow(&arguments, stream) => followed?,
            _ = tokio::signal::ctrl_c() => return Ok(()),
        }
        writeln!(anstream::stderr(), "the stand-in went away; waiting for it")?;
        stream = tokio::select! {
            stream = (|| connect(&arguments.client)).retry(retry).when(Client::nobody_there) => stream?,
            _ = tokio::signal::ctrl_c() => return Ok(()),
        };
    }
}

async fn connect(client: &Client) -> anyhow::Result<reqwest::Response> {
    let path = "/system/v1/webhook-events/stream";
    client.send(Method::GET, path, None).await
}

async fn follow(arguments: &Listen, stream: reqwest::Response) -> anyhow::Result<()> {
    let mut events = stream.bytes_stream().eventsource();
    while let Some(Ok(message)) = events.next().await {
        let Ok(event) = serde_json::from_str::<Value>(&message.data) else {
            continue;
        };
        let Some(kind) = event["type"].as_str() else {
            continue; // the greeting
        };
        let became = match &arguments.forward_to {
            None => String::new(),
            Some(address) => passed_on(&arguments.forward, address, &event).await,
        };
        let id = event["id"].as_str().unwrap_or_default();
        writeln!(anstream::stdout(), "{kind:<40} {id} {became}")?;
    }
    Ok(())
}

async fn passed_on(forward: &Forward, address: &str, event: &Value) -> String {
    let (colour, became) = match forward.send(address, event).await {
        Ok(status @ 200..300) => (AnsiColor::Green, status.to_string()),
        Ok(status) => (AnsiColor::Red, status.to_string()),
        Err(error) => (AnsiColor::Red, error.to_string()),
    };
    let style = Style::new().fg_color(Some(colour.into()));
    format!("→ {style}{became}{style:#}")
}
