//! Health as the founding documents spell it (S1-059), and what was added to it.

use std::collections::BTreeMap;

use serde::Serialize;
use time::OffsetDateTime;

use super::{
    model::Health,
    service::{Look, Seen},
};
use crate::{
    alerts::Alert,
    app::Parts,
    assets::Status,
    dlq::Depth,
    guardrails::{Mode, Rail, Whose},
    ids::IncidentId,
    incidents::{Incident, Matter, Standing},
    jobs::Job,
    resilience::{Breaker, State, Vendor},
    vendors::Said,
};

/// What everybody is told.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SystemBody {
    status: Health,
    #[serde(with = "time::serde::rfc3339")]
    timestamp: OffsetDateTime,
    /// Milliseconds that the look took.
    response_time: u64,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    details: Option<Details>,
}

/// What only operators are told.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Details {
    resilience: Resilience,
    database: Database,
    processing: Processing,
    jobs: Vec<JobBody>,
    /// Nothing, if the queue did not tell.
    dead_letters: Option<Depth>,
    flags: Flags,
    vendors: Vec<VendorBody>,
    alerts: Vec<Alert>,
    /// What went wrong and is not over.
    incidents: Vec<IncidentBody>,
    /// What is done because a month costs too much, or would be.
    guardrails: Vec<GuardrailBody>,
    warnings: Vec<&'static str>,
}

