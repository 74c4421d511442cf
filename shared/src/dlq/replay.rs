//! Replay: every dead letter that is due is dealt with as the route would have, or comes again later,
//! or is parked with the reason.

use std::{collections::BTreeMap, time::Duration as StdDuration};

use futures::{StreamExt, future, stream};
use serde::Serialize;
use time::Duration;
use tokio::time::Instant;

use super::{
    DeadLetterError,
    model::{Class, DeadLetter, Parked, RawBody, Reason, backoff},
    service::Message,
};
use crate::{
    app::Parts,
    ids,
    ids::DeadLetterId,
    jobs::{self, Job},
    mux::MuxEvent,
    store::{Guard, StoreError, keys},
    telemetry,
    webhooks::{self, Outcome},
};

/// How long one run receives. What it has received then it still deals with, within [`LEASE`].
pub(super) const BUDGET: StdDuration = StdDuration::from_secs(45);

/// When a run leaves what it has received to a later one: a table that answers slowly, or not at all,
/// must not keep it beyond its lease.
const LAST: StdDuration = StdDuration::from_mins(1);

/// How long a run may take before another one may begin.
const LEASE: Duration = Duration::seconds(90);

/// How many calls receive at once, ten letters each at the most: enough different videos for all that
/// are dealt with at once, although the letters of one video lie side by side.
const RECEIVERS: usize = 16;

/// How many videos are dealt with at once.
const ABREAST: usize = 16;

/// How long the table has for one letter.
const STORE_TIME: StdDuration = StdDuration::from_secs(4);

/// After so many tries a letter is a matter for people (S0-103).
const TRIES_ALERT: u32 = 3;

/// When a letter is tried no more: then it is parked. The last wait is a quarter of an hour, so the
/// tries are used up first, after about two hours; the time is for a replay that did not run.
const TRIES_MAX: u32 = 12;
const AGE_MAX: Duration = Duration::hours(24);

/// What one run did.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Pass {
    pub received: u32,
    /// Dealt with, for the first time or again.
    pub settled: u32,
    /// To come again.
    pub waiting: u32,
    /// To be tried no more.
    pub parked: u32,
}

