//! What operators do with dead letters: look, rehearse, replay, discard. Letters that were just queued
//! are not here yet: the next replay, within a minute, deals with them or notes them.

use std::time::Duration as StdDuration;

use time::OffsetDateTime;
use tokio::time::Instant;

use super::{
    OperateError,
    cases::{self, Opened},
    model::{Case, DeadLetter, Note, Reason, State},
};
use crate::{
    app::Parts,
    auth::Member,
    events::{Event, Via},
    ids::DeadLetterId,
    mux::MuxEvent,
    store::{
        Guard, Page, StoreError, Write,
        keys::{self, Cases},
    },
    telemetry,
    webhooks::{self, Effect, Rehearsed, Told},
};

/// How long one request replays. What is left over, the next one does.
const BUDGET: StdDuration = StdDuration::from_secs(20);

/// Which dead letters.
#[derive(Debug)]
pub(super) enum Selection {
    /// These.
    These(Vec<DeadLetterId>),
    /// Those of a list that were first seen in a time, oldest first.
    Listed {
        list: Cases,
        from: Option<OffsetDateTime>,
        to: Option<OffsetDateTime>,
        after: Option<Place>,
        limit: u32,
    },
}

/// A place in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub first_seen: OffsetDateTime,
    pub id: DeadLetterId,
}

impl Place {
    pub(super) fn of(case: &Case) -> Self {
        Self {
            first_seen: case.first_seen,
            id: case.id,
        }
    }
}

/// What was selected, oldest first.
pub(super) async fn list(app: &Parts, selection: &Selection) -> Result<Page<Case>, OperateError> {
    match selection {
        Selection::These(ids) => {
            let mut items = Vec::with_capacity(ids.len());
            for id in ids {
                items.push(find(app, *id).await?);
            }
            Ok(Page { items, more: false })
        }
        Selection::Listed {
            list,
            from,
            to,
            after,
            limit,
        } => {
            let after = after.map(|it| keys::listed_case(*list, it.first_seen, it.id));
            let listing = keys::cases(*list, *from, *to);
            Ok(app.store.list(&listing, after.as_ref(), *limit).await?)
        }
    }
}

async fn find(app: &Parts, id: DeadLetterId) -> Result<Case, OperateError> {
    let case: Option<Case> = app.store.get(&keys::case(id)).await?;
    case.ok_or(OperateError::Unknown(id))
}

/// One dead letter, and what is in it.
pub(super) struct Inspected {
    pub case: Case,
    pub letter: Option<DeadLetter>,
    /// The event and its text, if it is one.
    pub event: Option<(Vec<u8>, MuxEvent)>,
}

pub(super) async fn inspect(app: &Parts, id: DeadLetterId) -> Result<Inspected, OperateError> {
    let case = find(app, id).await?;
    let opened = open(app, &case).await?;
    let (letter, event) = opened.map_or((None, None), |it| (it.letter, it.event.ok()));
    Ok(Inspected {
        case,
        letter,
        event,
    })
}

/// `None`: what was in it is lost.
async fn open(app: &Parts, case: &Case) -> Result<Option<Opened>, StoreError> {
    match cases::bytes(app, case.id, &case.letter).await? {
        Some(text) => Opened::of(app, &text).await.map(Some),
        None => Ok(None),
    }
}

/// What became, or would become, of one dead letter.
pub(super) struct Replayed {
    pub id: DeadLetterId,
    pub event: Option<MuxEvent>,
    /// What it did, or why it did nothing.
    pub effect: Result<Effect, String>,
}

/// What became of a selection, and where to go on when there is more.
pub(super) struct Replays {
    pub items: Vec<Replayed>,
    pub next: Option<Place>,
}

/// What a replay would do now, by the same reducer. Nothing is written, not even that it was asked.
pub(super) async fn rehearse(app: &Parts, selection: &Selection) -> Result<Replays, OperateError> {
    each(app, selection, Mode::Rehearsal(Rehearsed::default())).await
}

/// Has dead letters dealt with, one after the other. Each fails alone, and each is written down.
pub(super) async fn replay(
    app: &Parts,
    operator: &Member,
    selection: &Selection,
) -> Result<Replays, OperateError> {
    each(app, selection, Mode::Replay(operator)).await
}

enum Mode<'a> {
    Rehearsal(Rehearsed),
    Replay(&'a Member),
}

