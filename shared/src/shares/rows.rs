//! How links are written and listed: the row, its place on the agenda, and the lists that show it.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use super::{ShareError, fields::Recipient, model::ShareLink};
use crate::{
    app::Parts,
    events::{Act, Event},
    ids::{AssetId, ShareId, TenantId},
    store::{Guard, Page, StoreError, Write, keys, keys::Key},
};

/// What stands on the agenda: something has to be done about it when its time comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "lowercase")]
pub enum Agenda {
    /// A link: what has to be done, it says itself.
    Share { share: ShareId },
    /// A video that is gone: its links have to end, and nobody may play it.
    Asset { asset: AssetId, tenant: TenantId },
}

/// One place on the agenda.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Due {
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    #[serde(flatten)]
    pub what: Agenda,
}

impl Due {
    /// Where it stands.
    pub fn key(&self) -> Key {
        match self.what {
            Agenda::Share { share } => keys::agenda_of_share(share, self.at),
            Agenda::Asset { asset, .. } => keys::agenda_of_asset(asset, self.at),
        }
    }

    /// No guard: it is written with the row that says so, and the row's guard decides.
    pub fn write(&self) -> Result<Write, StoreError> {
        Write::put(self.key(), self, Guard::None)
    }
}

/// Where a link stands beside its own row: under its second video, or under whom it is for.
#[derive(Debug, Serialize, Deserialize)]
struct Pointer {
    points_to: ShareId,
}

/// What such a list holds.
#[derive(Deserialize)]
#[serde(untagged)]
enum Listed {
    Pointer(Pointer),
    Link(Box<ShareLink>),
}

/// The writes that turn one version of a link into the next: its row, its place on the agenda if
/// that changes, and what happened.
pub(super) fn step(
    app: &Parts,
    before: &ShareLink,
    next: &mut ShareLink,
    act: &Act,
    events: Vec<Event>,
) -> Result<Vec<Write>, StoreError> {
    next.version = before.version + 1;
    let mut writes = vec![row(next, Guard::Version(before.version))?];
    // Of a link that now has something to be deleted, it is made sure.
    let more = before.playbacks.len() < next.playbacks.len();
    if more || before.duty() != next.duty() {
        writes.push(agenda(next)?);
    }
    for event in events {
        let rows = (Some(before), Some(&*next));
        writes.push(act.write_change(app, next.tenant, event, rows.0, rows.1)?);
    }
    Ok(writes)
}

/// The writes of a new link.
pub(super) fn first(
    app: &Parts,
    link: &ShareLink,
    act: &Act,
    event: Event,
) -> Result<Vec<Write>, StoreError> {
    let mut writes = vec![
        row(link, Guard::Absent)?,
        agenda(link)?,
        act.write_change(app, link.tenant, event, None, Some(link))?,
    ];
    let pointer = Pointer { points_to: link.id };
    for asset in link.assets.iter().skip(1) {
        let key = keys::share_also_of_asset(*asset, link.id);
        writes.push(Write::put(key, &pointer, Guard::Absent)?);
    }
    if let Some(recipient) = &link.recipient {
        let key = keys::share_of_recipient(link.tenant, &digest(recipient), link.id);
        writes.push(Write::put(key, &pointer, Guard::Absent)?);
    }
    Ok(writes)
}

fn row(link: &ShareLink, guard: Guard) -> Result<Write, StoreError> {
    let first = link.assets.first().copied();
    let key = keys::listed_share(link.tenant, first, link.id);
    Write::put(key, link, guard)
}

fn agenda(link: &ShareLink) -> Result<Write, StoreError> {
    let what = Agenda::Share { share: link.id };
    match link.duty() {
        Some((at, _)) => Due { at, what }.write(),
        // No guard: as above.
        None => Ok(Write::delete(keys::share_agenda(link.id), Guard::None)),
    }
}

/// Whom a link is for, as a part of a key.
fn digest(recipient: &Recipient) -> String {
    hex::encode(Sha256::digest(recipient.key()))
}

/// Whose links are listed.
#[derive(Debug, Clone)]
pub(super) enum Of {
    Tenant,
    Asset(AssetId),
    Recipient(Recipient),
}

/// A page of links, newest first, after the given one.
pub(super) async fn list(
    app: &Parts,
    tenant: TenantId,
    of: &Of,
    after: Option<ShareId>,
    limit: u32,
) -> Result<Page<ShareLink>, ShareError> {
    let place = |id: ShareId| -> Key {
        match of {
            Of::Tenant => keys::share_of_tenant(tenant, id),
            Of::Asset(asset) => keys::share_of_asset(*asset, id),
            Of::Recipient(recipient) => keys::share_of_recipient(tenant, &digest(recipient), id),
        }
    };
    let listing = match of {
        Of::Tenant => keys::shares_of(tenant),
        Of::Asset(asset) => keys::shares_of_asset(*asset),
        Of::Recipient(recipient) => keys::shares_of_recipient(tenant, &digest(recipient)),
    };
    let after = after.map(place);
    let page: Page<Listed> = app.store.list(&listing, after.as_ref(), limit).await?;
    let mut links = Vec::with_capacity(page.items.len());
    for listed in page.items {
        match listed {
            Listed::Link(link) => links.push(*link),
            Listed::Pointer(Pointer { points_to }) => {
                links.extend(app.store.get(&keys::share(points_to)).await?);
            }
        }
    }
    // Links of an asset are its tenant's; this makes sure of it.
    links.retain(|link: &ShareLink| link.tenant == tenant);
    Ok(Page {
        items: links,
        more: page.more,
    })
}

/// How many links are read at once where all are wanted.
const PAGE: u32 = 100;

/// All links of a video.
pub async fn all_of_asset(
    app: &Parts,
    tenant: TenantId,
    asset: AssetId,
) -> Result<Vec<ShareLink>, ShareError> {
    let (of, mut all): (Of, Vec<ShareLink>) = (Of::Asset(asset), Vec::new());
    loop {
        let after = all.last().map(|it| it.id);
        let page = list(app, tenant, &of, after, PAGE).await?;
        let over = !page.more || page.items.is_empty();
        all.extend(page.items);
        if over {
            return Ok(all);
        }
    }
}

/// A link of the tenant. Another tenant's is as unknown as one that never was.
pub(super) async fn find(
    app: &Parts,
    tenant: TenantId,
    id: ShareId,
) -> Result<ShareLink, ShareError> {
    let link: Option<ShareLink> = app.store.get(&keys::share(id)).await?;
    link.filter(|link| link.tenant == tenant)
        .ok_or(ShareError::Unknown)
}
