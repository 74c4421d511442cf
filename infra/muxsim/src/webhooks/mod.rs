//! Webhooks: every event is kept until every endpoint has taken it, or 24 hours are over. Here events
//! are put on their way; `rounds` says when they are tried, `letter` what is sent.

mod letter;
mod rounds;

use std::time::Duration as StdDuration;

use serde_json::Value;

pub use self::letter::sign;
pub(crate) use self::rounds::{deliver_due, next_at};
use crate::{
    documents::{Delivery, LoggedEvent, Webhook},
    faults::{self, Fault},
    sim::{Sim, millis},
    state::{Kind, StateError, Step},
};

/// How many events are remembered.
const EVENTS: u32 = 10_000;

/// How long an event is held back so that later ones overtake it, in milliseconds.
const HELD_BACK: i64 = 2_000;

/// What became of one attempt, for whoever watches.
#[derive(Debug, Clone)]
pub struct Delivered {
    /// The event's type.
    pub kind: String,
    /// The status that the endpoint answered with; `None` when it did not.
    pub status: Option<u16>,
    /// The number of this attempt, from 1.
    pub attempt: usize,
    /// From the request to the answer.
    pub took: StdDuration,
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Puts an event on its way to every endpoint, within the step that made it happen.
pub(crate) fn send(sim: &Sim, step: &Step<'_>, event: &Value) -> Result<(), StateError> {
    log(step, event)?;
    for (_, webhook) in step.all::<Webhook>(Kind::Webhook)? {
        if webhook.enabled {
            address_to(sim, step, event, &webhook)?;
        }
    }
    Ok(())
}

fn log(step: &Step<'_>, event: &Value) -> Result<(), StateError> {
    let logged = LoggedEvent {
        event: event.clone(),
        attempts: Vec::new(),
    };
    step.put(Kind::Event, text(&event["id"]), &logged)?;
    step.keep(Kind::Event, EVENTS)
}

/// Puts an event on its way to one endpoint, or not quite, if a fault strikes.
fn address_to(
    sim: &Sim,
    step: &Step<'_>,
    event: &Value,
    webhook: &Webhook,
) -> Result<(), StateError> {
    let now = millis(sim.now());
    let (kind, id) = (text(&event["type"]), text(&event["id"]));
    let name = format!("{id}@{}", webhook.id);
    let struck = |fault: Fault| -> Result<bool, StateError> {
        let strikes = sim.dice().strikes(fault);
        if strikes {
            let what = format!("{kind} {id} to {}", webhook.address);
            faults::note(sim, step, fault, what)?;
        }
        Ok(strikes)
    };
    let put = |name: &str, event: &Value, at: i64| {
        let delivery = Delivery {
            webhook: webhook.id.clone(),
            event: event.clone(),
            attempts: Vec::new(),
            first_at: now,
            next_at: at,
        };
        step.put(Kind::Delivery, name, &delivery)
    };
    if struck(Fault::UnknownType)? {
        let mut unknown = event.clone();
        unknown["id"] = sim.ids().event().into();
        // Of the same family: what it is about is still an upload, or an asset.
        let family = kind.rsplit_once('.').map_or(kind, |(family, _)| family);
        unknown["type"] = format!("{family}.daydreamed").into();
        log(step, &unknown)?;
        put(&format!("{name} unknown"), &unknown, now)?;
    }
    if struck(Fault::Duplicate)? {
        put(&format!("{name} again"), event, now)?;
    }
    if struck(Fault::Drop)? {
        return Ok(());
    }
    let at = if struck(Fault::Delay)? {
        now + i64::from(sim.dice().faults().delay_seconds) * 1000
    } else if struck(Fault::Reorder)? {
        now + HELD_BACK
    } else {
        now
    };
    put(&name, event, at)
}

/// Sends a past event once more to everybody, with its own id.
pub(crate) fn replay(sim: &Sim, step: &Step<'_>, event: &Value) -> Result<usize, StateError> {
    let now = millis(sim.now());
    let webhooks: Vec<(String, Webhook)> = step.all(Kind::Webhook)?;
    let mut sent = 0;
    for (_, webhook) in webhooks.into_iter().filter(|(_, it)| it.enabled) {
        let name = format!(
            "{}@{} {}",
            text(&event["id"]),
            webhook.id,
            sim.ids().event()
        );
        let delivery = Delivery {
            webhook: webhook.id,
            event: event.clone(),
            attempts: Vec::new(),
            first_at: now,
            next_at: now,
        };
        step.put(Kind::Delivery, &name, &delivery)?;
        sent += 1;
    }
    Ok(sent)
}
