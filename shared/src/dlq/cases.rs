//! Dead letters in the table: what was tried in vain is noted there, and parked there in the end.

use time::OffsetDateTime;

use super::{
    model::{Case, DeadLetter, RawBody, Reason, State},
    service::PARTS_LIFE,
};
use crate::{
    app::Parts,
    events::{Act, Event},
    ids::{self, DeadLetterId},
    mux::MuxEvent,
    store::{
        Guard, StoreError, Write,
        keys::{self, Cases, Key},
    },
    webhooks::{KEPT_MAX, RECEIPT_LIFE},
};

/// After so many tries a letter is a matter for people (S0-103).
const TRIES_ALERT: u32 = 3;

/// A letter's text, opened as far as it goes.
pub(super) struct Opened {
    pub(super) letter: Option<DeadLetter>,
    /// The event and its text, or why there is none.
    pub(super) event: Result<(Vec<u8>, MuxEvent), Reason>,
}

impl Opened {
    /// Opens a letter; what stands beside it is read.
    pub(super) async fn of(app: &Parts, text: &[u8]) -> Result<Self, StoreError> {
        let Ok(letter) = serde_json::from_slice::<DeadLetter>(text) else {
            return Ok(Self {
                letter: None,
                event: Err(Reason::NotALetter),
            });
        };
        let body = bytes(app, letter.id, &letter.body).await?;
        // What was no event when it came may be one to this version of the code.
        let event = body.ok_or(Reason::BodyLost).and_then(|body| {
            let event = MuxEvent::parse(&body).map_err(|_| Reason::NotAnEvent)?;
            Ok((body, event))
        });
        Ok(Self {
            letter: Some(letter),
            event,
        })
    }

    /// What the letter is known by. One that is none is named after what it says, so that it is one
    /// however often it comes.
    pub(super) fn id(&self, text: &str) -> DeadLetterId {
        let named = || ids::from_external("dead letter", text);
        self.letter.as_ref().map_or_else(named, |it| it.id)
    }
}

/// The bytes of a body, wherever they stand; `None` when they are lost.
pub(super) async fn bytes(
    app: &Parts,
    id: DeadLetterId,
    body: &RawBody,
) -> Result<Option<Vec<u8>>, StoreError> {
    match body {
        RawBody::Parts(parts) => app.store.get_parts(&keys::case(id), *parts).await,
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
    let mut writes = Vec::new();
    let (letter, tries) = (id, failure.tries);
    if tries > TRIES_ALERT && !case.alerted {
        case.alerted = true;
        tracing::error!(alert = "dead-letter-tries", letter.id = %id, tries, "dead letter is stuck");
        writes.push(act.write(
            app,
            app.config.operators(),
            Event::LetterStuck { letter, tries },
        )?);
    }
    if matches!(case.state, State::Parked { .. }) {
        let reason = case.reason;
        tracing::error!(
            alert = "dead-letter-parked",
            letter.id = %id,
            ?reason,
            tries,
            "dead letter parked"
        );
        let parked = Event::LetterParked {
            letter,
            reason,
            tries,
        };
        writes.push(act.write(app, app.config.operators(), parked)?);
    }
    writes.push(row(&case, guard, now)?);
    app.store.commit(writes).await
}

/// A letter that was noted before has been dealt with.
pub(super) async fn forget(app: &Parts, id: DeadLetterId) -> Result<(), StoreError> {
    // No guard: whatever stands there is of a letter that is settled.
    app.store.delete(&keys::case(id), Guard::None).await
}

/// A case's row, in the list where it belongs. It lives as long as receipts do, from its last change.
pub(super) fn row(case: &Case, guard: Guard, now: OffsetDateTime) -> Result<Write, StoreError> {
    let list = match case.state {
        State::Waiting { .. } => Some(Cases::Waiting),
        State::Parked { .. } => Some(Cases::Parked),
        State::Discarded { .. } => None,
    };
    let listed = |list| keys::listed_case(list, case.first_seen, case.id);
    let key: Key = list.map_or_else(|| keys::case(case.id), listed);
    Write::put(key.expiring(now + RECEIPT_LIFE), case, guard)
}

async fn kept(app: &Parts, id: DeadLetterId, failure: &Failure<'_>) -> Result<RawBody, StoreError> {
    let text = failure.text.as_bytes();
    if text.len() <= KEPT_MAX {
        return Ok(RawBody::new(text));
    }
    let key = keys::case(id).expiring(failure.first_seen + PARTS_LIFE);
    Ok(RawBody::Parts(app.store.put_parts(&key, text).await?))
}
