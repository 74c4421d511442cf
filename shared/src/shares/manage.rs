//! What becomes of links that are there: changed, taken back, ended with their video.

use futures::future;

use super::{
    ShareError,
    model::{Label, Life, ShareLink, State},
    service::{list, list_of_asset, row},
};
use crate::{
    app::Parts,
    auth::Member,
    events::{Act, Event},
    ids::{AssetId, ShareId, TenantId},
    store::{ATTEMPTS, Guard, StoreError, keys},
};

/// Takes a link back. Taking it back again changes nothing.
pub(super) async fn revoke(
    app: &Parts,
    member: &Member,
    id: ShareId,
) -> Result<ShareLink, ShareError> {
    let mut attempt = 1;
    loop {
        let before = find(app, member.tenant, id).await?;
        if before.state != State::Active {
            return Ok(before);
        }
        let mut next = before.clone();
        next.version += 1;
        next.state = State::Revoked {
            at: app.clock.now(),
            by: member.user,
        };
        let revoked = Event::ShareRevoked {
            share: id,
            asset: next.asset,
        };
        let act = member.act();
        let event = act.write_change(app, member.tenant, revoked, Some(&before), Some(&next))?;
        let writes = vec![row(&next, Guard::Version(before.version))?, event];
        match app.store.commit(writes).await {
            Ok(()) => return Ok(next),
            Err(StoreError::Conflict { .. }) if attempt < ATTEMPTS => attempt += 1,
            Err(error) => return Err(error.into()),
        }
    }
}

/// A link of the tenant. Another tenant's is as unknown as one that never was.
async fn find(app: &Parts, tenant: TenantId, id: ShareId) -> Result<ShareLink, ShareError> {
    let link: Option<ShareLink> = app.store.get(&keys::share(id)).await?;
    link.filter(|link| link.tenant == tenant)
        .ok_or(ShareError::Unknown)
}

/// Gives a link another label, or another time to live, from now on. One that has expired lives
/// again; one that was taken back, or has ended, does not.
pub(super) async fn change(
    app: &Parts,
    member: &Member,
    id: ShareId,
    label: Option<Label>,
    life: Option<Life>,
) -> Result<ShareLink, ShareError> {
    let mut attempt = 1;
    loop {
        let before = find(app, member.tenant, id).await?;
        match before.state {
            State::Active => {}
            State::Revoked { .. } => return Err(ShareError::Revoked),
            State::Ended { .. } => return Err(ShareError::Deleted),
        }
        let (share, asset) = (id, before.asset);
        let (mut next, mut events) = (before.clone(), Vec::new());
        if let Some(label) = label.clone().filter(|it| *it != before.label) {
            next.label = label;
            events.push(Event::ShareRelabelled { share, asset });
        }
        if let Some(life) = life {
            next.expires_at = life.after(app.clock.now());
            let until = next.expires_at;
            events.push(Event::ShareExtended {
                share,
                asset,
                until,
            });
        }
        if events.is_empty() {
            return Ok(before);
        }
        next.version += 1;
        let mut writes = vec![row(&next, Guard::Version(before.version))?];
        for event in events {
            let (act, rows) = (member.act(), (Some(&before), Some(&next)));
            writes.push(act.write_change(app, member.tenant, event, rows.0, rows.1)?);
        }
        match app.store.commit(writes).await {
            Ok(()) => return Ok(next),
            Err(StoreError::Conflict { .. }) if attempt < ATTEMPTS => attempt += 1,
            Err(error) => return Err(error.into()),
        }
    }
}

/// What a step of taking back many links did.
pub(super) struct Taken {
    /// Links that were active until now.
    pub revoked: u32,
    /// Where to go on; `None` at the end.
    pub next: Option<ShareId>,
}

/// How many links are taken back by one request, and at once.
const STEP: u32 = 100;
const ABREAST: usize = 8;

/// Takes back a page of all links of one video, or of the whole tenant, the newest first.
pub(super) async fn revoke_all(
    app: &Parts,
    member: &Member,
    asset: Option<AssetId>,
    after: Option<ShareId>,
) -> Result<Taken, ShareError> {
    let page = match asset {
        Some(asset) => list_of_asset(app, member.tenant, asset, after, STEP).await?,
        None => list(app, member.tenant, after, STEP).await?,
    };
    let last = page.items.last().map(|link| link.id);
    let active: Vec<ShareId> = page
        .items
        .iter()
        .filter(|link| link.state == State::Active)
        .map(|link| link.id)
        .collect();
    let mut revoked = 0;
    for some in active.chunks(ABREAST) {
        let done = some.iter().map(|id| revoke(app, member, *id));
        revoked += future::try_join_all(done).await?.len();
    }
    Ok(Taken {
        revoked: u32::try_from(revoked).unwrap_or(u32::MAX),
        next: last.filter(|_| page.more),
    })
}

/// Ends a link whose video is gone. One that was taken back, or has ended, stays as it is.
pub async fn end(app: &Parts, act: &Act, link: &ShareLink) -> Result<bool, StoreError> {
    if link.state != State::Active {
        return Ok(false);
    }
    let mut next = link.clone();
    next.version += 1;
    next.state = State::Ended {
        at: app.clock.now(),
    };
    let ended = Event::ShareEnded {
        share: link.id,
        asset: link.asset,
    };
    let event = act.write_change(app, link.tenant, ended, Some(link), Some(&next))?;
    let writes = vec![row(&next, Guard::Version(link.version))?, event];
    match app.store.commit(writes).await {
        Ok(()) => Ok(true),
        // Somebody took it back just now.
        Err(StoreError::Conflict { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}
