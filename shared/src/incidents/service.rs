//! Incidents are opened, followed and closed. Each change is one transaction with its event, guarded by
//! the version of what was read, so doing the same again changes nothing.

use time::OffsetDateTime;

use super::{
    IncidentError,
    matter::{Cause, Matter, Severity},
    model::{By, Current, Incident, Mark, Step},
};
use crate::{
    app::Parts,
    auth::Member,
    events::{Act, Event},
    ids::IncidentId,
    metrics::{self, Metric},
    store::{ATTEMPTS, Guard, Page, StoreError, Write, keys, keys::Key},
};

/// How many open incidents are looked after in one run. There is one for each matter.
const OPEN_MOST: u32 = 100;

/// What somebody who watches has found: what it is, how bad, how they know, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    pub matter: Matter,
    pub severity: Severity,
    pub cause: Cause,
    pub since: OffsetDateTime,
}

/// Sees to it that there is one open incident of this, and that it says what is known. If somebody closed
/// it since it began, it stays closed.
pub async fn raise(app: &Parts, act: &Act, found: Found) -> Result<(), StoreError> {
    for _ in 0..ATTEMPTS {
        let (current, before) = last(app, found.matter).await?;
        let now = app.clock.now();
        let (after, opened) = match &before {
            Some(it) if it.standing().is_open() => (it.worse(found.severity, found.cause), false),
            Some(it) if it.was_ended_since(found.since) => (None, false),
            Some(it) => (it.again(found.severity, found.cause, now), true),
            None => (None, true),
        };
        let anew = || {
            let what = (found.matter, found.severity, found.cause);
            Incident::new(app.ids.mint(), what, now)
        };
        let after = match (after, opened) {
            (Some(after), _) => after,
            (None, true) => anew(),
            (None, false) => return Ok(()),
        };
        let event = if opened {
            Event::IncidentOpened {
                incident: after.id,
                matter: after.matter,
            }
        } else {
            Event::IncidentUpdated { incident: after.id }
        };
        let before = before.filter(|it| it.id == after.id);
        let mut writes = change(app, act, event, before.as_ref(), &after)?;
        if before.is_none() {
            let (guard, version) = match &current {
                Some(it) => (Guard::Version(it.version), it.version),
                None => (Guard::Absent, 0),
            };
            let current = Current {
                incident: after.id,
                version: version + 1,
            };
            writes.push(Write::put(
                keys::incident_of(after.matter),
                &current,
                guard,
            )?);
        }
        match app.store.commit(writes).await {
            Err(StoreError::Conflict { .. }) => {}
            done => {
                // Where an answer was lost it may be told twice, rather than never.
                if opened {
                    tell("incident-open", &after);
                }
                return done;
            }
        }
    }
    Err(StoreError::Conflict { write: 0 })
}

/// Closes what is open of this matter, because it is over.
pub async fn clear(app: &Parts, act: &Act, matter: Matter) -> Result<(), StoreError> {
    let (_, Some(incident)) = last(app, matter).await? else {
        return Ok(());
    };
    if !incident.standing().is_open() {
        return Ok(());
    }
    let mark = Mark::by_system(app.clock.now());
    match step(app, act, incident.id, Step::Close, mark).await {
        Err(IncidentError::Store(error)) => Err(error),
        // If it cannot be closed, somebody else did.
        Ok(_)
        | Err(IncidentError::Standing(_) | IncidentError::Unknown(_) | IncidentError::Field(_)) => {
            Ok(())
        }
    }
}

/// What is not over, newest first.
pub async fn open(app: &Parts) -> Result<Vec<Incident>, StoreError> {
    let listing = keys::open_incidents();
    Ok(app.store.list(&listing, None, OPEN_MOST).await?.items)
}

