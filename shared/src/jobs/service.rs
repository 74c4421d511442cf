//! One run at a time.

use std::time::Instant;

use time::{Duration, OffsetDateTime};

use super::{Job, Lease};
use crate::{
    app::Parts,
    ids::RunId,
    meter,
    metrics::{self, Metric},
    secrets,
    store::{Guard, Later, Reads, StoreError, keys},
    traces::{self, Operation},
};

/// Runs a job if nobody else does. `None`: somebody does. A run that does not come back loses its
/// lease after `life`; it must be done by then, because the next one may begin.
pub async fn alone<T, E: From<StoreError>>(
    app: &Parts,
    job: Job,
    life: Duration,
    work: impl AsyncFnOnce(RunId) -> Result<T, E>,
) -> Result<Option<T>, E> {
    let began = app.clock.now();
    secrets::renew(app).await;
    let done = Box::pin(leased(app, job, life, work)).await;
    // A run that a request woke is a part of it, and of what it is counted as.
    if traces::here().is_none() {
        app.meter.worked(app.clock.now() - began);
    }
    meter::flush(app).await;
    done
}

async fn leased<T, E: From<StoreError>>(
    app: &Parts,
    job: Job,
    life: Duration,
    work: impl AsyncFnOnce(RunId) -> Result<T, E>,
) -> Result<Option<T>, E> {
    let key = keys::job(job.name());
    let before: Option<Lease> = app.store.get(&key).await?;
    let guard = before
        .as_ref()
        .map_or(Guard::Absent, |it| Guard::Version(it.version));
    let before = before.unwrap_or_default();
    let run = app.ids.mint();
    let Some(lease) = before.taken(run, app.clock.now(), life) else {
        return Ok(None);
    };
    match app.store.put(&key, &lease, guard).await {
        Ok(()) => {}
        Err(StoreError::Conflict { .. }) => return Ok(None), // somebody was faster
        Err(error) => return Err(error.into()),
    }
    let started = Instant::now();
    let done = traced(app, job, run, work(run)).await;
    let (now, of) = (app.clock.now(), ("job", job.name()));
    let taken = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    metrics::emit_of(now, Metric::JobSuccess, u64::from(done.is_ok()), of);
    metrics::emit_of(now, Metric::JobDuration, taken, of);
    let released = lease.released(now, done.is_ok());
    let given_back = app
        .store
        .put(&key, &released, Guard::Version(lease.version))
        .await;
    if let Err(error) = given_back {
        // It runs out by itself, or another run has it already.
        tracing::warn!(
            job = job.name(),
            error = crate::telemetry::chain(&error),
            "lease not given back"
        );
    }
    done.map(Some)
}

/// A run is a part of the request that woke it, or else a trace of its own.
async fn traced<T, E>(
    app: &Parts,
    job: Job,
    run: RunId,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    if traces::here().is_some() {
        return work.await;
    }
    let operation = Operation {
        service: job.name(),
        name: "run".to_owned(),
        asked: false,
    };
    let done = traces::part(app, operation, run.into(), None, work).await;
    app.traces.send(app).await;
    done
}

/// When each job last went well; nothing if it never did.
pub fn last_successes<'a>(reads: &mut Reads) -> [(Job, Later<'a, Option<OffsetDateTime>>); 6] {
    Job::ALL.map(|job| {
        let lease = reads.get(keys::job(job.name()));
        let success = lease.map(|it: Option<Lease>| it.and_then(|it| it.last_success));
        (job, success)
    })
}
