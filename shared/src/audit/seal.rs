//! The job that seals: what is not sealed yet goes into checkpoints, a thousand entries each.
//!
//! The place of sealing is read before the entries are, and guards the checkpoint. So whoever else
//! sealed in between makes the write fail, and what was sealed before shows as such.

use audit_verify::{Before, Checkpoint, HEAD, Hash, SEALED, Signed};
use futures::{StreamExt, TryStreamExt, stream};
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};

use super::{
    AuditError, SealError, archive,
    model::{Live, Pass, Place, Row},
    waiting,
};
use crate::{
    alerts,
    app::Parts,
    ids::{self, EventId, RunId, TenantId},
    jobs::{self, Job},
    store::{Guard, StoreError, Write, keys},
    telemetry,
};

/// How long one run seals. Vercel lets a function run for a minute.
const BUDGET: Duration = Duration::seconds(40);

/// How much of it may be spent on looking for what there is to do.
const LOOKING: Duration = Duration::seconds(10);

/// How long a run may take before another one may begin.
const LEASE: Duration = Duration::minutes(2);

/// The target of heads among what is traced. They are logged whatever `RUST_LOG` says.
pub const HEADS: &str = "audit_head";

/// What a checkpoint holds at the most, beside its bytes: a page of the export is a few of them.
const ENTRIES: usize = 1_000;

/// How many are taken off the list at once.
const ABREAST: usize = 32;

/// What is older than this when a run ends is late.
const LATE: Duration = Duration::minutes(15);

/// Seals what is not sealed. `None`: another run is at it.
pub async fn seal(app: &Parts) -> Result<Option<Pass>, SealError> {
    let work = async |id| Box::pin(run(app, id)).await;
    let done = jobs::alone(app, Job::AuditSeal, LEASE, work).await;
    Box::pin(alerts::watch(app, Job::AuditSeal)).await;
    done
}

async fn run(app: &Parts, _: RunId) -> Result<Pass, SealError> {
    let (started, mut pass, mut late) = (app.clock.now(), Pass::default(), 0);
    let listed = waiting::unsealed(app, started + LOOKING).await?;
    pass.failed += listed.strange;
    let mut tenants: Vec<(TenantId, Vec<EventId>)> = listed.tenants.into_iter().collect();
    // Whoever waits longest is first.
    tenants.sort_by_key(|(_, ids)| ids.first().copied());
    let (_, old) = ids::bounds::<EventId>(started - LATE);
    for (place, (tenant, ids)) in tenants.into_iter().enumerate() {
        // At least the one that waits longest.
        if place > 0 && app.clock.now() >= started + BUDGET {
            pass.left += count(ids.len());
            late += count(ids.iter().filter(|id| **id < old).count());
            continue;
        }
        let mut sealing = Sealing {
            app,
            tenant,
            until: started + BUDGET,
            old,
            stray: 0,
        };
        let before = pass.entries;
        let left = match sealing.all(&ids, &mut pass).await {
            Ok(left) => left,
            Err(error) => {
                pass.failed += 1;
                let error = telemetry::chain(&error);
                tracing::error!(tenant = %tenant, error, "audit log not sealed");
                let done = usize::try_from(pass.entries - before).unwrap_or(usize::MAX);
                &ids[done.min(ids.len())..]
            }
        };
        late += sealing.stray;
        pass.left += count(left.len());
        late += count(left.iter().filter(|id| **id < old).count());
    }
    let archived = archive::old(app, started + BUDGET).await?;
    (pass.archived, pass.unarchived) = (archived.done, archived.failed);
    tracing::info!(
        job = Job::AuditSeal.name(),
        checkpoints = pass.checkpoints,
        entries = pass.entries,
        archived = pass.archived,
        unarchived = pass.unarchived,
        left = pass.left,
        failed = pass.failed,
        "audit log sealed"
    );
    if pass.failed > 0 || late > 0 {
        let failed = pass.failed;
        return Err(SealError::Behind { failed, late });
    }
    Ok(pass)
}

/// The sealing of one tenant's entries.
struct Sealing<'a> {
    app: &'a Parts,
    tenant: TenantId,
    until: OffsetDateTime,
    /// What is older than this is late.
    old: EventId,
    /// How many are late and cannot be sealed.
    stray: u32,
}