/// Tells of what nobody takes care of (S0-045), and how many incidents are open.
pub async fn look_after(app: &Parts, act: &Act) -> Result<(), StoreError> {
    let (now, listed) = (app.clock.now(), open(app).await?);
    let mut count = 0_u64;
    for listed in listed {
        // A list may be a moment old.
        let found: Option<Incident> = app.store.get(&keys::incident(listed.id)).await?;
        let Some(before) = found.filter(|it| it.standing().is_open()) else {
            continue;
        };
        count += 1;
        let Some(after) = before.escalated(now) else {
            continue;
        };
        let event = Event::IncidentEscalated { incident: after.id };
        let writes = change(app, act, event, Some(&before), &after)?;
        match app.store.commit(writes).await {
            // Somebody takes care of it just now, or the next run tells.
            Err(StoreError::Conflict { .. }) => {}
            done => {
                // Where an answer was lost it may be told twice, rather than never.
                tell("incident-escalated", &after);
                metrics::emit(now, Metric::IncidentsEscalated, 1);
                done?;
            }
        }
    }
    metrics::emit(now, Metric::IncidentsOpen, count);
    Ok(())
}

/// A page of all of them: what is open first, and the newest of each first.
pub(super) async fn list(
    app: &Parts,
    after: Option<(bool, IncidentId)>,
    limit: u32,
) -> Result<Page<Incident>, StoreError> {
    let after = after.map(|(open, id)| keys::listed_incident(id, open));
    let listing = keys::incidents();
    app.store.list(&listing, after.as_ref(), limit).await
}

/// A step by an operator. The same step again is answered the same.
pub(super) async fn operate(
    app: &Parts,
    operator: &Member,
    id: IncidentId,
    what: Step,
    note: Option<String>,
) -> Result<Incident, IncidentError> {
    let mark = Mark {
        at: app.clock.now(),
        by: By::Operator(operator.user),
        note,
    };
    step(app, &operator.act(), id, what, mark).await
}

async fn step(
    app: &Parts,
    act: &Act,
    id: IncidentId,
    step: Step,
    mark: Mark,
) -> Result<Incident, IncidentError> {
    for _ in 0..ATTEMPTS {
        let before: Option<Incident> = app.store.get(&keys::incident(id)).await?;
        let before = before.ok_or(IncidentError::Unknown(id))?;
        let after = before.after(step, mark.clone());
        let Some(after) = after.map_err(IncidentError::Standing)? else {
            return Ok(before);
        };
        let event = match step {
            Step::Acknowledge => Event::IncidentAcknowledged { incident: id },
            Step::Mitigate => Event::IncidentMitigated { incident: id },
            Step::Close => Event::IncidentClosed { incident: id },
            Step::Review => Event::IncidentReviewed { incident: id },
        };
        let tenant = app.config.operators();
        let mut entry = act.changed(app, tenant, event, Some(&before), Some(&after))?;
        if let Some(note) = &mark.note {
            // Whatever an operator writes may name somebody.
            entry.tell(app, "note", note.clone());
        }
        let writes = vec![row(&after, Some(&before))?, entry.write()?];
        match app.store.commit(writes).await {
            Ok(()) => {
                if !after.standing().is_open() && before.standing().is_open() {
                    let incident = after.id.to_string();
                    tracing::info!(
                        incident.id = incident,
                        cleared = "incident-open",
                        "alert cleared"
                    );
                }
                return Ok(after);
            }
            Err(StoreError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(StoreError::Conflict { write: 0 }.into())
}

/// The last incident of a matter, if there ever was one.
async fn last(
    app: &Parts,
    matter: Matter,
) -> Result<(Option<Current>, Option<Incident>), StoreError> {
    let current: Option<Current> = app.store.get(&keys::incident_of(matter)).await?;
    let Some(known) = &current else {
        return Ok((None, None));
    };
    let incident = app.store.get(&keys::incident(known.incident)).await?;
    Ok((current, incident))
}

fn change(
    app: &Parts,
    act: &Act,
    event: Event,
    before: Option<&Incident>,
    after: &Incident,
) -> Result<Vec<Write>, StoreError> {
    let event = act.write_change(app, app.config.operators(), event, before, Some(after))?;
    Ok(vec![row(after, before)?, event])
}

fn row(after: &Incident, before: Option<&Incident>) -> Result<Write, StoreError> {
    let guard = before.map_or(Guard::Absent, |it| Guard::Version(it.version));
    Write::put(key(after), after, guard)
}

fn key(incident: &Incident) -> Key {
    keys::listed_incident(incident.id, incident.standing().is_open())
}

fn tell(alert: &'static str, incident: &Incident) {
    tracing::error!(
        alert,
        incident.id = %incident.id,
        kind = incident.matter.kind(),
        subject = incident.matter.subject(),
        runbook = incident.matter.runbook(),
        "alert raised"
    );
}
