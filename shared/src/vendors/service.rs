//! A run, every minute: what was counted is added up, each vendor is looked at, and incidents are looked
//! after. Each part fails alone, so that one that is broken keeps no other from being seen.

use serde::Serialize;
use time::{Duration, OffsetDateTime};

use super::model::{Rates, WINDOW, Watched};
use crate::{
    alerts,
    app::Parts,
    events::Act,
    guardrails,
    ids::RunId,
    incidents::{self, Found, Matter},
    jobs::{self, Job},
    meter::{self, Counter, Folded, Series},
    resilience::{self, Step, Vendor},
    restores, slo,
    store::{Guard, Later, Reads, StoreError, keys},
    telemetry,
};

/// How long one run adds up. The next one begins a minute after it did.
const FOLDING: Duration = Duration::seconds(20);

/// How long a run may take before another one may begin.
const LEASE: Duration = Duration::minutes(2);

/// How long a page is not asked again: a little less than a minute, so that a schedule that is early now
/// and then leaves no minute out.
const BREATH: Duration = Duration::seconds(50);

/// What a run did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Pass {
    /// Records of instances that were added up.
    pub folded: u32,
    /// Vendors that do not work.
    pub outages: u32,
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
    let act = Act::of_job(Job::Watch.name(), id);
    let mut pass = Pass::default();
    let folded = fold(app).await.map(|folded| {
        pass.folded = folded.records;
        folded.counted
    });
    let folded = match folded {
        Ok(counted) => slo::watch(app, &act, &counted).await,
        Err(error) => Err(error),
    };
    let folded = folded.and(slo::tell(app, &act).await);
    let now = app.clock.now();
    // Without them the pages and the breakers still speak.
    let series = meter::minutes(app, now - WINDOW, now).await;
    let mut done = folded.and(series.as_ref().map(drop).map_err(|error| {
        tracing::error!(error = telemetry::chain(error), "counts could not be read");
        StoreError::Unavailable("counts could not be read".into())
    }));
    let series = series.unwrap_or_default();
    for vendor in Vendor::ALL {
        match look(app, &act, vendor, &series).await {
            Ok(out) => pass.outages += u32::from(out),
            Err(error) => {
                let (vendor, error_text) = (vendor.name(), telemetry::chain(&error));
                tracing::error!(vendor, error = error_text, "a vendor was not looked at");
                done = done.and(Err(error));
            }
        }
    }
    let done = restores::look(app, &act).await.and(done);
    let done = incidents::look_after(app, &act).await.and(done);
    // Last: a report is the most work of all.
    if let Err(error) = guardrails::look_if_told(app, &act).await {
        let error = telemetry::chain(&error);
        tracing::warn!(error, "what Mux told of traffic was not looked at");
    }
    done?;
    Ok(pass)
}

async fn fold(app: &Parts) -> Result<Folded, StoreError> {
    let folded = meter::fold(app, app.clock.now() + FOLDING).await;
    let folded = folded.inspect_err(|error| {
        tracing::error!(error = telemetry::chain(error), "nothing was added up");
    })?;
    if folded.more {
        let records = folded.records;
        tracing::warn!(records, "there was no time to add up everything");
    }
    Ok(folded)
}

/// Looks at a vendor, and sees to it that there is an incident exactly while it is out. What is known is
/// written first: if the job dies after that, the next run does the rest.
async fn look(app: &Parts, act: &Act, vendor: Vendor, series: &Series) -> Result<bool, StoreError> {
    let key = keys::vendor(vendor.name());
    let known: Option<Watched> = app.store.get(&key).await?;
    let guard = known
        .as_ref()
        .map_or(Guard::Absent, |it| Guard::Version(it.version));
    let before = known.unwrap_or_default();
    let asked = asked(app, vendor, before.clone()).await;
    let now = app.clock.now();
    let rates = Rates {
        attempts: series.sum(Counter::of(vendor, Step::Attempt)),
        failures: series.sum(Counter::of(vendor, Step::Failure)),
        held_back: series.sum(Counter::of(vendor, Step::HeldBack)),
        breaker_open: resilience::look(app, vendor).await.open_since().is_some(),
    };
    let mut after = asked.judged(rates, now);
    if after != before {
        after.version += 1;
        match app.store.put(&key, &after, guard).await {
            Ok(()) => {}
            // Another run sees the same, and does what follows from it.
            Err(StoreError::Conflict { .. }) => return Ok(after.outage.is_some()),
            Err(error) => return Err(error),
        }
    }
    let matter = Matter::VendorOutage(vendor);
    match &after.outage {
        None => incidents::clear(app, act, matter).await?,
        Some(outage) => {
            let found = Found {
                matter,
                severity: outage.severity,
                cause: outage.cause,
                since: outage.since,
            };
            incidents::raise(app, act, found).await?;
        }
    }
    Ok(after.outage.is_some())
}

/// What is known after the vendor's page was asked, if it has one and was not asked just now.
async fn asked(app: &Parts, vendor: Vendor, known: Watched) -> Watched {
    let page = match vendor {
        Vendor::Mux => app.mux_status.as_ref(),
        Vendor::Mail => None, // whose mail server it is, only its owner knows
    };
    let now = app.clock.now();
    let recent = |at: OffsetDateTime| (Duration::ZERO..BREATH).contains(&(now - at));
    match page {
        Some(page) if !known.asked_at.is_some_and(recent) => {
            let said = page.ask().await;
            known.told(said, app.clock.now())
        }
        Some(_) => known,
        // It was switched off: what it said is no news any more.
        None => Watched {
            page: None,
            asked_at: None,
            ..known
        },
    }
}

/// What is known of a vendor.
pub fn known<'a>(reads: &mut Reads, vendor: Vendor) -> Later<'a, Watched> {
    let known = reads.get(keys::vendor(vendor.name()));
    known.map(Option::unwrap_or_default)
}
