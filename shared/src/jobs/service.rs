//! One run at a time.

use time::{Duration, OffsetDateTime};

use super::{Job, Lease};
use crate::{
    app::Parts,
    ids::RunId,
    store::{Guard, StoreError, keys},
};

/// Runs a job if nobody else does. `None`: somebody does. A run that does not come back loses its
/// lease after `life`; it must be done by then, because the next one may begin.
pub async fn alone<T, E: From<StoreError>>(
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
    let done = work(run).await;
    let released = lease.released(app.clock.now(), done.is_ok());
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

/// When each job last went well; `None` if it never did. One round trip.
pub async fn last_successes(app: &Parts) -> Result<[(Job, Option<OffsetDateTime>); 4], StoreError> {
    let keys = Job::ALL.map(|it| keys::job(it.name()));
    let leases: Vec<Option<Lease>> = app.store.get_many(&keys).await?;
    let mut leases = leases.into_iter();
    Ok(Job::ALL.map(|job| {
        let lease = leases.next().flatten();
        (job, lease.and_then(|it| it.last_success))
    }))
}
