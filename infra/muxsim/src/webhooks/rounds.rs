//! When events are tried: at once, and then later and later. Each endpoint has rounds of its own.

use std::{
    collections::{BTreeMap, HashSet},
    time::{Duration as StdDuration, Instant},
};

use futures::{
    StreamExt,
    stream::{self, FuturesUnordered},
};
use time::Duration;

use super::{
    Delivered,
    letter::{ATTEMPTS_MAX, Letter},
    text,
};
use crate::{
    documents::{Attempt, Delivery, LoggedEvent, Webhook},
    faults,
    sim::{Sim, millis},
    state::{Kind, StateError},
};

/// How long an event is tried (mux.com/docs/core/listen-for-webhooks).
const LIFE: Duration = Duration::hours(24);

/// The longest pause between two attempts; Mux does not publish its own.
const PAUSE_MAX: Duration = Duration::hours(1);

/// How many deliveries are under way at once, to one endpoint.
const ABREAST: usize = 8;

/// How often to look for retries that have become due while others are under way.
const GLANCE: StdDuration = StdDuration::from_secs(1);

/// Tries everything that is due, and what becomes due meanwhile. Says how much that was. Each endpoint
/// has a round of its own: one that is silent holds no other up.
pub(crate) async fn deliver_due(sim: &Sim) -> Result<usize, StateError> {
    let mut rounds = FuturesUnordered::new();
    let mut busy = HashSet::new();
    let mut tried = 0;
    loop {
        for (webhook, due) in due_by_endpoint(sim)? {
            if busy.insert(webhook.clone()) {
                rounds.push(async move { (webhook, round(sim, due).await) });
            }
        }
        if rounds.is_empty() {
            return Ok(tried);
        }
        tokio::select! {
            Some((webhook, outcome)) = rounds.next() => {
                busy.remove(&webhook);
                tried += outcome?;
            }
            () = sim.news() => {}
            () = tokio::time::sleep(GLANCE) => {} // a retry may have become due
        }
    }
}

type Due = Vec<(String, Delivery)>;

fn due_by_endpoint(sim: &Sim) -> Result<BTreeMap<String, Due>, StateError> {
    let now = millis(sim.now());
    let all: Vec<(String, Delivery)> = sim.state().all(Kind::Delivery)?;
    let mut due: BTreeMap<String, Due> = BTreeMap::new();
    for (id, delivery) in all.into_iter().filter(|(_, it)| it.next_at <= now) {
        let endpoint = delivery.webhook.clone();
        due.entry(endpoint).or_default().push((id, delivery));
    }
    Ok(due)
}

/// Tries all of one endpoint, a few at once.
async fn round(sim: &Sim, due: Due) -> Result<usize, StateError> {
    let tried = due.len();
    let outcomes: Vec<Result<(), StateError>> = stream::iter(due)
        .map(|(id, delivery)| async move { attempt(sim, &id, delivery).await })
        .buffer_unordered(ABREAST)
        .collect()
        .await;
    outcomes.into_iter().collect::<Result<Vec<()>, _>>()?;
    Ok(tried)
}

/// When the next delivery is due, in milliseconds since the epoch.
pub(crate) fn next_at(sim: &Sim) -> Result<Option<i64>, StateError> {
    let all: Vec<(String, Delivery)> = sim.state().all(Kind::Delivery)?;
    Ok(all.iter().map(|(_, it)| it.next_at).min())
}

async fn attempt(sim: &Sim, id: &str, mut delivery: Delivery) -> Result<(), StateError> {
    let webhook: Option<Webhook> = sim.state().get(Kind::Webhook, &delivery.webhook)?;
    let Some(webhook) = webhook.filter(|it| it.enabled) else {
        return sim.state().step(|step| step.delete(Kind::Delivery, id));
    };
    delivery.event["attempts"] = delivery.attempts.clone().into();
    let letter = Letter::write(sim, &webhook, &delivery.event);
    let started = Instant::now();
    let answer = letter.post(sim, &webhook.address).await;
    let number = delivery.attempts.len() + 1;
    let kind = text(&delivery.event["type"]).to_owned();
    sim.tell(Delivered {
        kind: kind.clone(),
        status: answer.status,
        attempt: number,
        took: started.elapsed(),
    });
    let now = sim.now();
    let done = Attempt {
        address: webhook.address.clone(),
        at: now.truncate_to_millisecond(),
        status: answer.status,
        faults: letter.faults,
    };
    let taken = answer.status.is_some_and(|it| (200..300).contains(&it));
    if !taken {
        let pause = sim.options().retry_after
            * 2_i32.saturating_pow(u32::try_from(number - 1).unwrap_or(31).min(20));
        delivery.next_at = millis(now + pause.min(PAUSE_MAX));
        tracing::warn!(
            kind,
            address = webhook.address,
            status = answer.status,
            attempt = number,
            "webhook not taken; it comes again"
        );
        let attempt = answer.shown(sim, &webhook, now);
        delivery.attempts.push(attempt);
    }
    sim.state().step(|step| {
        for fault in &done.faults {
            let what = format!("{kind} {} to {}", text(&delivery.event["id"]), done.address);
            faults::note(sim, step, *fault, what)?;
        }
        let event = text(&delivery.event["id"]);
        if let Some(mut logged) = step.get::<LoggedEvent>(Kind::Event, event)? {
            logged.attempts.push(done);
            step.put(Kind::Event, event, &logged)?;
        }
        let life = i64::try_from(LIFE.whole_milliseconds()).unwrap_or(i64::MAX);
        if taken {
            return step.delete(Kind::Delivery, id);
        }
        if delivery.next_at - delivery.first_at > life || number >= ATTEMPTS_MAX {
            tracing::warn!(kind, "event given up after 24 hours");
            return step.delete(Kind::Delivery, id);
        }
        step.put(Kind::Delivery, id, &delivery)
    })
}