impl Sealing<'_> {
    /// Seals these, and returns what there was no time for.
    async fn all<'b>(
        &mut self,
        ids: &'b [EventId],
        pass: &mut Pass,
    ) -> Result<&'b [EventId], AuditError> {
        let (mut left, mut begun) = (ids, false);
        while !left.is_empty() {
            // At least one checkpoint, so that no tenant starves.
            if begun && self.app.clock.now() >= self.until {
                break;
            }
            begun = true;
            let place = self.finished_place().await?;
            let some = &left[..left.len().min(ENTRIES)];
            let batch = waiting::batch(self.app, self.tenant, self.old, some).await?;
            self.stray += batch.stray;
            let sealed = batch.leaves;
            left = &left[batch.looked_at..];
            if sealed.is_empty() {
                continue; // the list was behind
            }
            let Some(place) = self.write(&place, &sealed).await? else {
                break; // another run is at this tenant
            };
            pass.checkpoints += 1;
            pass.entries += count(sealed.len());
            let ids: Vec<EventId> = sealed
                .iter()
                .filter_map(|(id, _)| id.parse().ok())
                .collect();
            self.close(&place, &ids).await?;
        }
        Ok(left)
    }

    /// How far it is sealed, after what an earlier run left undone.
    async fn finished_place(&self) -> Result<Place, AuditError> {
        let key = keys::place_of_sealing(self.tenant);
        let place: Option<Place> = self.app.store.get(&key).await?;
        let place = place.unwrap_or_else(Place::before_the_first);
        if !place.open {
            return Ok(place);
        }
        let key = keys::checkpoint(self.tenant, place.number);
        let row: Option<Row> = self.app.store.get(&key).await?;
        let ids = row.map(|it| it.checkpoint.ids).unwrap_or_default();
        let ids: Vec<EventId> = ids.iter().filter_map(|id| id.parse().ok()).collect();
        say(self.tenant, &place, self.app.keys().seal.id());
        self.close(&place, &ids).await
    }

    /// Writes the next checkpoint. `None`: another run has written it.
    async fn write(
        &self,
        place: &Place,
        entries: &[(String, Hash)],
    ) -> Result<Option<Place>, AuditError> {
        let (app, tenant) = (self.app, self.tenant);
        let before = Before {
            number: place.number,
            total: place.total,
            digest: &place.digest,
        };
        let (keys, sealed_at) = (app.keys(), app.clock.now());
        let now = sealed_at.format(&Rfc3339).unwrap_or_default();
        let body = Checkpoint::over(tenant.to_string(), &before, entries, now, &keys.seal);
        let Some(body) = body else {
            return Ok(None);
        };
        let signed = Signed::sign(body, &keys.seal)?;
        let (number, next) = (signed.body.number, place.after(&signed, signed.digest()?));
        let live = Live {
            tenant,
            number,
            sealed_at,
        };
        let guard = match place.version {
            0 => Guard::Absent,
            version => Guard::Version(version),
        };
        let writes = vec![
            Write::put(keys::place_of_sealing(tenant), &next, guard)?,
            Write::put(
                keys::checkpoint(tenant, number),
                &Row::from(signed),
                Guard::Absent,
            )?,
            // No guard: it says what the checkpoint says.
            Write::put(
                keys::live_checkpoint(tenant, number, sealed_at),
                &live,
                Guard::None,
            )?,
        ];
        match app.store.commit(writes).await {
            Ok(()) => {}
            Err(StoreError::Conflict { write: 0 }) => return Ok(None),
            Err(StoreError::Conflict { .. }) => return Err(AuditError::Forked { tenant, number }),
            Err(error) => return Err(error.into()),
        }
        say(tenant, &next, app.keys().seal.id());
        Ok(Some(next))
    }

    /// Takes the entries of the newest checkpoint off the list.
    async fn close(&self, place: &Place, ids: &[EventId]) -> Result<Place, AuditError> {
        let (app, number) = (self.app, place.number);
        stream::iter(ids.to_vec())
            .map(|id| async move {
                let key = keys::event(self.tenant, id);
                let mark = [(SEALED, number)];
                match app.store.edit(&key, &mark, &keys::UNSEALED).await {
                    Err(StoreError::Conflict { .. }) => {
                        // Nothing of ours deletes one. The next verification says the same.
                        tracing::error!(alert = "audit-entry-gone", entry.id = %id, "a sealed entry is gone");
                        Ok(())
                    }
                    done => done,
                }
            })
            .buffer_unordered(ABREAST)
            .try_collect::<()>()
            .await?;
        let (key, closed) = (keys::place_of_sealing(self.tenant), place.closed());
        match app
            .store
            .put(&key, &closed, Guard::Version(place.version))
            .await
        {
            // Another run has closed it, too, and may be further.
            Ok(()) | Err(StoreError::Conflict { .. }) => Ok(closed),
            Err(error) => Err(error.into()),
        }
    }
}

/// The head, into a place that nobody of the portal can write over: the log. The verifier reads this
/// line as it is.
fn say(tenant: TenantId, place: &Place, key_id: &str) {
    tracing::info!(
        target: HEADS,
        tenant = %tenant,
        number = place.number,
        digest = place.digest,
        total = place.total,
        key_id,
        "{HEAD}"
    );
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use audit_verify::Head;
    use tracing_subscriber::{fmt::MakeWriter, layer::SubscriberExt};
    use ulid::Ulid;

    use super::*;

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl MakeWriter<'_> for Log {
        type Writer = Self;

        fn make_writer(&self) -> Self {
            self.clone()
        }
    }

    #[test]
    fn the_head_in_the_log_is_what_the_verifier_reads() {
        let log = Log::default();
        let lines = telemetry::lines().with_writer(log.clone());
        let subscriber = tracing_subscriber::registry().with(lines);
        let tenant = Ulid::from_bytes([1; 16]).into();
        let place = Place {
            number: 7,
            ..Place::before_the_first()
        };
        tracing::subscriber::with_default(subscriber, || say(tenant, &place, "key"));
        let line = log.0.lock().unwrap().clone();
        let head: Head = serde_json::from_slice(&line).unwrap();
        let said = (head.message.as_str(), head.number, head.key_id.as_str());
        assert_eq!(said, (HEAD, 7, "key"));
        assert_eq!(
            (head.tenant, head.digest),
            (tenant.to_string(), place.digest)
        );
    }
}
