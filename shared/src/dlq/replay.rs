//! Replay: every dead letter that is due is dealt with as the route would have, or comes again later,
//! or is parked with the reason.

use std::{collections::BTreeMap, time::Duration as StdDuration};

use futures::{StreamExt, future, stream};
use serde::Serialize;
use time::Duration;
use tokio::time::Instant;

use super::{
    DeadLetterError,
    cases::{self, Failure, InVain, Opened},
    model::{Class, Reason, State, backoff},
    service::Message,
};
use crate::{
    alerts,
    app::Parts,
    events::{Act, Via},
    ids::{self, DeadLetterId, RunId},
    jobs::{self, Job},
    metrics::{self, Metric},
    store::StoreError,
    telemetry,
    traces::{self, Context, Operation},
    webhooks::{self, Told},
};

/// How long one run receives. What it has received then it still deals with, within [`LEASE`].
pub(super) const BUDGET: StdDuration = StdDuration::from_secs(40);

/// When a run leaves what it has received to a later one: a table that answers slowly, or not at all,
/// must not keep it beyond its lease, nor beyond the minute that Vercel gives a function.
const LAST: StdDuration = StdDuration::from_secs(46);

/// How long a run may take before another one may begin.
const LEASE: Duration = Duration::seconds(90);

/// How many calls receive at once, ten letters each at the most: enough different videos for all that
/// are dealt with at once, although the letters of one video lie side by side.
const RECEIVERS: usize = 16;

/// How many videos are dealt with at once.
const ABREAST: usize = 16;

/// How long the table has for one letter.
const STORE_TIME: StdDuration = StdDuration::from_secs(4);

/// How long the table has for noting a try in vain. The letter comes again in any case.
const NOTE_TIME: StdDuration = StdDuration::from_secs(1);

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
    let work = async |id| Box::pin(run(app, id)).await;
    let done = jobs::alone(app, Job::DlqReplay, LEASE, work).await;
    Box::pin(alerts::watch(app, Job::DlqReplay)).await;
    done
}

async fn run(app: &Parts, id: RunId) -> Result<Pass, ReplayError> {
    let (started, mut pass) = (Instant::now(), Pass::default());
    let mut oldest = Duration::ZERO;
    let act = &Act::of_job(Job::DlqReplay.name(), id);
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
        // All at once: on a slow table, one after the other would outlast the lease.
        let opened = future::join_all(messages.into_iter().map(|it| open(app, it))).await;
        let fates = stream::iter(by_subject(opened))
            .map(|letters| async move {
                let mut fates = Vec::with_capacity(letters.len());
                for letter in &letters {
                    // Each fails alone: what could not be settled comes again by itself.
                    fates.push(if started.elapsed() < LAST {
                        settle(app, act, letter).await
                    } else {
                        Fate::Left
                    });
                }
                fates
            })
            .buffer_unordered(ABREAST);
        let fates: Vec<Vec<Fate>> = fates.collect().await;
        for fate in fates.iter().flatten() {
            pass.count(fate);
            if let Fate::Settled(age) = fate {
                oldest = oldest.max(*age);
            }
        }
    }
    measure(app, pass.settled.into(), oldest);
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

/// What a replay did, in numbers. One that found nothing says nothing of ages.
pub(super) fn measure(app: &Parts, settled: u64, oldest: Duration) {
    let now = app.clock.now();
    metrics::emit(now, Metric::LettersReplayed, settled);
    if settled > 0 {
        let seconds = u64::try_from(oldest.whole_seconds()).unwrap_or_default();
        metrics::emit(now, Metric::LetterAge, seconds);
    }
}

impl Pass {
    fn count(&mut self, fate: &Fate) {
        let counted = match fate {
            Fate::Settled(_) => &mut self.settled,
            Fate::Again(_) | Fate::Left => &mut self.waiting,
            Fate::Parked => &mut self.parked,
        };
        *counted += 1;
    }
}

/// What becomes of a letter.
enum Fate {
    /// Dealt with, at this age.
    Settled(Duration),
    /// Not looked at: it comes again when it is no longer hidden.
    Left,
    Again(Duration),
    Parked,
}

/// A message, opened as far as it goes.
struct Letter {
    message: Message,
    opened: Opened,
}

async fn open(app: &Parts, message: Message) -> Letter {
    let opened = Opened::of(app, message.body.as_bytes()).await;
    Letter { message, opened }
}

/// Letters by the video that they are about: two of one video at a time would only meet each other in
/// the table, and try again.
fn by_subject(letters: Vec<Letter>) -> Vec<Vec<Letter>> {
    let mut groups: BTreeMap<String, Vec<Letter>> = BTreeMap::new();
    for letter in letters {
        let event = letter.opened.event.as_ref().ok();
        let about = event.and_then(|(_, event)| webhooks::about(event));
        let alone = || letter.message.handle.clone();
        groups
            .entry(about.unwrap_or_else(alone))
            .or_default()
            .push(letter);
    }
    groups.into_values().collect()
}

