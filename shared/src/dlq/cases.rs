//! Dead letters in the table: what was tried in vain is noted there, and parked there in the end.

use std::time::Duration;

use time::OffsetDateTime;

use super::{
    model::{Case, DeadLetter, RawBody, Reason, State},
    service::PARTS_LIFE,
};
use crate::{
    app::Parts,
    events::{Act, Event},
    ids::{self, DeadLetterId},
    metrics::{self, Metric},
    mux::MuxEvent,
    store::{
        ATTEMPTS, Guard, StoreError, Write,
        keys::{self, Cases, Key},
    },
    telemetry,
    webhooks::{KEPT_MAX, RECEIPT_LIFE},
};

/// How long the table has for what stands beside a letter.
const READ: Duration = Duration::from_secs(4);

/// After so many tries a letter is a matter for people (S0-103).
const TRIES_ALERT: u32 = 3;

/// A letter's text, opened as far as it goes.
pub(super) struct Opened {
    pub(super) letter: Option<DeadLetter>,
    /// The event and its text, or why there is none.
    pub(super) event: Result<(Vec<u8>, MuxEvent), InVain>,
}

impl Opened {
    /// Opens a letter; what stands beside it is read.
    pub(super) async fn of(app: &Parts, text: &[u8]) -> Self {
        let Ok(letter) = serde_json::from_slice::<DeadLetter>(text) else {
            return Self {
                letter: None,
                event: Err(InVain::unfit(Reason::NotALetter)),
            };
        };
        let read = bytes(app, letter.id, &letter.body);
        let event = match tokio::time::timeout(READ, read).await {
            Ok(Ok(Some(body))) => parsed(body),
            Ok(Ok(None)) => Err(InVain::unfit(Reason::BodyLost)),
            Ok(Err(error)) => Err(InVain::of(&error)),
            Err(_) => Err(InVain::late()),
        };
        Self {
            letter: Some(letter),
            event,
        }
    }

    /// What the letter is known by. One that is none is named after what it says, so that it is one
    /// however often it comes.
    pub(super) fn id(&self, text: &str) -> DeadLetterId {
        let named = || ids::from_external("dead letter", text);
        self.letter.as_ref().map_or_else(named, |it| it.id)
    }
}

/// What was no event when it came may be one to this version of the code.
fn parsed(body: Vec<u8>) -> Result<(Vec<u8>, MuxEvent), InVain> {
    match MuxEvent::parse(&body) {
        Ok(event) => Ok((body, event)),
        Err(_) => Err(InVain::unfit(Reason::NotAnEvent)),
    }
}

/// Why a letter was not dealt with.
#[derive(Debug, Clone)]
pub(super) struct InVain {
    pub(super) reason: Reason,
    pub(super) error: String,
}

impl InVain {
    pub(super) fn of(error: &StoreError) -> Self {
        let reason = if error.is_retryable() {
            Reason::StoreUnavailable
        } else {
            Reason::StoreRefused
        };
        Self {
            reason,
            error: telemetry::chain(error),
        }
    }

    pub(super) fn late() -> Self {
        Self {
            reason: Reason::StoreUnavailable,
            error: "the table did not answer in time".to_owned(),
        }
    }

    /// There is nothing in it that could be dealt with.
    pub(super) fn unfit(reason: Reason) -> Self {
        let name = serde_json::to_value(reason).unwrap_or_default();
        Self {
            reason,
            error: name.as_str().unwrap_or_default().to_owned(),
        }
    }
}

/// The bytes of a body, wherever they stand; `None` when they are lost.
pub(super) async fn bytes(
    app: &Parts,
    id: DeadLetterId,
    body: &RawBody,
) -> Result<Option<Vec<u8>>, StoreError> {
    match body {
        RawBody::Parts { count, digest } => {
            let key = keys::case(id);
            app.store.get_parts(&key, *count, digest).await
        }
        RawBody::Text(_) | RawBody::Base64(_) => Ok(body.bytes()),
    }
}

/// One try in vain.
pub(super) struct Failure<'a> {
    pub(super) id: DeadLetterId,
    pub(super) reason: Reason,
    pub(super) error: &'a str,
    pub(super) tries: u32,
    pub(super) first_seen: OffsetDateTime,
    /// The message as it was.
    pub(super) text: &'a str,
}

