//! What waits to be sealed: finding it on the lists, and reading it. What is not as it should be is
//! counted and named, and keeps nothing else from being sealed.

use std::collections::BTreeMap;

use audit_verify::{Hash, entry_line, leaf};
use futures::future;
use time::OffsetDateTime;

use super::{
    AuditError,
    model::{Entry, Row},
    read::{each_by_id, sealed_in},
};
use crate::{
    app::Parts,
    ids::{EventId, TenantId},
    store::{StoreError, keys},
    telemetry,
};

/// How many bytes of entries a checkpoint holds at the most.
const BYTES: usize = 1_500_000;

/// How many are listed at once.
const PAGE: u32 = 1_000;

/// What stands on the lists.
#[derive(Default)]
pub(super) struct Unsealed {
    /// By tenant, the oldest first.
    pub(super) tenants: BTreeMap<TenantId, Vec<EventId>>,
    /// How many items are no entries of any tenant.
    pub(super) strange: u32,
}

/// Everything on the lists. What there is no time to look for is for the next run. Only where the
/// items stand is looked at: one that does not decode keeps no other from being sealed.
pub(super) async fn unsealed(app: &Parts, until: OffsetDateTime) -> Result<Unsealed, StoreError> {
    let shards = (0..keys::UNSEALED_SHARDS).map(|shard| async move {
        let (listing, mut all, mut start) = (keys::unsealed(shard), Vec::new(), None);
        loop {
            let page = app.store.addresses(&listing, start, PAGE).await?;
            all.extend(page.items);
            start = page.next;
            if start.is_none() || app.clock.now() >= until {
                return Ok::<_, StoreError>(all);
            }
        }
    });
    let mut unsealed = Unsealed::default();
    for (pk, sk) in future::try_join_all(shards).await?.into_iter().flatten() {
        let Some((tenant, id)) = keys::event_at(&pk, &sk) else {
            unsealed.strange += 1;
            tracing::error!(
                alert = "audit-entry-strange",
                pk,
                sk,
                "what is to be sealed is no entry"
            );
            continue;
        };
        unsealed.tenants.entry(tenant).or_default().push(id);
    }
    for ids in unsealed.tenants.values_mut() {
        ids.sort_unstable();
    }
    Ok(unsealed)
}

/// Some of what waits, as far as it fits a checkpoint.
#[derive(Default)]
pub(super) struct Batch {
    /// How many were looked at.
    pub(super) looked_at: usize,
    /// The ids and leaves of those that are not sealed yet.
    pub(super) leaves: Vec<(String, Hash)>,
    /// How many cannot be sealed, and should have been.
    pub(super) stray: u32,
}

/// Reads what waits, each entry by itself: one that cannot be read stays on the list for somebody to
/// look at it, and the others do not wait for it.
pub(super) async fn batch(
    app: &Parts,
    tenant: TenantId,
    old: EventId,
    ids: &[EventId],
) -> Result<Batch, AuditError> {
    let entries = each_by_id(app, tenant, ids).await?;
    let (mut batch, mut bytes) = (Batch::default(), 0);
    for (id, entry) in ids.iter().zip(entries) {
        let formed = match entry {
            Ok(Some(entry)) if sealed_in(&entry).is_none() => form(&entry),
            Ok(entry) => {
                // For a moment that is so: the list is behind.
                if *id < old {
                    batch.stray += 1;
                    stray(app, tenant, *id, entry.as_ref().and_then(sealed_in)).await?;
                }
                batch.looked_at += 1;
                continue;
            }
            Err(error) => Err(error.into()),
        };
        match formed {
            Ok((size, leaf)) => {
                bytes += size;
                if bytes > BYTES && !batch.leaves.is_empty() {
                    break;
                }
                batch.leaves.push((id.to_string(), leaf));
            }
            Err(error) => {
                batch.stray += 1;
                let error = telemetry::chain(&error);
                tracing::error!(alert = "audit-entry-unreadable", entry.id = %id, error, "an entry was not sealed");
            }
        }
        batch.looked_at += 1;
    }
    Ok(batch)
}

/// How many bytes it is, and its leaf.
fn form(entry: &Entry) -> Result<(usize, Hash), AuditError> {
    Ok((entry_line(entry)?.len(), leaf(entry)?))
}

/// It is gone, or says that it is sealed. Somebody removed it, or marked it so that nothing seals it.
async fn stray(
    app: &Parts,
    tenant: TenantId,
    id: EventId,
    number: Option<u64>,
) -> Result<(), StoreError> {
    let row: Option<Row> = match number {
        Some(number) => app.store.get(&keys::checkpoint(tenant, number)).await?,
        None => None,
    };
    let held = row.is_some_and(|it| it.checkpoint.ids.contains(&id.to_string()));
    tracing::error!(
        alert = "audit-entry-stray",
        entry.id = %id,
        sealed_in = number,
        held,
        "an entry waits to be sealed and cannot be"
    );
    Ok(())
}