/// How it stands with Mux.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Resilience {
    system_health: Health,
    circuit_breaker: CircuitBreaker,
    retry_budget: RetryBudget,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CircuitBreaker {
    state: &'static str,
    /// In a row, while it is closed.
    failure_count: u32,
    /// Trials that went well, while it is half open.
    success_count: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RetryBudget {
    retry_count: u16,
    budget_limit: u16,
    remaining_budget: u16,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Database {
    connected: bool,
    response_time: Option<u64>,
    /// Videos by status: the open ones as of the last run of `reconcile`, the others as of its last
    /// daily comparison.
    status_counts: BTreeMap<Status, u32>,
    #[serde(with = "time::serde::rfc3339::option")]
    counted_at: Option<OffsetDateTime>,
}

/// Webhooks of this hour and the last, and the videos that Mux is at work on.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Processing {
    recently_processed: u64,
    #[serde(rename = "currentlyProcessing")]
    at_work: u32,
    recent_errors: u64,
    /// Of one.
    error_rate: f64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JobBody {
    name: &'static str,
    #[serde(with = "time::serde::rfc3339::option")]
    last_success: Option<OffsetDateTime>,
    age_seconds: Option<i64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Flags {
    signed_playback_enforced: bool,
    mux_webhook_dlq_enabled: bool,
    mail: bool,
}

/// What this process has done about a vendor since it began.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct VendorBody {
    name: &'static str,
    health: Health,
    circuit_breaker: CircuitBreaker,
    calls: u64,
    held_back: u64,
    attempts: u64,
    retries: u64,
    failures: u64,
    /// What its status page last said, and since when; nothing, if it has none or was never read.
    status_page: Option<Said>,
}

#[derive(Serialize)]
struct IncidentBody {
    id: IncidentId,
    #[serde(flatten)]
    matter: Matter,
    state: Standing,
    #[serde(with = "time::serde::rfc3339")]
    since: OffsetDateTime,
}

impl SystemBody {
    pub(super) fn of(look: &Look, app: &Parts, details: bool) -> Self {
        Self {
            status: look.health,
            timestamp: look.at,
            response_time: look.took,
            details: details.then(|| Details::of(look, app)),
        }
    }
}

impl Details {
    fn of(look: &Look, app: &Parts) -> Self {
        let vendors = look.vendors.iter().map(VendorBody::of).collect();
        Self {
            resilience: Resilience::of(look),
            database: Database::of(look),
            processing: Processing::of(look),
            jobs: jobs(look),
            dead_letters: look.reading.depth,
            flags: Flags {
                signed_playback_enforced: app.config.signed_playback,
                mux_webhook_dlq_enabled: app.config.webhook_dlq,
                mail: app.keys().mail.is_some(),
            },
            vendors,
            alerts: look.alerts.clone(),
            incidents: look.incidents.iter().map(IncidentBody::of).collect(),
            guardrails: guardrails(look),
            warnings: look.warnings.clone(),
        }
    }
}

impl Resilience {
    fn of(look: &Look) -> Self {
        let mux = &look.vendors[Vendor::Mux as usize];
        let (used, limit) = mux.retries;
        Self {
            system_health: mux.health,
            circuit_breaker: CircuitBreaker::of(&mux.breaker),
            retry_budget: RetryBudget {
                retry_count: used,
                budget_limit: limit,
                remaining_budget: limit.saturating_sub(used),
            },
        }
    }
}

impl CircuitBreaker {
    fn of(breaker: &Breaker) -> Self {
        let (state, failure_count, success_count) = match &breaker.state {
            State::Closed { failures, .. } => ("CLOSED", *failures, 0),
            State::Open { .. } => ("OPEN", 0, 0),
            State::HalfOpen { successes, .. } => ("HALF_OPEN", 0, *successes),
        };
        Self {
            state,
            failure_count,
            success_count,
        }
    }
}

impl Database {
    fn of(look: &Look) -> Self {
        let halves = look.census.open.iter().chain(&look.census.closed);
        Self {
            connected: look.table.is_some(),
            response_time: look.table,
            status_counts: look.census.counts(),
            counted_at: halves.map(|it| it.at).min(),
        }
    }
}

impl Processing {
    fn of(look: &Look) -> Self {
        let tally = &look.reading.tally;
        let counts = look.census.counts();
        let all = tally.taken + tally.failed;
        #[expect(clippy::cast_precision_loss, reason = "a rate")]
        let error_rate = tally.failed as f64 / all.max(1) as f64;
        Self {
            recently_processed: tally.taken,
            at_work: counts.get(&Status::Processing).copied().unwrap_or_default(),
            recent_errors: tally.failed,
            error_rate,
        }
    }
}

/// What acts for one budget.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GuardrailBody {
    of: Whose,
    /// Of the budget, in percent.
    reached: u64,
    acting: BTreeMap<Rail, Mode>,
    paused_links: usize,
}

fn guardrails(look: &Look) -> Vec<GuardrailBody> {
    let budgets = look.reading.guardrails.budgets.iter();
    let body = budgets.map(|(of, own)| GuardrailBody {
        of: *of,
        reached: own.reached,
        acting: own.acting.clone(),
        paused_links: own.paused.len(),
    });
    body.collect()
}

fn jobs(look: &Look) -> Vec<JobBody> {
    let of = |job| match job {
        Job::DlqReplay => look.reading.replayed,
        Job::Reconcile => look.reading.reconciled,
        Job::Retire => look.reading.retired,
        Job::AuditSeal => look.reading.sealed,
        Job::Usage => look.reading.metered,
        Job::Watch => look.reading.watched,
    };
    let body = |job: Job| JobBody {
        name: job.name(),
        last_success: of(job),
        age_seconds: of(job).map(|last| (look.at - last).whole_seconds()),
    };
    Job::ALL.map(body).into()
}

impl IncidentBody {
    fn of(incident: &Incident) -> Self {
        Self {
            id: incident.id,
            matter: incident.matter,
            state: incident.standing(),
            since: incident.opened.at,
        }
    }
}

impl VendorBody {
    fn of(seen: &Seen) -> Self {
        Self {
            name: seen.vendor.name(),
            health: seen.health,
            circuit_breaker: CircuitBreaker::of(&seen.breaker),
            calls: seen.tally.calls,
            held_back: seen.tally.held_back,
            attempts: seen.tally.attempts,
            retries: seen.tally.retries,
            failures: seen.tally.failures,
            status_page: seen.page.clone(),
        }
    }
}
