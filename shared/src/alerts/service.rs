//! The watch: each job looks after its work, so that each notices when the other one sleeps.

use std::time::Duration;

use super::model::{Alert, Change, Raised, Reading};
use crate::{
    app::Parts,
    events::{Act, Event},
    guardrails,
    jobs::{self, Job},
    metrics, reconcile, slo,
    store::{Guard, StoreError, Write, keys},
    telemetry, webhooks,
};

/// How long a look may take: a job has its own work to do.
const LOOK: Duration = Duration::from_secs(4);

/// Looks at everything that is watched, writes metrics, and raises and clears alerts. What cannot be
/// read or written now is for the next look; nothing fails for it.
pub async fn watch(app: &Parts, job: Job) {
    let looked = tokio::time::timeout(LOOK, look(app, job)).await;
    let error = match looked {
        Ok(Ok(())) => return,
        Ok(Err(error)) => telemetry::chain(&error),
        Err(_) => "the table did not answer in time".to_owned(),
    };
    tracing::error!(error, "what is watched could not be looked at");
}

async fn look(app: &Parts, job: Job) -> Result<(), StoreError> {
    let (now, key) = (app.clock.now(), keys::alerts());
    let (reading, known) = Box::pin(read(app)).await?;
    let guard = known
        .as_ref()
        .map_or(Guard::Absent, |it| Guard::Version(it.version));
    let before = known.clone().unwrap_or_else(|| Raised::none(now));
    let values = reading.values(now, before.watched_since);
    for (alert, value) in &values {
        metrics::emit(now, alert.metric(), *value);
    }
    let (mut next, changes) = before.after(now, &values);
    if known.is_some() && changes.is_empty() {
        return Ok(());
    }
    next.version += 1;
    let act = Act::of_job(job.name(), app.ids.mint());
    let mut writes = vec![Write::put(key, &next, guard)?];
    for change in &changes {
        let event = match *change {
            Change::Raised(alert, value) => Event::AlertRaised { alert, value },
            Change::Cleared(alert) => Event::AlertCleared { alert },
        };
        let tenant = app.config.operators();
        writes.push(act.write_change(app, tenant, event, known.as_ref(), Some(&next))?);
    }
    match app.store.commit(writes).await {
        Ok(()) => {}
        Err(StoreError::Conflict { .. }) => return Ok(()), // another job saw the same just now
        Err(error) => return Err(error),
    }
    for change in changes {
        say(change);
    }
    Ok(())
}

fn say(change: Change) {
    let name = |alert: Alert| serde_json::to_value(alert).unwrap_or_default();
    match change {
        Change::Raised(alert, value) => {
            tracing::error!(alert = name(alert).as_str(), value, "alert raised");
        }
        Change::Cleared(alert) => {
            tracing::info!(cleared = name(alert).as_str(), "alert cleared");
        }
    }
}

/// What is to be seen now, and which alerts stand.
pub async fn standing(app: &Parts) -> Result<(Reading, Raised), StoreError> {
    let (reading, known) = Box::pin(read(app)).await?;
    let raised = known.unwrap_or_else(|| Raised::none(app.clock.now()));
    Ok((reading, raised))
}

async fn read(app: &Parts) -> Result<(Reading, Option<Raised>), StoreError> {
    let standing = keys::alerts();
    let (beats, compared, census, promises, guardrails, tally, known, depth) = tokio::join!(
        jobs::last_successes(app),
        reconcile::last_comparison(app),
        reconcile::census(app),
        slo::kept(app),
        guardrails::kept(app),
        webhooks::tally_of_late(app),
        app.store.get(&standing),
        app.dead_letters.depth(),
    );
    let depth = depth.inspect_err(|error| {
        tracing::warn!(error = telemetry::chain(error), "the queue was not counted");
    });
    let [
        (_, replayed),
        (_, reconciled),
        (_, retired),
        (_, sealed),
        (_, metered),
        (_, watched),
    ] = beats?;
    let reading = Reading {
        replayed,
        reconciled,
        retired,
        compared: compared?,
        sealed,
        metered,
        watched,
        depth: depth.ok(),
        tally: tally?,
        missed: census?.missed,
        promises: promises?,
        guardrails: guardrails?,
    };
    Ok((reading, known?))
}
