//! The watch: each job looks after its work, so that each notices when the other one sleeps.

use std::time::Duration;

use super::model::{Alert, Change, Raised, Reading};
use crate::{
    app::Parts,
    dlq::Depth,
    events::{Act, Event},
    guardrails,
    jobs::{self, Job},
    metrics, reconcile, slo,
    store::{Guard, Later, Reads, StoreError, Write, keys},
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

/// What is to be seen now, and which alerts are raised.
pub(super) async fn read(app: &Parts) -> Result<(Reading, Option<Raised>), StoreError> {
    let mut reads = Reads::default();
    let standing = standing(app, &mut reads);
    let (found, depth) = tokio::join!(app.store.read(reads), depth(app));
    let (reading, known) = standing.of(&found?)?;
    Ok((Reading { depth, ..reading }, known))
}

/// What is to be seen of all that stands in the table, and which alerts are raised. How deep the queue is
/// is asked of the queue.
pub fn standing<'a>(app: &'a Parts, reads: &mut Reads) -> Later<'a, (Reading, Option<Raised>)> {
    let beats = jobs::last_successes(reads);
    let compared = reconcile::last_comparison(reads);
    let census = reconcile::census(reads);
    let promises = slo::kept_among(reads);
    let guardrails = guardrails::kept_among(reads);
    let tally = webhooks::tally_of_late(app.clock.now(), reads);
    let raised = reads.get(keys::alerts());
    Later::new(move |found| {
        let [
            (_, replayed),
            (_, reconciled),
            (_, retired),
            (_, sealed),
            (_, metered),
            (_, watched),
        ] = beats;
        let reading = Reading {
            replayed: replayed.of(found)?,
            reconciled: reconciled.of(found)?,
            retired: retired.of(found)?,
            compared: compared.of(found)?,
            sealed: sealed.of(found)?,
            metered: metered.of(found)?,
            watched: watched.of(found)?,
            depth: None,
            tally: tally.of(found)?,
            missed: census.of(found)?.missed,
            promises: promises.of(found)?,
            guardrails: guardrails.of(found)?,
        };
        Ok((reading, raised.of(found)?))
    })
}

/// How deep the queue is; nothing, if it does not say.
pub async fn depth(app: &Parts) -> Option<Depth> {
    let depth = app.dead_letters.depth().await.inspect_err(|error| {
        tracing::warn!(error = telemetry::chain(error), "the queue was not counted");
    });
    depth.ok()
}
