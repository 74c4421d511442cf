//! Looking at what is spent, and what everybody who asks is told of it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::{
    error::GuardError,
    model::{Change, Lifted, Own, Spent, State, Whose},
    rails::{CAP, Mode, Rail, Rails},
};
use crate::{
    app::Parts,
    auth::Member,
    costs::{self, CostsError, Money, Month},
    dlq::Note,
    events::{Act, Event},
    ids::{ShareId, TenantId},
    mux::Resolution,
    store::{Guard, Later, Reads, StoreError, Write, keys},
    telemetry,
};

/// How long what is known counts in one process: a link that is paused is paused everywhere within this.
const VIEW: Duration = Duration::MINUTE;

/// How many events one transaction takes beside the state, of the 100 writes that the service takes: each
/// is an entry of the audit log, of one row.
const EVENTS: usize = 90;

/// What this process knows.
#[derive(Default)]
pub struct Acting(Mutex<Option<(OffsetDateTime, Arc<State>)>>);

/// What is kept. One read.
pub(super) async fn kept(app: &Parts) -> Result<State, StoreError> {
    let mut reads = Reads::default();
    let kept = kept_among(&mut reads);
    kept.of(&app.store.read(reads).await?)
}

/// The same, read together with other things.
pub fn kept_among<'a>(reads: &mut Reads) -> Later<'a, State> {
    reads.get(keys::guardrails()).map(Option::unwrap_or_default)
}

/// The same as it was a minute ago at the most, for who decides by it: where nobody has a budget, no
/// call; otherwise one read a minute in each process. If it cannot be read, what was known counts on.
pub async fn known(app: &Parts) -> Arc<State> {
    if app.config.budgets.is_empty() {
        return Arc::default();
    }
    let now = app.clock.now();
    let last = app.acting.0.lock();
    let last = last.unwrap_or_else(PoisonError::into_inner).clone();
    if let Some((at, state)) = &last
        && (Duration::ZERO..VIEW).contains(&(now - *at))
    {
        return Arc::clone(state);
    }
    let state = match kept(app).await {
        Ok(state) => Arc::new(state),
        Err(error) => {
            let error = telemetry::chain(&error);
            tracing::warn!(error, "guardrails could not be read");
            last.map(|it| it.1).unwrap_or_default()
        }
    };
    let mut known = app.acting.0.lock().unwrap_or_else(PoisonError::into_inner);
    *known = Some((now, Arc::clone(&state)));
    state
}

impl State {
    /// The tallest picture that an organisation's new tokens may play, beside what its links say.
    pub fn cap(&self, rails: &Rails, tenant: TenantId) -> Option<Resolution> {
        self.acts(rails, Rail::CapResolution, tenant).then_some(CAP)
    }
}

/// Mux tells of much traffic: the next run of `watch` looks, within a minute. If that cannot be noted,
/// the next hour's does.
pub async fn much_traffic(app: &Parts) {
    if app.config.budgets.is_empty() {
        return;
    }
    let now = app.clock.now();
    let key = keys::much_traffic().expiring(now + Duration::DAY);
    let note = Traffic { at: now };
    // No guard: that it was told of twice says no more.
    if let Err(error) = app.store.put(&key, &note, Guard::None).await {
        let error = telemetry::chain(&error);
        tracing::warn!(error, "much traffic was not noted");
    }
}

/// Looks if Mux told of much traffic since the last time.
pub async fn look_if_told(app: &Parts, act: &Act) -> Result<(), GuardError> {
    if app.config.budgets.is_empty() {
        return Ok(());
    }
    let key = keys::much_traffic();
    let told: Option<Traffic> = app.store.get(&key).await?;
    if told.is_none_or(|it| app.clock.now() - it.at > Duration::HOUR) {
        return Ok(());
    }
    // Before the look, so that one that cannot be done is not tried every minute: the hour's look comes.
    // No guard: what was told meanwhile is looked at by that, too.
    app.store.delete(&key, Guard::None).await?;
    Box::pin(look(app, act)).await
}

/// That Mux told of much traffic.
#[derive(Serialize, Deserialize)]
struct Traffic {
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
}

/// Looks at every budget, tells what is reached, and keeps what is to be done.
pub async fn look(app: &Parts, act: &Act) -> Result<(), GuardError> {
    let month = Month::of(app.clock.now().date());
    let before = kept(app).await?;
    if app.config.budgets.is_empty() && before.budgets.is_empty() {
        return Ok(());
    }
    let mut spent = Vec::new();
    for tenant in app.config.budgets.whose() {
        spent.extend(Box::pin(spent_by(app, tenant, month)).await?);
    }
    let rails = app.config.guardrails;
    let (mut next, changes) = before.after(rails, &month.to_string(), &spent);
    if next == before {
        return Ok(());
    }
    next.version += 1;
    let mut events = Vec::with_capacity(changes.len());
    for change in &changes {
        let (tenant, event) = told(app, *change);
        events.push(act.write_change(app, tenant, event, Some(&before), Some(&next))?);
    }
    // More than one transaction takes, as when a month ends for many: those that are too many go first,
    // so that what is told may be told twice, and nothing is done untold.
    while events.len() > EVENTS {
        app.store
            .commit(events.split_off(events.len() - EVENTS))
            .await?;
    }
    let put = Write::put(keys::guardrails(), &next, guard(&before))?;
    match app.store.commit([vec![put], events].concat()).await {
        // An operator was at it just now: the next look sees both.
        Err(StoreError::Conflict { .. }) => return Ok(()),
        done => done?,
    }
    for change in changes {
        say(app, change);
    }
    Ok(())
}

