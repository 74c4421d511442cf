//! What can be done with an asset. Each function is one use case, callable without HTTP.

use super::{
    AssetError, measure,
    model::{Asset, Ending, Title, Way},
};
use crate::{
    app::Parts,
    auth::Member,
    events::{Act, Event},
    ids::{AssetId, TenantId},
    shares::{Agenda, Due},
    store::{ATTEMPTS, Guard, Page, StoreError, Write, keys, keys::Key},
};

/// An asset of the tenant. Another tenant's asset is as unknown as one that never was.
pub async fn find(app: &Parts, tenant: TenantId, id: AssetId) -> Result<Asset, AssetError> {
    let asset: Option<Asset> = app.store.get(&keys::asset(id)).await?;
    asset
        .filter(|asset| asset.tenant == tenant)
        .ok_or(AssetError::Unknown)
}

/// The tenant's assets, newest first, after the given one. Deleted ones are not shown.
pub(super) async fn list(
    app: &Parts,
    tenant: TenantId,
    after: Option<AssetId>,
    limit: u32,
) -> Result<Page<Asset>, AssetError> {
    let after = after.map(|id| keys::listed_asset(tenant, id));
    Ok(app
        .store
        .list(&keys::assets_of(tenant), after.as_ref(), limit)
        .await?)
}

/// Gives a video another title.
pub(super) async fn rename(
    app: &Parts,
    member: &Member,
    id: AssetId,
    title: Title,
) -> Result<Asset, AssetError> {
    update(app, member.tenant, id, &member.act(), |asset| {
        if asset.is_deleted() {
            return Err(AssetError::Deleted);
        }
        if asset.title == title {
            return Ok(None);
        }
        asset.title = title.clone();
        Ok(Some(Event::AssetRenamed { asset: asset.id }))
    })
    .await
}

/// Deletes a video: it leaves the list, and no link plays it any more. Its row stays, for the proof.
pub(super) async fn delete(app: &Parts, member: &Member, id: AssetId) -> Result<Asset, AssetError> {
    let now = app.clock.now();
    update(app, member.tenant, id, &member.act(), |asset| {
        if matches!(asset.ending, Ending::Deleted { .. }) {
            return Ok(None);
        }
        asset.ending = Ending::Deleted {
            at: now,
            by: member.user,
        };
        // Mux may have deleted it before. Who wished it still leaves an entry.
        Ok(Some(Event::AssetDeleted { asset: asset.id }))
    })
    .await
}

/// Reads, changes and writes an asset; reads and applies again when somebody else was faster.
pub async fn update(
    app: &Parts,
    tenant: TenantId,
    id: AssetId,
    act: &Act,
    change: impl Fn(&mut Asset) -> Result<Option<Event>, AssetError>,
) -> Result<Asset, AssetError> {
    let mut attempt = 1;
    loop {
        let before = find(app, tenant, id).await?;
        let mut next = before.clone();
        let event = change(&mut next)?;
        if next == before {
            return Ok(before);
        }
        next.edited_at = app.clock.now();
        next.version += 1;
        match app
            .store
            .commit(step(app, &before, &mut next, act, event)?)
            .await
        {
            Ok(()) => {
                measure::moved(app, &before, &next);
                return Ok(next);
            }
            Err(StoreError::Conflict { .. }) if attempt < ATTEMPTS => attempt += 1,
            Err(error) => return Err(error.into()),
        }
    }
}

/// The writes that turn one version of an asset into the next: its row, the pointers from ids of
/// Mux that it has learnt, and what happened: the event that is given, or else what the step means.
/// No step is without one, so the digests of its entries are a chain.
pub fn step(
    app: &Parts,
    before: &Asset,
    next: &mut Asset,
    act: &Act,
    event: Option<Event>,
) -> Result<Vec<Write>, StoreError> {
    next.note_way(before, Way::of(&act.actor));
    let mut writes = vec![row(next, Guard::Version(before.version))?];
    let known: Vec<&str> = before.lifecycle.mux_ids().collect();
    for mux_id in next.lifecycle.mux_ids().filter(|id| !known.contains(id)) {
        // No guard: an id of Mux belongs to one asset of ours for ever, so writing it again changes nothing.
        writes.push(Write::put(
            keys::mux_pointer(mux_id),
            &Pointer { asset: next.id },
            Guard::None,
        )?);
    }
    if next.is_deleted() && !before.is_deleted() {
        let what = Agenda::Asset {
            asset: next.id,
            tenant: next.tenant,
        };
        let at = app.clock.now();
        writes.push(Due { at, what }.write()?);
    }
    let event = event.unwrap_or_else(|| next.event_since(before));
    writes.push(act.write_change(app, next.tenant, event, Some(before), Some(&*next))?);
    Ok(writes)
}

/// The asset's row: in its tenant's list or not, among those that something is expected of, or those
/// that are compared with Mux, or neither.
pub fn row(asset: &Asset, guard: Guard) -> Result<Write, StoreError> {
    Write::put(key(asset), asset, guard)
}

/// Where the row is, and in which lists.
fn key(asset: &Asset) -> Key {
    let key = if asset.is_listed() {
        keys::listed_asset(asset.tenant, asset.id)
    } else {
        keys::asset(asset.id)
    };
    if asset.is_open() {
        keys::open_asset(key, asset.id)
    } else if asset.at_rest {
        key
    } else {
        keys::closed_asset(key, asset.id)
    }
}

/// From an id of Mux to our asset.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub struct Pointer {
    pub asset: AssetId,
}
