//! Webhooks: every event is kept until every endpoint has taken it, or 24 hours are over.

use std::time::{Duration as StdDuration, Instant};

use futures::{StreamExt, stream};
use hmac::{Hmac, KeyInit, Mac};
use reqwest::header;
use serde_json::{Value, json};
use sha2::Sha256;
use time::{Duration, OffsetDateTime, macros::format_description};

use crate::{
    documents::Delivery,
    ids,
    options::Endpoint,
    sim::Sim,
    state::{Kind, StateError, Step},
};

/// How long one attempt may take (mux.com/docs/core/listen-for-webhooks).
const ATTEMPT: StdDuration = StdDuration::from_secs(5);

/// How long an event is tried (the same page).
const LIFE: Duration = Duration::hours(24);

/// The longest pause between two attempts; Mux does not publish its own.
const PAUSE_MAX: Duration = Duration::hours(1);

/// How many deliveries are under way at once.
const ABREAST: usize = 8;

/// What became of one attempt, for whoever watches.
#[derive(Debug, Clone)]
pub struct Delivered {
    pub kind: String,
    /// The status that the endpoint answered with; `None` when it did not.
    pub status: Option<u16>,
    /// The number of this attempt, from 1.
    pub attempt: usize,
    pub took: StdDuration,
}

/// An event of Mux, as its endpoints will get it.
pub(crate) fn event(
    kind: &str,
    object: &str,
    id: &str,
    data: &Value,
    now: OffsetDateTime,
) -> Value {
    json!({
        "type": kind,
        "request_id": null,
        "object": {"type": object, "id": id},
        "id": ids::event(),
        "environment": {"name": "Development", "id": "muxsim"},
        "data": data,
        "created_at": written(now),
        "attempts": [],
        "accessor_source": null,
        "accessor": null,
    })
}

/// As Mux writes times: six digits of a second.
fn written(at: OffsetDateTime) -> String {
    let form =
        format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]Z");
    at.format(form).unwrap_or_default()
}

fn millis(at: OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)
}

/// Puts an event on its way to every endpoint, within the step that made it happen.
pub(crate) fn send(sim: &Sim, step: &Step<'_>, event: &Value) -> Result<(), StateError> {
    let now = millis(sim.now());
    for endpoint in &sim.options().endpoints {
        let id = format!(
            "{}@{}",
            event["id"].as_str().unwrap_or_default(),
            endpoint.address
        );
        let delivery = Delivery {
            address: endpoint.address.clone(),
            event: event.clone(),
            attempts: Vec::new(),
            first_at: now,
            next_at: now,
        };
        step.put(Kind::Delivery, &id, &delivery)?;
    }
    Ok(())
}

/// Tries everything that is due, and says how much that was.
pub(crate) async fn deliver_due(sim: &Sim) -> Result<usize, StateError> {
    let now = millis(sim.now());
    let all: Vec<(String, Delivery)> = sim.state().all(Kind::Delivery)?;
    let due: Vec<_> = all
        .into_iter()
        .filter(|(_, it)| it.next_at <= now)
        .collect();
    let tried = due.len();
    let outcomes: Vec<Result<(), StateError>> = stream::iter(due)
        .map(|(id, delivery)| async move { attempt(sim, &id, delivery).await })
        .buffered(ABREAST)
        .collect()
        .await;
    outcomes.into_iter().collect::<Result<Vec<()>, _>>()?;
    Ok(tried)
}

/// When the next delivery is due.
pub(crate) fn next_due(sim: &Sim) -> Result<Option<StdDuration>, StateError> {
    let now = millis(sim.now());
    let all: Vec<(String, Delivery)> = sim.state().all(Kind::Delivery)?;
    let next = all.iter().map(|(_, it)| it.next_at).min();
    Ok(next.map(|at| StdDuration::from_millis(u64::try_from(at - now).unwrap_or(0))))
}

async fn attempt(sim: &Sim, id: &str, mut delivery: Delivery) -> Result<(), StateError> {
    let endpoints = &sim.options().endpoints;
    let mut numbered = endpoints.iter().zip(1_u32..);
    let Some((endpoint, webhook)) = numbered.find(|(it, _)| it.address == delivery.address) else {
        return sim.state().step(|step| step.delete(Kind::Delivery, id));
    };
    delivery.event["attempts"] = delivery.attempts.clone().into();
    let started = Instant::now();
    let answer = post(sim, endpoint, &delivery.event).await;
    let number = delivery.attempts.len() + 1;
    let status = answer.as_ref().ok().map(reqwest::Response::status);
    sim.tell(Delivered {
        kind: delivery.event["type"]
            .as_str()
            .unwrap_or_default()
            .to_owned(),
        status: status.map(|it| it.as_u16()),
        attempt: number,
        took: started.elapsed(),
    });
    if status.is_some_and(|it| it.is_success()) {
        return sim.state().step(|step| step.delete(Kind::Delivery, id));
    }
    let pause = sim.options().retry_after
        * 2_i32.saturating_pow(u32::try_from(number - 1).unwrap_or(31).min(20));
    delivery.next_at = millis(sim.now() + pause.min(PAUSE_MAX));
    delivery.attempts.push(json!({
        "id": ids::event(),
        "address": delivery.address,
        "created_at": written(sim.now()),
        "max_attempts": 30,
        "response_body": null,
        "response_headers": {},
        "response_status_code": status.map(|it| it.as_u16()),
        "webhook_id": webhook,
    }));
    sim.state().step(|step| {
        if delivery.next_at - delivery.first_at
            > i64::try_from(LIFE.whole_milliseconds()).unwrap_or(i64::MAX)
        {
            tracing::warn!(kind = %delivery.event["type"], "event given up after 24 hours");
            return step.delete(Kind::Delivery, id);
        }
        step.put(Kind::Delivery, id, &delivery)
    })
}

/// A fresh signature every time: a retry has another body and another time.
async fn post(
    sim: &Sim,
    endpoint: &Endpoint,
    event: &Value,
) -> Result<reqwest::Response, reqwest::Error> {
    let body = event.to_string();
    sim.http()
        .post(&endpoint.address)
        .timeout(ATTEMPT)
        .header(header::CONTENT_TYPE, "application/json")
        .header(
            "mux-signature",
            signature(&endpoint.secret, &body, sim.now().unix_timestamp()),
        )
        .body(body)
        .send()
        .await
}

/// `t=<unix seconds>,v1=<hex>` over `t.body` (mux.com/docs/core/verify-webhook-signatures).
pub(crate) fn signature(secret: &str, body: &str, t: i64) -> String {
    let Ok(mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else {
        return String::new(); // HMAC takes keys of any length
    };
    let digest = mac
        .chain_update(format!("{t}.{body}"))
        .finalize()
        .into_bytes();
    format!("t={t},v1={}", hex::encode(digest))
}
