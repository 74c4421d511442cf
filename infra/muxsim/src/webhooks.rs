//! Webhooks: every event is kept until every endpoint has taken it, or 24 hours are over.

use std::time::{Duration as StdDuration, Instant};

use futures::{StreamExt, stream};
use hmac::{Hmac, KeyInit, Mac};
use reqwest::header;
use serde_json::{Map, Value, json};
use sha2::Sha256;
use time::{Duration, OffsetDateTime};

use crate::{
    documents::{Attempt, Delivery, LoggedEvent, Webhook},
    events::written,
    faults::{self, Fault},
    ids,
    sim::{Sim, millis},
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

/// How many events are remembered.
const EVENTS: u32 = 10_000;

/// How long an event is held back so that later ones overtake it, in milliseconds.
const HELD_BACK: i64 = 2_000;

/// How far off a wrong time is: twice what Mux's own clients tolerate (muxinc/mux-node-sdk).
const WRONG_BY: i64 = 600;

/// How much of an endpoint's answer an attempt shows, in bytes.
const ANSWER_MAX: usize = 1024;

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
            faults::note(step, fault, what, sim.now())?;
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
        unknown["id"] = ids::event().into();
        unknown["type"] = "video.asset.daydreamed".into();
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
        let name = format!("{}@{} {}", text(&event["id"]), webhook.id, ids::event());
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
        let attempt = answer.shown(&webhook, now);
        delivery.attempts.push(attempt);
    }
    sim.state().step(|step| {
        for fault in &done.faults {
            let what = format!("{kind} {} to {}", text(&delivery.event["id"]), done.address);
            faults::note(step, *fault, what, now)?;
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
        if delivery.next_at - delivery.first_at > life {
            tracing::warn!(kind, "event given up after 24 hours");
            return step.delete(Kind::Delivery, id);
        }
        step.put(Kind::Delivery, id, &delivery)
    })
}

/// What one attempt sends.
struct Letter {
    body: String,
    signature: Option<String>,
    faults: Vec<Fault>,
}

impl Letter {
    /// A fresh signature every time: a retry has another body and another time. The time is the
    /// world's, not the stand-in's own, which may have been moved: endpoints compare it with theirs.
    fn write(sim: &Sim, webhook: &Webhook, event: &Value) -> Self {
        let mut faults = Vec::new();
        let mut strikes = |fault: Fault| {
            let strikes = sim.dice().strikes(fault);
            if strikes {
                faults.push(fault);
            }
            strikes
        };
        let mut event = event.clone();
        if strikes(Fault::UnknownFields) {
            event["moon_phase"] = json!({"illumination": 0.5, "waxing": [true, null]});
            if let Some(data) = event["data"].as_object_mut() {
                data.insert("moon_phase".to_owned(), "gibbous".into());
            }
        }
        if text(&event["type"]).contains(".track.") && strikes(Fault::BareTrack) {
            event["data"] = Value::Null;
        }
        let body = event.to_string();
        let mut t = (sim.world() + sim.dice().faults().skew()).unix_timestamp();
        if strikes(Fault::StaleTime) {
            t -= WRONG_BY;
        }
        if strikes(Fault::FutureTime) {
            t += WRONG_BY;
        }
        let secret = if strikes(Fault::WrongSecret) {
            "another-secret"
        } else {
            &webhook.secret
        };
        let mut signature = sign(secret, &body, t);
        if strikes(Fault::UppercaseHex) {
            let (start, digest) = signature.rsplit_once('=').unwrap_or_default();
            signature = format!("{start}={}", digest.to_uppercase());
        }
        let signature = (!strikes(Fault::MissingHeader)).then_some(signature);
        Self {
            body,
            signature,
            faults,
        }
    }

    async fn post(&self, sim: &Sim, address: &str) -> Answer {
        let mut request = sim
            .http()
            .post(address)
            .timeout(ATTEMPT)
            .header(header::CONTENT_TYPE, "application/json")
            .body(self.body.clone());
        if let Some(signature) = &self.signature {
            request = request.header("mux-signature", signature);
        }
        match request.send().await {
            Ok(response) => Answer::read(response).await,
            Err(_) => Answer::default(),
        }
    }
}

/// What an endpoint said.
#[derive(Default)]
struct Answer {
    status: Option<u16>,
    headers: Map<String, Value>,
    body: Option<String>,
}

impl Answer {
    async fn read(mut response: reqwest::Response) -> Self {
        let status = Some(response.status().as_u16());
        let headers = response.headers().iter();
        let headers = headers
            .map(|(name, value)| {
                (
                    name.to_string(),
                    String::from_utf8_lossy(value.as_bytes()).into(),
                )
            })
            .collect();
        let mut body = Vec::new();
        // The status is what counts; of the body, whatever comes.
        while body.len() < ANSWER_MAX
            && let Ok(Some(part)) = response.chunk().await
        {
            body.extend_from_slice(&part);
        }
        body.truncate(ANSWER_MAX);
        Self {
            status,
            headers,
            body: Some(String::from_utf8_lossy(&body).into_owned()),
        }
    }

    /// As later attempts show it.
    fn shown(self, webhook: &Webhook, at: OffsetDateTime) -> Value {
        json!({
            "id": ids::event(),
            "address": webhook.address,
            "created_at": written(at),
            "max_attempts": 30,
            "response_body": self.body,
            "response_headers": self.headers,
            "response_status_code": self.status,
            "webhook_id": webhook.number,
        })
    }
}

/// The value of `mux-signature`: `t=<unix seconds>,v1=<hex>` over `t.body` (mux.com/docs/core/verify-webhook-signatures).
pub fn sign(secret: &str, body: &str, t: i64) -> String {
    let Ok(mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else {
        return String::new(); // HMAC takes keys of any length
    };
    let digest = mac
        .chain_update(format!("{t}.{body}"))
        .finalize()
        .into_bytes();
    format!("t={t},v1={}", hex::encode(digest))
}
