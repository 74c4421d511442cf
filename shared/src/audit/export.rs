//! The export: checkpoints with their entries, a page at a time. Pages one after the other are one file.

use audit_verify::{End, SEALED, Signed, entry_line};
use futures::future;
use time::format_description::well_known::Rfc3339;

use super::{
    AuditError, archive,
    model::{Place, Row},
    read::by_id,
};
use crate::{
    app::Parts,
    auth::Member,
    events::Event,
    ids::{EventId, TenantId},
    store::{StoreError, keys},
};

/// A page ends after the checkpoint that reaches this. An answer of Lambda holds 6 MB, of which Base64
/// takes a quarter, and one of Vercel 4.5 MB; the largest checkpoint has 1.6 MB.
const PAGE_BYTES: usize = 2_000_000;

/// A page, and after which checkpoint the next one begins.
pub(super) struct Export {
    pub(super) lines: Vec<u8>,
    pub(super) next: Option<u64>,
}

/// Whoever takes a page leaves an entry of it before they get it.
pub(super) async fn page(app: &Parts, member: &Member, after: u64) -> Result<Export, AuditError> {
    let tenant = member.tenant;
    let place = place(app, tenant).await?;
    if after > place.number {
        return Err(AuditError::Field("after is a checkpoint that there is not"));
    }
    let mut page = Page {
        lines: Vec::new(),
        entries: 0,
        total: place.total,
        head: place.digest.clone(),
    };
    let mut last = after;
    while last < place.number && page.lines.len() < PAGE_BYTES {
        last += 1;
        page.add(app, tenant, last).await?;
    }
    let keys = app.keys();
    let end = End {
        tenant: tenant.to_string(),
        after,
        last,
        entries: page.entries,
        total: page.total,
        head: page.head,
        latest: place.number,
        unsealed: unsealed(app, tenant).await?,
        at: app.clock.now().format(&Rfc3339).unwrap_or_default(),
        key_id: keys.seal.id().to_owned(),
    };
    let mut lines = page.lines;
    push(&mut lines, &Signed::sign(end, &keys.seal)?.line()?);
    let exported = Event::AuditExported { after, last };
    member.act().note(app, tenant, exported).await?;
    Ok(Export {
        lines,
        next: Some(last).filter(|it| *it < place.number),
    })
}

/// How far it is sealed. A checkpoint beyond that says that the place was set back, and an end that is
/// signed over it would prove less than there is.
async fn place(app: &Parts, tenant: TenantId) -> Result<Place, AuditError> {
    let mut known = None;
    loop {
        let place: Option<Place> = app.store.get(&keys::place_of_sealing(tenant)).await?;
        let place = place.unwrap_or_else(Place::before_the_first);
        let beyond = keys::checkpoints_after(tenant, place.number);
        if app.store.count(&beyond).await? == 0 {
            return Ok(place);
        }
        let number = place.number;
        if known.is_some_and(|known| number <= known) {
            tracing::error!(
                alert = "audit-place-set-back",
                tenant = %tenant,
                number,
                "there are checkpoints beyond the place of sealing"
            );
            return Err(AuditError::SetBack { tenant, number });
        }
        // The job may have sealed in between: then the place is further now.
        known = Some(number);
    }
}

struct Page {
    lines: Vec<u8>,
    entries: u64,
    total: u64,
    head: String,
}

impl Page {
    /// A checkpoint and what is there of its entries. What is not there, the verifier misses.
    async fn add(&mut self, app: &Parts, tenant: TenantId, number: u64) -> Result<(), AuditError> {
        let row: Option<Row> = app.store.get(&keys::checkpoint(tenant, number)).await?;
        let Some(row) = row else { return Ok(()) };
        let signed: Signed<_> = row.into();
        let ids = signed.body.ids.iter();
        let ids: Vec<EventId> = ids.filter_map(|id| id.parse().ok()).collect();
        let entries = by_id(app, tenant, &ids).await?;
        let archived = if entries.iter().all(Option::is_some) {
            None
        } else {
            archive::packed(app, tenant, number).await?
        };
        match archived {
            Some(lines) => self.lines.extend(lines),
            None => {
                for mut entry in entries.into_iter().flatten() {
                    entry.remove(SEALED);
                    push(&mut self.lines, &entry_line(&entry)?);
                }
            }
        }
        push(&mut self.lines, &signed.line()?);
        self.entries += signed.body.entries;
        self.total = signed.body.total;
        self.head = signed.digest()?;
        Ok(())
    }
}

fn push(lines: &mut Vec<u8>, line: &[u8]) {
    lines.extend(line);
    lines.push(b'\n');
}

/// How many entries of the tenant no checkpoint seals. A list may lag behind by a moment.
async fn unsealed(app: &Parts, tenant: TenantId) -> Result<u64, StoreError> {
    let lists = (0..keys::UNSEALED_SHARDS).map(|shard| keys::unsealed_of(tenant, shard));
    let counts = lists.map(|list| async move { app.store.count(&list).await });
    Ok(future::try_join_all(counts).await?.into_iter().sum())
}
