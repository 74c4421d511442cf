//! Counting what is promised, and looking whether it is kept.

use std::collections::BTreeSet;

use axum::http::StatusCode;
use time::{Duration, OffsetDateTime};

use super::{
    model::{Objective, PERIOD, SLOW, Standing, Tally},
    state::{Change, State},
};
use crate::{
    app::Parts,
    events::{Act, Event},
    incidents::{self, Cause, Found, Matter, Severity},
    meter::{self, Counter, Series},
    store::{Guard, Later, Reads, StoreError, Write, keys},
    telemetry::Answering,
};

/// The longest window that is looked at by the minute; longer ones by the hour.
const BY_MINUTE: Duration = Duration::hours(6);

/// Counts one thing that was promised. Makes no call.
pub fn count(app: &Parts, objective: Objective, good: bool) {
    app.meter.add(Counter::promised(objective, good), 1);
}

/// Counts an answer: by what its route promises, and whether it came in time. What was the client's
/// mistake keeps no promise and breaks none.
pub fn answered(app: &Parts, answering: Answering, status: StatusCode, took: Duration) {
    let (served, failed) = (status.as_u16() < 400, status.is_server_error());
    if let Some(objective) = answering.promised
        && (served || failed)
    {
        count(app, objective, served);
    }
    if answering.timed && !failed {
        count(app, Objective::Latency, took <= SLOW);
    }
}

/// What is kept of the last look. One read.
pub(super) async fn kept(app: &Parts) -> Result<State, StoreError> {
    let mut reads = Reads::default();
    let kept = kept_among(&mut reads);
    kept.of(&app.store.read(reads).await?)
}

/// The same, read together with other things.
pub fn kept_among<'a>(reads: &mut Reads) -> Later<'a, State> {
    reads.get(keys::slo()).map(Option::unwrap_or_default)
}

/// How it stands with every promise now: two round trips at once.
pub(super) async fn standings(app: &Parts) -> Result<[Standing; 5], StoreError> {
    let now = app.clock.now();
    let (minutes, hours) = tokio::try_join!(
        meter::minutes(app, now - BY_MINUTE, now),
        meter::hours(app, now - PERIOD, now),
    )?;
    Ok(Objective::ALL.map(|objective| {
        Standing::of(objective, |window| {
            let series = if window <= BY_MINUTE {
                &minutes
            } else {
                &hours
            };
            tally(series, objective, now - window)
        })
    }))
}

/// What there was from this time on; a minute or an hour that began before is left out.
fn tally(series: &Series, objective: Objective, from: OffsetDateTime) -> Tally {
    let sum = |good| {
        let counter = Counter::promised(objective, good);
        let counts = series.0.get(&counter).into_iter();
        counts.flat_map(|it| it.range(from..)).map(|it| it.1).sum()
    };
    Tally {
        good: sum(true),
        bad: sum(false),
    }
}

/// Looks, when this was counted since the last time, and keeps what changed: mostly one read, because
/// nothing was bad.
pub async fn watch(app: &Parts, act: &Act, counted: &BTreeSet<Counter>) -> Result<(), StoreError> {
    let (now, before) = (app.clock.now(), kept(app).await?);
    let broken = |it: &Objective| counted.contains(&Counter::promised(*it, false));
    // Once an hour in any case: a run may have died between what it added up and its look.
    let hourly = now.minute() == 0;
    if before.is_calm() && !hourly && !Objective::ALL.iter().any(broken) {
        return Ok(());
    }
    let standings = Box::pin(standings(app)).await?;
    let (mut next, changes) = before.after(now, &standings);
    if next == before {
        return Ok(());
    }
    next.version += 1;
    let mut writes = vec![Write::put(keys::slo(), &next, guard(&before))?];
    for change in &changes {
        let event = match *change {
            Change::Breached(objective, budget) => Event::ErrorBudgetBreached {
                objective,
                spent_millionths: budget.spent_millionths,
            },
            Change::Restored(objective) => Event::ErrorBudgetRestored { objective },
        };
        let tenant = app.config.operators();
        writes.push(act.write_change(app, tenant, event, Some(&before), Some(&next))?);
    }
    match app.store.commit(writes).await {
        // An operator was at it just now: the next run sees both.
        Err(StoreError::Conflict { .. }) => return Ok(()),
        done => done?,
    }
    for change in changes {
        say(change);
    }
    Ok(())
}

/// Sees to it that there is an incident exactly while a budget is spent. If the job dies before, the
/// next run does it.
pub async fn tell(app: &Parts, act: &Act) -> Result<(), StoreError> {
    let state = kept(app).await?;
    if state.version == 0 {
        return Ok(());
    }
    let spent = state.breached.iter().filter(|it| it.0.freezes());
    for (objective, breach) in spent {
        let found = Found {
            matter: Matter::ErrorBudget(*objective),
            severity: Severity::Major,
            cause: Cause::OwnRates,
            since: breach.since,
        };
        incidents::raise(app, act, found).await?;
    }
    for incident in incidents::open(app).await? {
        if let Matter::ErrorBudget(objective) = incident.matter
            && !state.breached.contains_key(&objective)
        {
            incidents::clear(app, act, incident.matter).await?;
        }
    }
    Ok(())
}

/// What must be true of the stored state for a write to happen.
pub(super) fn guard(before: &State) -> Guard {
    match before.version {
        0 => Guard::Absent,
        version => Guard::Version(version),
    }
}

fn say(change: Change) {
    match change {
        Change::Breached(objective, budget) => {
            let (objective, spent) = (objective.name(), budget.spent_minutes);
            tracing::error!(objective, spent, "an error budget is spent");
        }
        Change::Restored(objective) => {
            tracing::info!(objective = objective.name(), "an error budget is restored");
        }
    }
}
