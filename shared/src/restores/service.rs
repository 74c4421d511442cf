//! Noticing that a table was restored, holding what cannot be known of it, and letting go.

use time::OffsetDateTime;

use super::{
    RestoreError,
    model::{Drill, Held, Known, Outcome},
};
use crate::{
    app::Parts,
    auth::Member,
    dlq::Note,
    events::{Act, Event},
    incidents::{self, Cause, Found, Matter, Restore, Severity},
    store::{Guard, StoreError, Write, keys},
};

async fn known(app: &Parts) -> Result<Option<Known>, StoreError> {
    app.store.get(&keys::known_table()).await
}

async fn save(app: &Parts, next: &Known) -> Result<(), StoreError> {
    let guard = Guard::Version(next.version - 1);
    match app.store.put(&keys::known_table(), next, guard).await {
        // Somebody noticed at the same time, or it is over.
        Err(StoreError::Conflict { .. }) => Ok(()),
        done => done,
    }
}

/// Looks whether this table was restored, every minute: there is an incident while nobody has vouched
/// for it.
pub async fn look(app: &Parts, act: &Act) -> Result<(), StoreError> {
    let table = &app.config.table;
    let Some(before) = known(app).await? else {
        let first = Known::of(table, 1);
        let key = keys::known_table();
        return match app.store.put(&key, &first, Guard::Absent).await {
            Err(StoreError::Conflict { .. }) => Ok(()), // another run was faster
            done => done,
        };
    };
    if !before.is_restored(table) {
        return Ok(());
    }
    let now = app.clock.now();
    if let Some(next) = before.noticed(now) {
        save(app, &next).await?;
    }
    let found = Found {
        matter: Matter::Restore(Restore::Table),
        severity: Severity::Major,
        cause: Cause::OwnRates,
        since: before.held_since.unwrap_or(now),
    };
    incidents::raise(app, act, found).await
}

/// Whether a link that was made at this time plays nothing new: it may have been taken back after the
/// backup, and only Mux could tell, which knows nothing of a link that was never played.
pub async fn holds(app: &Parts, made_at: OffsetDateTime) -> Result<bool, StoreError> {
    let known = known(app).await?;
    Ok(known.is_some_and(|it| it.holds(&app.config.table, made_at)))
}

/// Since when it is known that this table was restored, as long as it was not compared with Mux.
pub async fn not_compared_since(app: &Parts) -> Result<Option<OffsetDateTime>, StoreError> {
    let known = known(app).await?;
    let known = known.filter(|it| it.is_restored(&app.config.table) && it.compared_at.is_none());
    Ok(known.and_then(|it| it.held_since))
}

/// Notes that everything was compared with Mux by a comparison that began then.
pub async fn compared(app: &Parts, began: OffsetDateTime) -> Result<(), StoreError> {
    let known = known(app).await?;
    let restored = known.filter(|it| it.is_restored(&app.config.table));
    match restored.and_then(|it| it.compared(began, app.clock.now())) {
        Some(next) => save(app, &next).await,
        None => Ok(()),
    }
}

/// How it stands.
pub(super) struct Standing {
    pub known: Option<Known>,
    pub drill: Option<Held>,
}

pub(super) async fn standing(app: &Parts) -> Result<Standing, StoreError> {
    let (known, drill) = (keys::known_table(), keys::restore_drill());
    let (known, drill) = app.store.get_both(&known, &drill).await?;
    Ok(Standing { known, drill })
}

/// An operator vouches for this table: what was taken back since the backup is taken back again, as far
/// as anybody can know. From now on every link plays. The same again changes nothing.
pub(super) async fn release(
    app: &Parts,
    operator: &Member,
    reason: Note,
) -> Result<(), RestoreError> {
    let table = &app.config.table;
    let act = operator.act();
    let matter = Matter::Restore(Restore::Table);
    let restored = known(app).await?.filter(|it| it.is_restored(table));
    let Some(before) = restored else {
        return Ok(incidents::clear(app, &act, matter).await?);
    };
    if before.compared_at.is_none() {
        return Err(RestoreError::NotCompared);
    }
    let next = Known::of(table, before.version + 1);
    let event = Event::RestoreReleased {
        from: before.table.clone(),
        table: table.clone(),
    };
    let tenant = app.config.operators();
    let mut entry = act.changed(app, tenant, event, Some(&before), Some(&next))?;
    // Whatever an operator writes may name somebody.
    entry.tell(app, "note", reason.into());
    let guard = Guard::Version(before.version);
    let put = Write::put(keys::known_table(), &next, guard)?;
    app.store.commit(vec![put, entry.write()?]).await?;
    Ok(incidents::clear(app, &act, matter).await?)
}

/// Notes what a drill came to; one that failed is an incident until one does not. The same told again
/// is no second drill.
pub(super) async fn tested(
    app: &Parts,
    operator: &Member,
    drill: Drill,
) -> Result<Held, RestoreError> {
    let (act, outcome) = (operator.act(), drill.outcome);
    let key = keys::restore_drill();
    let before: Option<Held> = app.store.get(&key).await?;
    let held = match before {
        Some(before) if before.drill == drill => before,
        before => {
            let version = before.as_ref().map_or(0, |it| it.version);
            let guard = before
                .as_ref()
                .map_or(Guard::Absent, |it| Guard::Version(it.version));
            let event = Event::BackupRestoreTested {
                table: drill.table.clone().into(),
                items: drill.items,
                digest: drill.digest.clone().into(),
                seconds: drill.seconds,
                restored: outcome == Outcome::Restored,
            };
            let next = Held {
                drill,
                at: app.clock.now(),
                version: version + 1,
            };
            let tenant = app.config.operators();
            let event = act.write_change(app, tenant, event, before.as_ref(), Some(&next))?;
            let writes = vec![Write::put(key, &next, guard)?, event];
            app.store.commit(writes).await?;
            next
        }
    };
    let matter = Matter::Restore(Restore::Drill);
    match outcome {
        Outcome::Restored => incidents::clear(app, &act, matter).await?,
        Outcome::Failed => {
            let found = Found {
                matter,
                severity: Severity::Major,
                cause: Cause::Told,
                since: held.at,
            };
            incidents::raise(app, &act, found).await?;
        }
    }
    Ok(held)
}
