//! What operators do with dead letters: look, rehearse, replay, discard. Letters that were just queued
//! are not here yet: the next replay, within a minute, deals with them or notes them.

use std::time::Duration as StdDuration;

use futures::future;
use time::OffsetDateTime;
use tokio::time::Instant;

use super::{
    OperateError,
    cases::{self, InVain, Opened},
    model::{Case, DeadLetter, Note, Reason, State},
    replay::{measure, traced},
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
    webhooks::{self, Effect, Outcome, Rehearsed, Told},
};

/// How long one request replays. What is left over, the next one does.
const BUDGET: StdDuration = StdDuration::from_secs(16);

/// How many letters that are named are read at once.
const ABREAST: usize = 10;

/// How long one letter may take.
const EACH: StdDuration = StdDuration::from_secs(4);

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
            for some in ids.chunks(ABREAST) {
                let found = some.iter().map(|id| find(app, *id));
                items.extend(future::try_join_all(found).await?);
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
            let inside = |it: &Place| {
                from.is_none_or(|from| from <= it.first_seen)
                    && to.is_none_or(|to| it.first_seen <= to)
            };
            if after.as_ref().is_some_and(|it| !inside(it)) {
                return Err(OperateError::Field("cursor must lie between from and to"));
            }
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
    let opened = open(app, &case).await.ok();
    let (letter, event) = opened.map_or((None, None), |it| (it.letter, it.event.ok()));
    Ok(Inspected {
        case,
        letter,
        event,
    })
}

async fn open(app: &Parts, case: &Case) -> Result<Opened, InVain> {
    match cases::bytes(app, case.id, &case.letter).await {
        Ok(Some(text)) => Ok(Opened::of(app, &text).await),
        Ok(None) => Err(InVain::unfit(Reason::BodyLost)),
        Err(error) => Err(InVain::of(&error)),
    }
}

/// What became, or would become, of one dead letter.
pub(super) struct Replayed {
    pub id: DeadLetterId,
    pub event: Option<MuxEvent>,
    /// What it did, or why it did nothing.
    pub effect: Result<Effect, InVain>,
}

/// What became of a selection, and what there was no time for, or no place on the page.
pub(super) struct Replays {
    pub items: Vec<Replayed>,
    pub left: Left,
}

/// Where to go on.
pub(super) enum Left {
    Nothing,
    After(Place),
    These(Vec<DeadLetterId>),
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
        let (webhook, opened) = match open(app, case).await {
            Ok(opened) => (opened.letter.and_then(|it| it.trace), opened.event),
            Err(failure) => (None, Err(failure)),
        };
        let (event, effect) = match opened {
            Ok((body, event)) => {
                let work = Box::pin(self.apply(app, case, &event, &body));
                let attempt = (case.id, case.version);
                let effect = Box::pin(traced(app, "ops", attempt, webhook, work)).await;
                if matches!((&*self, &effect), (Self::Replay(_), Ok(_))) {
                    measure(app, 1, app.clock.now() - case.first_seen);
                }
                (Some(event), effect)
            }
            Err(failure) => (None, Err(failure)),
        };
        let closed = match self {
            Self::Rehearsal(_) => Ok(Closed::Noted),
            Self::Replay(operator) => close(app, operator, case, &effect).await,
        };
        let effect = match (closed, effect) {
            // The answer was lost, or another replay was faster: it is dealt with.
            (Ok(Closed::Gone), Err(_)) => Ok(Effect::duplicate()),
            (Ok(_), effect) => effect,
            // Done and not written down is not done: it can be replayed once more, and is a duplicate.
            (Err(error), effect) => effect.and(Err(InVain::of(&error))),
        };
        Replayed {
            id: case.id,
            event,
            effect,
        }
    }

    async fn apply(
        &mut self,
        app: &Parts,
        case: &Case,
        event: &MuxEvent,
        body: &[u8],
    ) -> Result<Effect, InVain> {
        let operator = match self {
            Self::Rehearsal(so_far) => {
                let effect = webhooks::rehearse(app, event, so_far).await;
                return effect.map_err(|error| InVain::of(&error));
            }
            Self::Replay(operator) => *operator,
        };
        // Who had it done is written with what it does, and the case is gone with it. If something
        // else became of it meanwhile, nothing is done: the entry says what the case was.
        let with = |outcome| {
            Ok(vec![
                replayed(app, operator, case, None, Some(outcome))?,
                Write::delete(keys::case(case.id), Guard::Version(case.version)),
            ])
        };
        let told = Told {
            event,
            body,
            via: Via::Replay,
            request: operator.request,
            with: Some(&with),
        };
        match tokio::time::timeout(EACH, webhooks::apply(app, &told)).await {
            Ok(effect) => effect.map_err(|error| InVain::of(&error)),
            Err(_) => Err(InVain::late()),
        }
    }
}

