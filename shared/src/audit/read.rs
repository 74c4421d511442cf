//! Reading entries, the newest first. A filter reads no more than a bounded number of rows.

use audit_verify::SEALED;
use serde::Deserialize;
use time::OffsetDateTime;

use super::{
    AuditError,
    model::{Entry, Wanted, id, text},
};
use crate::{
    app::Parts,
    ids::{self, AssetId, EventId, ShareId, TenantId},
    store::{Each, StoreError, keys, keys::Listing},
};

/// How many rows one request reads at the most, and at once.
const READ_MAX: usize = 1_000;
const AT_ONCE: u32 = 100;

/// What an entry may be asked for by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum About {
    Asset(AssetId),
    Share(ShareId),
}

/// Which part of the log is read.
#[derive(Debug, Clone, Default)]
pub(super) struct Question {
    pub(super) from: Option<OffsetDateTime>,
    pub(super) to: Option<OffsetDateTime>,
    /// The entry that the page before ended with.
    pub(super) after: Option<EventId>,
    pub(super) about: Option<About>,
    pub(super) wanted: Wanted,
}

/// Entries, and where to go on.
pub(super) struct Found {
    pub(super) entries: Vec<Entry>,
    pub(super) next: Option<EventId>,
}

/// A page of what was asked for. Fewer than `limit` and a cursor: there was more to read than one
/// request reads.
pub(super) async fn entries(
    app: &Parts,
    tenant: TenantId,
    question: Question,
    limit: usize,
) -> Result<Found, AuditError> {
    let Some((from, mut to)) = range(&question, app.clock.now()) else {
        return Ok(Found {
            entries: Vec::new(),
            next: None,
        });
    };
    let (subjects, wanted) = subjects(app, tenant, &question).await?;
    let (mut found, mut read) = (Vec::new(), 0);
    loop {
        let listings = listings(tenant, &subjects, from, to);
        let (page, more) = page(app, &listings).await?;
        read += page.len();
        let mut last = None;
        for entry in page {
            last = id(&entry).or(last);
            if wanted.includes(&entry) {
                found.push(entry);
            }
            if found.len() == limit {
                return Ok(Found {
                    entries: found,
                    next: last,
                });
            }
        }
        let Some(last) = last.filter(|_| more) else {
            return Ok(Found {
                entries: found,
                next: None,
            });
        };
        if read >= READ_MAX {
            return Ok(Found {
                entries: found,
                next: Some(last),
            });
        }
        to = ids::before(last);
    }
}

/// Ids begin with the time, so a time is a range of ids. None: nothing can be in it.
fn range(question: &Question, now: OffsetDateTime) -> Option<(EventId, EventId)> {
    let (from, _) = ids::bounds(question.from.unwrap_or(OffsetDateTime::UNIX_EPOCH));
    // Another process's clock may be ahead of this one's.
    let latest = now + time::Duration::DAY;
    let (_, to) = ids::bounds::<EventId>(question.to.unwrap_or(latest));
    let to = question
        .after
        .map_or(to, |after| to.min(ids::before(after)));
    (from <= to).then_some((from, to))
}

/// The lists to read, and what of them is wanted. An entry is listed by its video, and by its link
/// only where it names no video; so those about a link are among those about its video.
async fn subjects(
    app: &Parts,
    tenant: TenantId,
    question: &Question,
) -> Result<(Vec<String>, Wanted), AuditError> {
    let mut wanted = question.wanted.clone();
    let share = match question.about {
        None => return Ok((Vec::new(), wanted)),
        Some(About::Asset(asset)) => return Ok((vec![asset.to_string()], wanted)),
        Some(About::Share(share)) => share,
    };
    wanted.share = Some(share.to_string());
    let link: Option<LinkOf> = app.store.get(&keys::share(share)).await?;
    let assets = link.filter(|it| it.tenant == tenant).map(|it| it.assets);
    let assets = assets.unwrap_or_default().into_iter();
    let assets = assets.map(|it| it.to_string());
    Ok((assets.chain([share.to_string()]).collect(), wanted))
}

/// What a link's row says of its place.
#[derive(Deserialize)]
struct LinkOf {
    tenant: TenantId,
    assets: Vec<AssetId>,
}

fn listings(tenant: TenantId, subjects: &[String], from: EventId, to: EventId) -> Vec<Listing> {
    if subjects.is_empty() {
        return vec![keys::events(tenant, from, to)];
    }
    let subjects = subjects.iter();
    subjects
        .map(|about| keys::events_about(tenant, about, from, to))
        .collect()
}

/// The newest rows of all lists together, and whether there are more.
async fn page(app: &Parts, listings: &[Listing]) -> Result<(Vec<Entry>, bool), StoreError> {
    let (mut all, mut more, mut known_to) = (Vec::new(), false, None);
    for listing in listings {
        let page = app.store.list::<Entry>(listing, None, AT_ONCE).await?;
        if page.more {
            more = true;
            // Below the end of the shortest page, another list may have what was not read.
            known_to = known_to.max(page.items.last().and_then(id));
        }
        all.extend(page.items);
    }
    all.retain(|entry| known_to.is_none_or(|least| id(entry) >= Some(least)));
    all.sort_by(|a, b| text(b, "id").cmp(text(a, "id")));
    all.iter_mut().for_each(strip);
    Ok((all, more))
}

/// Takes away what belongs to the table.
pub(super) fn strip(entry: &mut Entry) {
    entry.retain(|name, _| !keys::KEYS.contains(&name.as_str()));
}

/// The entries with these ids, in this order, as they were digested and with what is in the clear.
pub(super) async fn by_id(
    app: &Parts,
    tenant: TenantId,
    ids: &[EventId],
) -> Result<Vec<Option<Entry>>, StoreError> {
    let keys: Vec<_> = ids.iter().map(|id| keys::event(tenant, *id)).collect();
    let mut entries: Vec<Option<Entry>> = app.store.get_many(&keys).await?;
    entries.iter_mut().flatten().for_each(strip);
    Ok(entries)
}

/// The same, and one that does not decode keeps no other from being read.
pub(super) async fn each_by_id(
    app: &Parts,
    tenant: TenantId,
    ids: &[EventId],
) -> Result<Vec<Each<Entry>>, StoreError> {
    let keys: Vec<_> = ids.iter().map(|id| keys::event(tenant, *id)).collect();
    let mut entries: Vec<Each<Entry>> = app.store.get_each(&keys).await?;
    let read = entries.iter_mut().flatten().flatten();
    read.for_each(strip);
    Ok(entries)
}

/// In which checkpoint it is.
pub(super) fn sealed_in(entry: &Entry) -> Option<u64> {
    entry.get(SEALED)?.as_u64()
}