async fn spent_by(
    app: &Parts,
    tenant: Option<TenantId>,
    month: Month,
) -> Result<Option<Spent>, GuardError> {
    let report = costs::report_of(app, tenant, month).await?;
    let Some(budget) = report.budget else {
        return Ok(None);
    };
    // What only players tell is no reason to stop anybody: whoever holds a link can make it up.
    let proved = report.rows.iter().filter(|row| !row.of.is_hearsay());
    let (mut used, mut links) = (Money::ZERO, BTreeMap::<ShareId, Money>::new());
    for row in proved {
        used = used.plus(row.cost).map_err(CostsError::from)?;
        if let Some(share) = row.of.share {
            let of = links.entry(share).or_default();
            *of = of.plus(row.cost).map_err(CostsError::from)?;
        }
    }
    let part = |cost: Money| cost.ten_thousandths_of(budget.budget);
    Ok(Some(Spent {
        whose: tenant.map_or(Whose::All, Whose::Tenant),
        budget: budget.budget,
        used: part(used),
        links: links
            .into_iter()
            .map(|(id, cost)| (id, part(cost)))
            .collect(),
    }))
}

/// What happened, and in whose audit log it stands.
fn told(app: &Parts, change: Change) -> (TenantId, Event) {
    let mode = |rail| app.config.guardrails.mode(rail);
    let (whose, event) = match change {
        Change::Reached(whose, percent) => (whose, Event::BudgetReached { percent }),
        Change::Began(whose, rail) => (
            whose,
            Event::GuardrailBegan {
                rail,
                mode: mode(rail),
            },
        ),
        Change::Ended(whose, rail) => (whose, Event::GuardrailEnded { rail }),
        Change::Paused(whose, share) => (
            whose,
            Event::LinkPaused {
                share,
                mode: mode(Rail::PauseLinks),
            },
        ),
        Change::Unpaused(whose, share) => (whose, Event::LinkUnpaused { share }),
    };
    (log_of(app, whose), event)
}

fn log_of(app: &Parts, whose: Whose) -> TenantId {
    match whose {
        Whose::All => app.config.operators(),
        Whose::Tenant(tenant) => tenant,
    }
}

fn say(app: &Parts, change: Change) {
    match change {
        Change::Reached(_, percent) => {
            tracing::warn!(alert = "spend-high", percent, "a part of a budget is spent");
        }
        Change::Began(_, rail) => {
            let dry_run = app.config.guardrails.mode(rail) != Mode::Enforce;
            tracing::warn!(guardrail = rail.name(), dry_run, "a guardrail acts");
        }
        Change::Ended(_, rail) => {
            tracing::info!(guardrail = rail.name(), "a guardrail acts no more");
        }
        Change::Paused(_, share) => {
            let rail = Rail::PauseLinks;
            let dry_run = app.config.guardrails.mode(rail) != Mode::Enforce;
            let guardrail = rail.name();
            tracing::warn!(guardrail, dry_run, share.id = %share, "a link runs away");
        }
        Change::Unpaused(_, share) => {
            tracing::info!(share.id = %share, "a link is paused no more");
        }
    }
}

/// What an operator lifts or restores: a guardrail, or that one link is paused.
#[derive(Debug, Clone, Copy)]
pub(super) enum Target {
    Rail(Rail),
    Link(ShareId),
}

/// Lifts it until the month ends, or undoes that where there is no reason. The same twice changes
/// nothing.
pub(super) async fn turn(
    app: &Parts,
    operator: &Member,
    whose: Whose,
    target: Target,
    reason: Option<Note>,
) -> Result<State, GuardError> {
    let before = kept(app).await?;
    let mut next = before.clone();
    let own = next.budgets.get_mut(&whose).ok_or(GuardError::Nothing)?;
    let lifted = reason.clone().map(|reason| Lifted {
        by: operator.user,
        reason,
    });
    own.turn(target, lifted)?;
    if next == before {
        return Ok(before);
    }
    next.version += 1;
    let event = match (target, reason.is_some()) {
        (Target::Rail(rail), true) => Event::GuardrailLifted { rail },
        (Target::Rail(rail), false) => Event::GuardrailRestored { rail },
        (Target::Link(share), true) => Event::LinkResumed { share },
        (Target::Link(share), false) => Event::LinkPausedAgain { share },
    };
    let act = operator.act();
    let tenant = log_of(app, whose);
    let mut entry = act.changed(app, tenant, event, Some(&before), Some(&next))?;
    if let Some(reason) = reason {
        // Whatever an operator writes may name somebody.
        entry.tell(app, "note", reason.into());
    }
    let put = Write::put(keys::guardrails(), &next, guard(&before))?;
    app.store.commit(vec![put, entry.write()?]).await?;
    Ok(next)
}

impl Own {
    fn turn(&mut self, target: Target, lifted: Option<Lifted>) -> Result<(), GuardError> {
        match (target, lifted) {
            (Target::Rail(rail), Some(lifted)) => {
                self.lifted.entry(rail).or_insert(lifted);
            }
            (Target::Rail(rail), None) => {
                self.lifted.remove(&rail).ok_or(GuardError::Nothing)?;
            }
            (Target::Link(share), Some(lifted)) => {
                if !self.paused.contains_key(&share) {
                    return Err(GuardError::Nothing);
                }
                self.resumed.entry(share).or_insert(lifted);
            }
            (Target::Link(share), None) => {
                self.resumed.remove(&share).ok_or(GuardError::Nothing)?;
            }
        }
        Ok(())
    }
}

fn guard(before: &State) -> Guard {
    match before.version {
        0 => Guard::Absent,
        version => Guard::Version(version),
    }
}