fn replayed(
    app: &Parts,
    operator: &Member,
    case: &Case,
    after: Option<&Case>,
    outcome: Option<Outcome>,
) -> Result<Write, StoreError> {
    let letter = case.id;
    let replayed = Event::LetterReplayed { letter, outcome };
    let act = operator.act();
    act.write_change(app, app.config.operators(), replayed, Some(case), after)
}

/// What was found of a case when a replay was written down.
enum Closed {
    Noted,
    Gone,
}

/// Writes down what was not written with the change itself: that there was none, or that it failed.
async fn close(
    app: &Parts,
    operator: &Member,
    case: &Case,
    effect: &Result<Effect, InVain>,
) -> Result<Closed, StoreError> {
    let (now, guard) = (app.clock.now(), Guard::Version(case.version));
    let (row, after, outcome) = match effect {
        Ok(effect) if effect.outcome != Outcome::Duplicate => return Ok(Closed::Noted),
        Ok(effect) => (
            Write::delete(keys::case(case.id), guard),
            None,
            Some(effect.outcome),
        ),
        Err(failure) => {
            let mut tried = case.clone().tried(now, &failure.error);
            tried.reason = failure.reason;
            tried.class = failure.reason.class();
            tried.version += 1;
            (cases::row(&tried, guard, now)?, Some(tried), None)
        }
    };
    let event = replayed(app, operator, case, after.as_ref(), outcome)?;
    match app.store.commit(vec![row, event]).await {
        Ok(()) => return Ok(Closed::Noted),
        Err(StoreError::Conflict { write: 0 }) => {}
        Err(error) => return Err(error),
    }
    let still: Option<Case> = app.store.get(&keys::case(case.id)).await?;
    if still.is_none() {
        return Ok(Closed::Gone);
    }
    // It was tried by itself meanwhile: that an operator asked for it stays true.
    let (letter, tenant) = (case.id, app.config.operators());
    let asked = Event::LetterReplayed { letter, outcome };
    operator.act().note(app, tenant, asked).await?;
    Ok(Closed::Noted)
}

async fn each(
    app: &Parts,
    selection: &Selection,
    mut mode: Mode<'_>,
) -> Result<Replays, OperateError> {
    let (started, page) = (Instant::now(), list(app, selection).await?);
    let mut items = Vec::with_capacity(page.items.len());
    let mut listed = page.items.into_iter();
    let mut last = None;
    while let Some(case) = listed.next() {
        if !items.is_empty() && started.elapsed() >= BUDGET {
            let left = if let (Selection::Listed { .. }, Some(last)) = (selection, last) {
                Left::After(last)
            } else {
                let ids = std::iter::once(case).chain(listed).map(|it| it.id);
                Left::These(ids.collect())
            };
            return Ok(Replays { items, left });
        }
        last = Some(Place::of(&case));
        // A list may be behind: what was settled or decided meanwhile is not touched.
        if let Some(case) = current(app, selection, case).await? {
            items.push(mode.deal(app, &case).await);
        }
    }
    let left = last
        .filter(|_| page.more)
        .map_or(Left::Nothing, Left::After);
    Ok(Replays { items, left })
}

/// The case as it is now, if it still is what was selected.
async fn current(
    app: &Parts,
    selection: &Selection,
    case: Case,
) -> Result<Option<Case>, OperateError> {
    if matches!(selection, Selection::These(_)) {
        return Ok(Some(case)); // read just now
    }
    let now: Option<Case> = app.store.get(&keys::case(case.id)).await?;
    let decided = |it: &Case| matches!(it.state, State::Discarded { .. });
    Ok(now.filter(|it| !decided(it)))
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
        ..before.clone()
    };
    let (discarded, tenant) = (
        Event::LetterDiscarded { letter: id },
        app.config.operators(),
    );
    let act = operator.act();
    let mut entry = act.changed(app, tenant, discarded, Some(&before), Some(&case))?;
    // Whatever an operator writes may name somebody.
    entry.tell(app, "note", reason.into());
    let writes = vec![cases::row(&case, guard, now)?, entry.write()?];
    app.store.commit(writes).await?;
    Ok(case)
}
