//! The freeze of changes: what can wait is refused while a budget is spent, unless somebody answers for
//! it by name and with a reason.

use time::{Duration, OffsetDateTime};

use super::{
    service::{guard, kept},
    state::{Lifted, State},
};
use crate::{
    app::Parts,
    auth::Member,
    dlq::Note,
    events::Event,
    problem::{Kind, Problem},
    store::{StoreError, Write, keys},
};

/// How long a freeze can be lifted at once, in hours: long enough for a fix and its watch, short enough
/// that somebody decides anew.
pub(super) const LIFTED_MAX: u8 = 72;

/// Why something was not changed.
#[derive(Debug, thiserror::Error)]
pub enum Frozen {
    #[error("whether changes are frozen could not be read or written")]
    Store(#[from] StoreError),
    #[error("changes are frozen: an error budget is spent")]
    Now,
}

impl From<Frozen> for Problem {
    fn from(error: Frozen) -> Self {
        match error {
            Frozen::Now => Self::new(
                Kind::ChangesFrozen,
                "an error budget is spent: see GET /api/slo; an operator can lift the freeze with a reason",
            ),
            Frozen::Store(StoreError::Conflict { .. }) => {
                Self::new(Kind::Conflict, "read it again, and decide again")
            }
            Frozen::Store(error) => error.into(),
        }
    }
}

/// For what can wait and may go wrong.
pub async fn refuse_if_frozen(app: &Parts) -> Result<(), Frozen> {
    if kept(app).await?.is_frozen(app.clock.now()) {
        return Err(Frozen::Now);
    }
    Ok(())
}

/// Lets changes through for a time. The same once more begins that time anew.
pub(super) async fn lift(
    app: &Parts,
    operator: &Member,
    reason: Note,
    time: Duration,
) -> Result<State, Frozen> {
    let (now, before) = (app.clock.now(), kept(app).await?);
    if before.freezing().next().is_none() {
        return Ok(before); // there is nothing to lift
    }
    let lifted = Lifted {
        of: before.freezing().collect(),
        by: operator.user,
        reason,
        until: now + time,
    };
    let event = Event::FreezeLifted {
        until: lifted.until,
    };
    change(app, operator, &before, Some(lifted), event).await
}

/// Takes that back.
pub(super) async fn restore(app: &Parts, operator: &Member) -> Result<State, Frozen> {
    let before = kept(app).await?;
    if before.lifted.is_none() {
        return Ok(before);
    }
    change(app, operator, &before, None, Event::FreezeRestored).await
}

async fn change(
    app: &Parts,
    operator: &Member,
    before: &State,
    lifted: Option<Lifted>,
    event: Event,
) -> Result<State, Frozen> {
    let next = State {
        version: before.version + 1,
        lifted,
        ..before.clone()
    };
    let tenant = app.config.operators();
    let act = operator.act();
    let mut entry = act.changed(app, tenant, event, Some(before), Some(&next))?;
    if let Some(lifted) = &next.lifted {
        // Whatever an operator writes may name somebody.
        entry.tell(app, "note", lifted.reason.clone().into());
    }
    let put = Write::put(keys::slo(), &next, guard(before))?;
    app.store.commit(vec![put, entry.write()?]).await?;
    Ok(next)
}

/// Until when the freeze is lifted, if it is.
pub(super) fn lifted(state: &State, now: OffsetDateTime) -> Option<&Lifted> {
    state.lifted.as_ref().filter(|it| now < it.until)
}