impl Mode<'_> {
    async fn deal(&mut self, app: &Parts, case: &Case) -> Replayed {
        let (event, effect) = match open(app, case).await {
            Ok(Some(Opened {
                event: Ok((body, event)),
                ..
            })) => {
                let effect = self.apply(app, &event, &body).await;
                (
                    Some(event),
                    effect.map_err(|error| telemetry::chain(&error)),
                )
            }
            Ok(Some(Opened {
                event: Err(reason), ..
            })) => (None, Err(unfit(reason))),
            Ok(None) => (None, Err(unfit(Reason::BodyLost))),
            Err(error) => (None, Err(telemetry::chain(&error))),
        };
        let noted = match self {
            Self::Rehearsal(_) => Ok(()),
            Self::Replay(operator) => close(app, operator, case, &effect).await,
        };
        // Done and not written down is not done: it can be replayed once more, and is a duplicate.
        let effect = noted.map_err(|error| telemetry::chain(&error)).and(effect);
        Replayed {
            id: case.id,
            event,
            effect,
        }
    }

    async fn apply(
        &mut self,
        app: &Parts,
        event: &MuxEvent,
        body: &[u8],
    ) -> Result<Effect, StoreError> {
        match self {
            Self::Rehearsal(so_far) => webhooks::rehearse(app, event, so_far).await,
            Self::Replay(operator) => {
                let told = Told {
                    event,
                    body,
                    via: Via::Replay,
                    request: operator.request,
                };
                webhooks::apply(app, &told).await
            }
        }
    }
}

async fn each(
    app: &Parts,
    selection: &Selection,
    mut mode: Mode<'_>,
) -> Result<Replays, OperateError> {
    let (started, page) = (Instant::now(), list(app, selection).await?);
    let (mut items, mut last) = (Vec::with_capacity(page.items.len()), None);
    let mut left = page.more;
    for case in &page.items {
        if started.elapsed() >= BUDGET {
            left = true;
            break;
        }
        items.push(mode.deal(app, case).await);
        last = Some(Place::of(case));
    }
    Ok(Replays {
        items,
        next: last.filter(|_| left),
    })
}

fn unfit(reason: Reason) -> String {
    let name = serde_json::to_value(reason).unwrap_or_default();
    name.as_str().unwrap_or_default().to_owned()
}

/// Writes down that a letter was replayed. One that was dealt with is gone.
async fn close(
    app: &Parts,
    operator: &Member,
    case: &Case,
    effect: &Result<Effect, String>,
) -> Result<(), StoreError> {
    let (now, guard) = (app.clock.now(), Guard::Version(case.version));
    let replayed = Event::LetterReplayed {
        letter: case.id,
        outcome: effect.as_ref().ok().map(|it| it.outcome),
    };
    let event = operator
        .act()
        .write(app, app.config.operators(), replayed)?;
    let row = match effect {
        Ok(_) => Write::delete(keys::case(case.id), guard),
        Err(error) => {
            let mut tried = case.clone().tried(now, error);
            tried.version += 1;
            cases::row(&tried, guard, now)?
        }
    };
    match app.store.commit(vec![row, event.clone()]).await {
        // Another replay was faster, or the list was behind: that it was asked for stays true.
        Err(StoreError::Conflict { write: 0 }) => app.store.commit(vec![event]).await,
        done => done,
    }
}

/// Decides that nothing is to be done about a parked letter. It is in no list any more; by its id it
/// can still be looked at, and replayed.
pub(super) async fn discard(
    app: &Parts,
    operator: &Member,
    id: DeadLetterId,
    reason: Note,
) -> Result<Case, OperateError> {
    let (now, before) = (app.clock.now(), find(app, id).await?);
    match before.state {
        State::Parked { .. } => {}
        State::Discarded { .. } => return Ok(before),
        State::Waiting { .. } => return Err(OperateError::Waiting),
    }
    let guard = Guard::Version(before.version);
    let case = Case {
        state: State::Discarded {
            at: now,
            by: operator.user,
            reason: reason.clone(),
        },
        version: before.version + 1,
        ..before
    };
    let discarded = Event::LetterDiscarded { letter: id, reason };
    let event = operator
        .act()
        .write(app, app.config.operators(), discarded)?;
    let writes = vec![cases::row(&case, guard, now)?, event];
    app.store.commit(writes).await?;
    Ok(case)
}