/// A run did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    #[error("the lease of the replay could not be read or written")]
    Lease(#[from] StoreError),
    #[error("the queue could not be asked")]
    Queue(#[from] DeadLetterError),
}

/// Deals with everything that is due. `None`: another run is at it.
pub async fn replay(app: &Parts) -> Result<Option<Pass>, ReplayError> {
    jobs::alone(app, Job::DlqReplay, LEASE, async |_| run(app).await).await
}

async fn run(app: &Parts) -> Result<Pass, ReplayError> {
    let (started, mut pass) = (Instant::now(), Pass::default());
    while started.elapsed() < BUDGET {
        let calls = (0..RECEIVERS).map(|_| app.dead_letters.receive());
        let (mut messages, mut failure) = (Vec::new(), None);
        for received in future::join_all(calls).await {
            match received {
                Ok(received) => messages.extend(received),
                Err(error) => failure = Some(error),
            }
        }
        // What one call received is dealt with, whatever became of the others.
        match failure {
            Some(error) if messages.is_empty() => return Err(error.into()),
            None if messages.is_empty() => break,
            Some(_) | None => {}
        }
        pass.received += u32::try_from(messages.len()).unwrap_or(u32::MAX);
        let fates = stream::iter(by_subject(messages))
            .map(|letters| async move {
                let mut fates = Vec::with_capacity(letters.len());
                for letter in &letters {
                    // Each fails alone: what could not be settled comes again by itself.
                    fates.push(if started.elapsed() < LAST {
                        settle(app, letter).await
                    } else {
                        Fate::Left
                    });
                }
                fates
            })
            .buffer_unordered(ABREAST);
        let fates: Vec<Vec<Fate>> = fates.collect().await;
        fates.iter().flatten().for_each(|fate| pass.count(fate));
    }
    tracing::info!(
        job = Job::DlqReplay.name(),
        received = pass.received,
        settled = pass.settled,
        waiting = pass.waiting,
        parked = pass.parked,
        "dead letters replayed"
    );
    Ok(pass)
}

impl Pass {
    fn count(&mut self, fate: &Fate) {
        let counted = match fate {
            Fate::Settled => &mut self.settled,
            Fate::Again(_) | Fate::Left => &mut self.waiting,
            Fate::Parked(_) => &mut self.parked,
        };
        *counted += 1;
    }
}

/// What becomes of a letter.
enum Fate {
    Settled,
    /// Not looked at: it comes again when it is no longer hidden.
    Left,
    Again(Duration),
    Parked(Parked),
}

/// A message, opened as far as it goes.
struct Opened {
    message: Message,
    letter: Option<DeadLetter>,
    event: Option<(Vec<u8>, MuxEvent)>,
}

impl Opened {
    fn of(message: Message) -> Self {
        let letter: Option<DeadLetter> = serde_json::from_str(&message.body).ok();
        // What was no event when it came may be one to this version of the code.
        let body = letter.as_ref().and_then(|it| it.body.bytes());
        let event = body.and_then(|body| {
            let event = MuxEvent::parse(&body).ok()?;
            Some((body, event))
        });
        Self {
            message,
            letter,
            event,
        }
    }
}

/// Letters by the video that they are about: two of one video at a time would only meet each other in
/// the table, and try again.
fn by_subject(messages: Vec<Message>) -> Vec<Vec<Opened>> {
    let mut groups: BTreeMap<String, Vec<Opened>> = BTreeMap::new();
    for opened in messages.into_iter().map(Opened::of) {
        let event = opened.event.as_ref().map(|(_, event)| event);
        let about = event.and_then(webhooks::about);
        let alone = || opened.message.handle.clone();
        groups
            .entry(about.unwrap_or_else(alone))
            .or_default()
            .push(opened);
    }
    groups.into_values().collect()
}

/// Deals with a letter and tells the queue. When this is over, the letter is settled, parked or still
/// in the queue.
async fn settle(app: &Parts, opened: &Opened) -> Fate {
    let message = &opened.message;
    let mut fate = deal(app, opened).await;
    if let Fate::Parked(parked) = &fate
        && let Err(error) = park(app, parked).await
    {
        tracing::error!(
            letter.id = %parked.id,
            error = telemetry::chain(&error),
            "dead letter could not be parked"
        );
        fate = Fate::Again(backoff(parked.id, message.tries));
    }
    let told = match &fate {
        Fate::Settled | Fate::Parked(_) => app.dead_letters.delete(message).await,
        Fate::Again(wait) => app.dead_letters.hide(message, *wait).await,
        Fate::Left => Ok(()),
    };
    if let Err(error) = told {
        // It comes again when it is no longer hidden; what was done is not done twice.
        tracing::warn!(error = telemetry::chain(&error), "the queue was not told");
    }
    fate
}

async fn park(app: &Parts, parked: &Parked) -> Result<(), StoreError> {
    tracing::error!(
        alert = "dead-letter-parked",
        letter.id = %parked.id,
        reason = ?parked.reason,
        tries = parked.tries,
        "dead letter parked"
    );
    let key = keys::parked_letter(parked.id).expiring(app.clock.now() + webhooks::RECEIPT_LIFE);
    // No guard: the same letter parked again is the same row.
    app.store.put(&key, parked, Guard::None).await
}

async fn deal(app: &Parts, opened: &Opened) -> Fate {
    let (now, message) = (app.clock.now(), &opened.message);
    let Some(letter) = &opened.letter else {
        // Named after what it says, so that it is parked once however often it comes.
        let id: DeadLetterId = ids::from_external("dead letter", &message.body);
        return Fate::Parked(Parked {
            id,
            reason: Reason::NotALetter,
            class: Class::Poison,
            first_seen: now,
            parked_at: now,
            tries: message.tries,
            letter: RawBody::new(message.body.as_bytes()),
        });
    };
    let parked = |reason: Reason| {
        Fate::Parked(Parked {
            id: letter.id,
            reason,
            class: reason.class(),
            first_seen: letter.received_at,
            parked_at: now,
            tries: message.tries,
            letter: RawBody::new(message.body.as_bytes()),
        })
    };
    let Some((body, event)) = &opened.event else {
        return parked(Reason::NotAnEvent);
    };
    let applied = webhooks::apply(app, event, body, letter.request);
    let error = match tokio::time::timeout(STORE_TIME, applied).await {
        Ok(Ok(outcome)) => return dealt_with(letter, outcome),
        Ok(Err(error)) if !error.is_retryable() => return parked(Reason::StoreRefused),
        Ok(Err(error)) => telemetry::chain(&error),
        Err(_) => "the table did not answer in time".to_owned(),
    };
    let alert = (message.tries > TRIES_ALERT).then_some("dead-letter-tries");
    tracing::warn!(
        alert,
        letter.id = %letter.id,
        tries = message.tries,
        error,
        "dead letter could not be dealt with"
    );
    if message.tries >= TRIES_MAX || now - letter.received_at >= AGE_MAX {
        return parked(Reason::TimesUp);
    }
    Fate::Again(backoff(letter.id, message.tries))
}

fn dealt_with(letter: &DeadLetter, outcome: Outcome) -> Fate {
    tracing::info!(letter.id = %letter.id, ?outcome, "dead letter dealt with");
    Fate::Settled
}