/// Notes a try in vain, and what is to become of the letter. What was parked or discarded stays so.
pub(super) async fn note(
    app: &Parts,
    act: &Act,
    failure: &Failure<'_>,
    state: State,
) -> Result<(), StoreError> {
    let (now, id) = (app.clock.now(), failure.id);
    let known: Option<Case> = app.store.get(&keys::case(id)).await?;
    let guard = known
        .as_ref()
        .map_or(Guard::Absent, |it| Guard::Version(it.version));
    let before = known.clone();
    let case = match known {
        Some(known) if !matches!(known.state, State::Waiting { .. }) => return Ok(()),
        Some(known) => known,
        None => Case {
            id,
            state: state.clone(),
            reason: failure.reason,
            class: failure.reason.class(),
            first_seen: failure.first_seen,
            tries: 0,
            history: Vec::new(),
            alerted: false,
            letter: kept(app, id, failure).await?,
            version: 0,
        },
    };
    let mut case = case.tried(now, failure.error);
    case.state = state;
    case.reason = failure.reason;
    case.class = failure.reason.class();
    case.tries = failure.tries;
    case.version += 1;
    let told = tell(&mut case);
    let mut writes = vec![row(&case, guard, now)?];
    for event in told.iter().cloned() {
        let tenant = app.config.operators();
        writes.push(act.write_change(app, tenant, event, before.as_ref(), Some(&case))?);
    }
    app.store.commit(writes).await?;
    for event in &told {
        say(event, now);
    }
    Ok(())
}

/// What others should know of a case as it is now, and do not yet; or else that it was tried.
fn tell(case: &mut Case) -> Vec<Event> {
    let (letter, tries, reason) = (case.id, case.tries, case.reason);
    let mut told = Vec::new();
    if tries > TRIES_ALERT && !case.alerted {
        case.alerted = true;
        told.push(Event::LetterStuck { letter, tries });
    }
    if matches!(case.state, State::Parked { .. }) {
        told.push(Event::LetterParked {
            letter,
            reason,
            tries,
        });
    }
    if told.is_empty() {
        told.push(Event::LetterTried { letter, tries });
    }
    told
}

/// For people who are woken: a line of the log, and a metric.
fn say(event: &Event, now: OffsetDateTime) {
    if let Event::LetterStuck { letter, tries } = event {
        tracing::error!(alert = "dead-letter-tries", letter.id = %letter, tries, "dead letter is stuck");
        metrics::emit(now, Metric::LettersStuck, 1);
    }
    if let Event::LetterParked {
        letter,
        reason,
        tries,
    } = event
    {
        tracing::error!(
            alert = "dead-letter-parked",
            letter.id = %letter,
            ?reason,
            tries,
            "dead letter parked"
        );
        metrics::emit(now, Metric::LettersParked, 1);
    }
}

/// A letter that was noted before has been dealt with.
pub(super) async fn forget(app: &Parts, act: &Act, id: DeadLetterId) -> Result<(), StoreError> {
    let (key, tenant) = (keys::case(id), app.config.operators());
    let mut attempt = 1;
    loop {
        let Some(case) = app.store.get::<Case>(&key).await? else {
            return Ok(());
        };
        let settled = Event::LetterSettled { letter: id };
        let writes = vec![
            Write::delete(key.clone(), Guard::Version(case.version)),
            act.write_change(app, tenant, settled, Some(&case), None)?,
        ];
        match app.store.commit(writes).await {
            Err(StoreError::Conflict { .. }) if attempt < ATTEMPTS => attempt += 1,
            done => return done,
        }
    }
}

/// A case's row, in the list where it belongs. Nothing but a person's decision lets it expire.
pub(super) fn row(case: &Case, guard: Guard, now: OffsetDateTime) -> Result<Write, StoreError> {
    let list = match case.state {
        State::Waiting { .. } => Some(Cases::Waiting),
        State::Parked { .. } => Some(Cases::Parked),
        State::Discarded { .. } => None,
    };
    let listed = |list| keys::listed_case(list, case.first_seen, case.id);
    let discarded = || keys::case(case.id).expiring(now + RECEIPT_LIFE);
    let key: Key = list.map_or_else(discarded, listed);
    Write::put(key, case, guard)
}

async fn kept(app: &Parts, id: DeadLetterId, failure: &Failure<'_>) -> Result<RawBody, StoreError> {
    let text = failure.text.as_bytes();
    if text.len() <= KEPT_MAX {
        return Ok(RawBody::new(text));
    }
    let key = keys::case(id).expiring(app.clock.now() + PARTS_LIFE);
    let (count, digest) = app.store.put_parts(&key, text).await?;
    Ok(RawBody::Parts { count, digest })
}
