//! A recording: events of Mux as somebody kept them.

use std::{io::Read, path::Path};

use anyhow::{Context, bail};
use rand::{SeedableRng, rngs::StdRng, seq::SliceRandom};
use serde_json::{Deserializer, Value};
use sha2::{Digest, Sha256};
use shared::dlq::DeadLetter;

/// The largest recording, in bytes.
const SIZE_MAX: u64 = 1 << 30;

/// One event.
pub(super) struct Recorded {
    body: String,
    kind: String,
    id: String,
}

impl Recorded {
    /// What is sent.
    pub(super) fn body(&self) -> &str {
        &self.body
    }

    /// What it is called where people read.
    pub(super) fn name(&self) -> String {
        format!("{:<32} {}", self.kind, self.id)
    }

    /// An event, what the stand-in logs of one, or a dead letter.
    fn of(value: Value) -> anyhow::Result<Self> {
        let body = if value["event"].is_object() {
            value["event"].to_string()
        } else if value["receivedAt"].is_string() {
            letter(value)?
        } else {
            value.to_string()
        };
        let event: Value = serde_json::from_str(&body)?;
        let at = event["created_at"].as_str();
        match (event["type"].as_str(), event["id"].as_str(), at) {
            (Some(kind), Some(id), Some(_)) => Ok(Self {
                kind: kind.to_owned(),
                id: id.to_owned(),
                body,
            }),
            _ => bail!("it has no `type`, `id` and `created_at`: it is no event of Mux"),
        }
    }
}

fn letter(value: Value) -> anyhow::Result<String> {
    let letter: DeadLetter = serde_json::from_value(value).context("it is no dead letter")?;
    let body = letter.body.bytes();
    let body =
        body.context("the letter is too large to stand in the recording: replay it in the portal")?;
    Ok(String::from_utf8(body)?)
}

/// Events in the order in which they were kept.
pub(super) struct Recording {
    events: Vec<Recorded>,
    digest: String,
}

impl Recording {
    pub(super) fn read(file: &Path) -> anyhow::Result<Self> {
        let name = file.display();
        let mut text = Vec::new();
        if file == Path::new("-") {
            std::io::stdin()
                .lock()
                .take(SIZE_MAX)
                .read_to_end(&mut text)?;
        } else {
            let opened =
                std::fs::File::open(file).with_context(|| format!("cannot read {name}"))?;
            opened.take(SIZE_MAX).read_to_end(&mut text)?;
        }
        let mut events = Vec::new();
        for value in Deserializer::from_slice(&text).into_iter::<Value>() {
            let mut value = value.with_context(|| format!("{name} is not JSON"))?;
            let values = match value.as_array_mut() {
                Some(all) => std::mem::take(all),
                None => vec![value],
            };
            for value in values {
                let number = events.len() + 1;
                let event =
                    Recorded::of(value).with_context(|| format!("{name}, event {number}"))?;
                events.push(event);
            }
        }
        if events.is_empty() {
            bail!("{name} has no events");
        }
        Ok(Self {
            events,
            digest: hex::encode(Sha256::digest(&text)),
        })
    }

    /// SHA-256 of the recording as it was read.
    pub(super) fn digest(&self) -> &str {
        &self.digest
    }

    /// What is to be sent, in this order.
    pub(super) fn in_order(&self, times: u32, shuffle: Option<u64>) -> Vec<&Recorded> {
        let mut all: Vec<&Recorded> = (0..times).flat_map(|_| &self.events).collect();
        if let Some(seed) = shuffle {
            all.shuffle(&mut StdRng::seed_from_u64(seed));
        }
        all
    }
}
