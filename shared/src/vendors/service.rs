//! A run, every minute: what was counted is added up.

use serde::Serialize;
use time::Duration;

use crate::{
    alerts,
    app::Parts,
    events::Act,
    guardrails,
    ids::RunId,
    jobs::{self, Job},
    meter, slo,
    store::StoreError,
    telemetry,
};

/// How long one run adds up. The next one begins a minute after it did.
const FOLDING: Duration = Duration::seconds(20);

/// How long a run may take before another one may begin.
const LEASE: Duration = Duration::minutes(2);

/// What a run did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Pass {
    /// Records of instances that were added up.
    pub folded: u32,
}

/// A run did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    #[error("the counts, the vendors or the lease could not be read or written")]
    Store(#[from] StoreError),
}

/// Looks after everything. `None`: another run is at it.
pub async fn watch(app: &Parts) -> Result<Option<Pass>, WatchError> {
    let work = async |id| Box::pin(run(app, id)).await;
    let done = jobs::alone(app, Job::Watch, LEASE, work).await;
    Box::pin(alerts::watch(app, Job::Watch)).await;
    done
}

async fn run(app: &Parts, id: RunId) -> Result<Pass, WatchError> {
    let folded = meter::fold(app, app.clock.now() + FOLDING).await?;
    if folded.more {
        let records = folded.records;
        tracing::warn!(records, "there was no time to add up everything");
    }
    slo::watch(app, id, &folded.counted).await?;
    let act = Act::of_job(Job::Watch.name(), id);
    if let Err(error) = guardrails::look_if_told(app, &act).await {
        let error = telemetry::chain(&error);
        tracing::warn!(error, "what Mux told of traffic was not looked at");
    }
    Ok(Pass {
        folded: folded.records,
    })
}
