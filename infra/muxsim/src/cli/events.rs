//! `muxsim trigger` and `muxsim events`.

use std::io::Write;

use anyhow::bail;
use clap::{Args, Subcommand};
use muxsim::events::TYPES;
use reqwest::Method;
use serde_json::{Value, json};

use super::client::{Client, Forward};

/// Send an event that nothing caused: of the newest asset or upload there is, or of an example.
#[derive(Args)]
pub(super) struct Trigger {
    /// The event's type, such as video.asset.ready
    #[arg(required_unless_present = "list")]
    kind: Option<String>,
    /// Name all types instead
    #[arg(long)]
    list: bool,
    /// Send it there, and not to the stand-in's endpoints
    #[arg(long, value_name = "URL")]
    forward_to: Option<String>,
    #[command(flatten)]
    forward: Forward,
    #[command(flatten)]
    client: Client,
}

pub(super) async fn trigger(arguments: Trigger) -> anyhow::Result<()> {
    let Some(kind) = arguments.kind.filter(|_| !arguments.list) else {
        for kind in TYPES {
            writeln!(anstream::stdout(), "{kind}")?;
        }
        return Ok(());
    };
    let body = json!({"type": kind, "send": arguments.forward_to.is_none()});
    let event = arguments
        .client
        .ask(Method::POST, "/_muxsim/trigger", Some(&body))
        .await?;
    let id = event["id"].as_str().unwrap_or_default();
    match arguments.forward_to {
        Some(address) => sent(&arguments.forward, &address, &event).await,
        None => Ok(writeln!(anstream::stdout(), "{kind} {id}")?),
    }
}

/// Sends an event, and fails if it was not taken.
async fn sent(forward: &Forward, address: &str, event: &Value) -> anyhow::Result<()> {
    let status = forward.send(address, event).await?;
    let kind = event["type"].as_str().unwrap_or_default();
    let id = event["id"].as_str().unwrap_or_default();
    if !(200..300).contains(&status) {
        bail!("{address} answered {status} to {kind} {id}");
    }
    writeln!(anstream::stdout(), "{kind} {id} → {status}")?;
    Ok(())
}

/// Look at what happened, and send it again.
#[derive(Subcommand)]
pub(super) enum Events {
    /// Name what happened, newest first, and what became of telling it
    List {
        /// Only of this type
        #[arg(long = "type", value_name = "TYPE")]
        kind: Option<String>,
        /// How many at the most
        #[arg(long, default_value_t = 20)]
        limit: usize,
        /// Show all of each event, a line each, as JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        client: Client,
    },
    /// Send events once more, with their own ids
    Replay {
        /// The events' ids, as `muxsim events list` shows them
        #[arg(required = true)]
        ids: Vec<String>,
        /// Send them there, and not to the stand-in's endpoints
        #[arg(long, value_name = "URL")]
        forward_to: Option<String>,
        #[command(flatten)]
        forward: Forward,
        #[command(flatten)]
        client: Client,
    },
}

pub(super) async fn run(command: Events) -> anyhow::Result<()> {
    match command {
        Events::List {
            kind,
            limit,
            json,
            client,
        } => list(&client, kind.as_deref(), limit, json).await,
        Events::Replay {
            ids,
            forward_to,
            forward,
            client,
        } => {
            for id in ids {
                replay(&client, &id, forward_to.as_deref(), &forward).await?;
            }
            Ok(())
        }
    }
}

async fn list(client: &Client, kind: Option<&str>, limit: usize, json: bool) -> anyhow::Result<()> {
    if let Some(unknown) = kind.filter(|it| !TYPES.contains(it)) {
        bail!("there is no event type {unknown:?}: `muxsim trigger --list` names them all");
    }
    let kind = kind.map(|it| format!("&type={it}")).unwrap_or_default();
    let path = format!("/_muxsim/events?limit={limit}{kind}");
    let events = client.ask(Method::GET, &path, None).await?;
    let mut out = anstream::stdout().lock();
    for logged in events.as_array().into_iter().flatten() {
        if json {
            writeln!(out, "{logged}")?;
            continue;
        }
        let text = |name: &str| logged["event"][name].as_str().unwrap_or_default();
        let attempts = logged["attempts"].as_array().into_iter().flatten();
        let attempts: Vec<String> = attempts
            .map(|it| {
                it["status"]
                    .as_u64()
                    .map_or("no answer".to_owned(), |it| it.to_string())
            })
            .collect();
        let (at, kind, id) = (text("created_at"), text("type"), text("id"));
        writeln!(out, "{at}  {id}  {kind:<40}  {}", attempts.join(", "))?;
    }
    Ok(())
}

async fn replay(
    client: &Client,
    id: &str,
    forward_to: Option<&str>,
    forward: &Forward,
) -> anyhow::Result<()> {
    let path = format!("/_muxsim/events/{id}");
    if let Some(address) = forward_to {
        let logged = client.ask(Method::GET, &path, None).await?;
        return sent(forward, address, &logged["event"]).await;
    }
    let replayed = client
        .ask(Method::POST, &format!("{path}/replay"), None)
        .await?;
    let endpoints = &replayed["endpoints"];
    writeln!(anstream::stdout(), "{id} to {endpoints} endpoints")?;
    Ok(())
}
