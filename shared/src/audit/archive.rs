//! The archive: entries that are older than a year leave the log's partition, a checkpoint at a time,
//! and stay in the table as packs. An export gives them out like all others.
//!
//! What was in the clear about people does not go into the archive. So nothing in it has to be erased
//! later, and the proof holds without it.

use std::io::{self, Read, Write};

use audit_verify::{Hash, Line, digested, root};
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use futures::{StreamExt, TryStreamExt, stream};
use time::{Duration, OffsetDateTime};

use super::{
    AuditError,
    model::{Entry, Live, Pack, Row},
    read::by_id,
};
use crate::{
    app::Parts,
    ids::{EventId, TenantId},
    store::{Guard, StoreError, keys},
    telemetry,
};

/// How long entries stay where they can be searched.
const RETENTION: Duration = Duration::days(365);

/// How many checkpoints are looked up at once, and how many entries are removed at once.
const PAGE: u32 = 50;
const ABREAST: usize = 32;

/// What became of checkpoints that are old enough.
#[derive(Default)]
pub(super) struct Archived {
    pub(super) done: u32,
    pub(super) failed: u32,
}

/// Archives what is old enough, as long as there is time. Each checkpoint fails alone.
pub(super) async fn old(app: &Parts, until: OffsetDateTime) -> Result<Archived, StoreError> {
    let due = keys::live_checkpoints(app.clock.now() - RETENTION);
    let (mut archived, mut after) = (Archived::default(), None);
    loop {
        let page = app.store.list::<Live>(&due, after.as_ref(), PAGE).await?;
        for live in page.items {
            if app.clock.now() >= until {
                return Ok(archived);
            }
            after = Some(keys::live_checkpoint(
                live.tenant,
                live.number,
                live.sealed_at,
            ));
            match archive(app, live).await {
                Ok(()) => archived.done += 1,
                Err(error) => {
                    archived.failed += 1;
                    let error = telemetry::chain(&error);
                    tracing::error!(
                        alert = "audit-not-archived",
                        error,
                        "a checkpoint was not archived"
                    );
                }
            }
        }
        if !page.more {
            return Ok(archived);
        }
    }
}

/// Packs, reads back, and only then removes.
async fn archive(app: &Parts, live: Live) -> Result<(), AuditError> {
    let (tenant, number) = (live.tenant, live.number);
    let unproved = || AuditError::Unproved { tenant, number };
    let row: Option<Row> = app.store.get(&keys::checkpoint(tenant, number)).await?;
    let checkpoint = row.ok_or_else(unproved)?.checkpoint;
    let ids = checkpoint.ids.iter();
    let ids: Vec<EventId> = ids.filter_map(|id| id.parse().ok()).collect();
    if packed(app, tenant, number).await?.is_none() {
        let entries = by_id(app, tenant, &ids).await?;
        let lines = pack(entries.into_iter().flatten())?;
        if root_of(&lines) != Some(checkpoint.root.clone()) {
            return Err(unproved());
        }
        let key = keys::pack(tenant, number);
        let bytes = compressed(&lines).map_err(|error| StoreError::Refused(error.into()))?;
        let (parts, digest) = app.store.put_parts(&key, &bytes).await?;
        // No guard: the same entries, and the same digest of them.
        app.store
            .put(&key, &Pack { parts, digest }, Guard::None)
            .await?;
    }
    let back = packed(app, tenant, number).await?;
    if back.and_then(|it| root_of(&it)) != Some(checkpoint.root) {
        return Err(unproved());
    }
    // No guard: what goes is in the pack.
    stream::iter(ids)
        .map(|id| async move {
            app.store
                .delete(&keys::event(tenant, id), Guard::None)
                .await
        })
        .buffer_unordered(ABREAST)
        .try_collect::<()>()
        .await?;
    let mark = keys::live_checkpoint(tenant, number, live.sealed_at);
    Ok(app.store.delete(&mark, Guard::None).await?)
}

/// The lines of a checkpoint whose entries were archived.
pub(super) async fn packed(
    app: &Parts,
    tenant: TenantId,
    number: u64,
) -> Result<Option<Vec<u8>>, StoreError> {
    let key = keys::pack(tenant, number);
    let Some(pack) = app.store.get::<Pack>(&key).await? else {
        return Ok(None);
    };
    let bytes = app.store.get_parts(&key, pack.parts, &pack.digest).await?;
    Ok(bytes.and_then(|it| decompressed(&it).ok()))
}

/// Lines as an export has them, without what is in the clear.
fn pack(entries: impl Iterator<Item = Entry>) -> Result<Vec<u8>, serde_json::Error> {
    let mut lines = Vec::new();
    for entry in entries {
        lines.extend(b"{\"entry\":");
        lines.extend(digested(&entry)?);
        lines.extend(b"}\n");
    }
    Ok(lines)
}

fn root_of(lines: &[u8]) -> Option<String> {
    let lines = lines.split_inclusive(|it| *it == b'\n');
    let leaf = |line: &[u8]| match Line::parse(line.strip_suffix(b"\n")?)? {
        Line::Entry(entry) => Some(entry.leaf),
        Line::Checkpoint(_) | Line::End(_) => None,
    };
    let leaves: Vec<Hash> = lines.map(leaf).collect::<Option<_>>()?;
    Some(hex::encode(root(&leaves)))
}

fn compressed(lines: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(lines)?;
    encoder.finish()
}

fn decompressed(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut lines = Vec::new();
    GzDecoder::new(bytes).read_to_end(&mut lines)?;
    Ok(lines)
}