/// Deals with a letter and tells the queue. When this is over, the letter is settled, parked or still
/// in the queue.
async fn settle(app: &Parts, act: &Act, letter: &Letter) -> Fate {
    let message = &letter.message;
    let inside = letter.opened.letter.as_ref();
    let (id, parent) = (
        letter.opened.id(&message.body),
        inside.and_then(|it| it.trace),
    );
    let work = Box::pin(deal(app, act, letter));
    let dealt = traced(
        app,
        Job::DlqReplay.name(),
        (id, message.tries.into()),
        parent,
        work,
    );
    let fate = match dealt.await {
        Ok(()) => {
            Fate::Settled(inside.map_or(Duration::ZERO, |it| app.clock.now() - it.received_at))
        }
        Err(failure) => set_aside(app, act, letter, failure).await,
    };
    let told = match &fate {
        Fate::Settled(_) | Fate::Parked => app.dead_letters.delete(message).await,
        Fate::Again(wait) => app.dead_letters.hide(message, *wait).await,
        Fate::Left => Ok(()),
    };
    if let Err(error) = told {
        // It comes again when it is no longer hidden; what was done is not done twice.
        tracing::warn!(error = telemetry::chain(&error), "the queue was not told");
    }
    fate
}

/// A letter is dealt with in the trace of its video, as soon as that is known; until then in that of the
/// webhook that it came with. `attempt` tells one try from another.
pub(super) async fn traced<T>(
    app: &Parts,
    service: &'static str,
    (id, attempt): (DeadLetterId, u64),
    webhook: Option<Context>,
    work: impl Future<Output = Result<T, InVain>>,
) -> Result<T, InVain> {
    let operation = Operation {
        service,
        name: "dead letter".to_owned(),
        asked: false,
    };
    let named = ids::from_external(&id.to_string(), &attempt.to_string());
    let work = async {
        traces::note("letter.id", id);
        work.await
    };
    traces::part(app, operation, named, webhook, work).await
}

async fn deal(app: &Parts, act: &Act, letter: &Letter) -> Result<(), InVain> {
    let (message, opened) = (&letter.message, &letter.opened);
    let (body, event) = opened.event.as_ref().map_err(Clone::clone)?;
    let told = Told {
        event,
        body,
        via: Via::Replay,
        request: opened.letter.as_ref().and_then(|it| it.request),
        with: None,
    };
    let id = opened.id(&message.body);
    match tokio::time::timeout(STORE_TIME, webhooks::apply(app, &told)).await {
        Ok(Ok(effect)) => {
            tracing::info!(letter.id = %id, outcome = ?effect.outcome, "dead letter dealt with");
        }
        Ok(Err(error)) => return Err(InVain::of(&error)),
        Err(_) => return Err(InVain::late()),
    }
    // Only what was tried before can have been noted.
    if message.tries > 1
        && let Err(error) = cases::forget(app, act, id).await
    {
        tracing::warn!(letter.id = %id, error = telemetry::chain(&error), "still noted");
    }
    Ok(())
}

/// Notes a try in vain, and decides whether there is another one.
async fn set_aside(app: &Parts, act: &Act, letter: &Letter, failure: InVain) -> Fate {
    let (now, message) = (app.clock.now(), &letter.message);
    let id = letter.opened.id(&message.body);
    let inside = letter.opened.letter.as_ref();
    let first_seen = inside.map_or(now, |it| it.received_at);
    let (reason, over) = outlook(failure.reason, message.tries, now - first_seen);
    let wait = backoff(id, message.tries);
    let state = if over {
        State::Parked { at: now }
    } else {
        State::Waiting { until: now + wait }
    };
    tracing::warn!(
        letter.id = %id,
        tries = message.tries,
        error = failure.error,
        "dead letter could not be dealt with"
    );
    let noted = Failure {
        id,
        reason,
        error: &failure.error,
        tries: message.tries,
        first_seen,
        text: &message.body,
    };
    match noted_in_time(app, act, &noted, state).await {
        Ok(()) if over => Fate::Parked,
        Ok(()) => Fate::Again(wait),
        Err(error) => {
            tracing::error!(letter.id = %id, error, "a try in vain could not be noted");
            Fate::Again(wait)
        }
    }
}

/// The reason to note, and whether there is no use in trying again by itself.
fn outlook(reason: Reason, tries: u32, age: Duration) -> (Reason, bool) {
    let spent = tries >= TRIES_MAX || age >= AGE_MAX;
    match reason.class() {
        Class::Permanent | Class::Poison => (reason, true),
        Class::Retryable if spent => (Reason::TimesUp, true),
        Class::Retryable => (reason, false),
    }
}

async fn noted_in_time(
    app: &Parts,
    act: &Act,
    failure: &Failure<'_>,
    state: State,
) -> Result<(), String> {
    let noting = cases::note(app, act, failure, state);
    match tokio::time::timeout(NOTE_TIME, noting).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(telemetry::chain(&error)),
        Err(_) => Err("the table did not answer in time".to_owned()),
    }
}
