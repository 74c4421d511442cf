//! What can be done with a share link. Each function is one use case, callable without HTTP.

use time::OffsetDateTime;
use url::Url;

use super::{
    ShareError,
    model::{Label, Life, ShareLink, ShareToken, State, renew_after},
};
use crate::{
    address::ClientAddress,
    app::Parts,
    assets::{self, Asset, Status},
    auth::Member,
    events::{Act, Actor, Event},
    ids::{AssetId, RequestId, ShareId, TenantId},
    limits,
    mux::Audience,
    store::{Guard, Page, StoreError, Write, keys},
};

/// Makes a link to a video that is there or on its way. The token is in this answer and nowhere else.
pub(super) async fn create(
    app: &Parts,
    member: &Member,
    asset: AssetId,
    label: Label,
    life: Life,
) -> Result<(ShareLink, ShareToken), ShareError> {
    let now = app.clock.now();
    let asset = assets::find(app, member.tenant, asset).await?;
    match asset.status(now) {
        Status::AwaitingUpload | Status::Processing | Status::Ready => {}
        Status::Deleted => return Err(ShareError::Deleted),
        Status::Failed | Status::Cancelled | Status::Expired => {
            return Err(ShareError::Field(
                "the video has failed and cannot be shared",
            ));
        }
    }
    let token = ShareToken::new(app.ids.mint(), app.ids.secret());
    let link = ShareLink {
        id: token.share,
        tenant: member.tenant,
        asset: asset.id,
        label,
        created_by: member.user,
        created_at: now,
        expires_at: life.after(now),
        state: State::Active,
        digest: token.digest(),
        version: 1,
    };
    let created = Event::ShareCreated {
        share: link.id,
        asset: asset.id,
    };
    let event = member.act().write(app, member.tenant, created)?;
    app.store
        .commit(vec![row(&link, Guard::Absent)?, event])
        .await?;
    Ok((link, token))
}

/// What a viewer is given.
pub(super) struct Opened {
    pub link: ShareLink,
    pub asset: Asset,
    pub playback: Url,
    pub poster: Option<Url>,
    pub storyboard: Option<Url>,
    pub expires_at: OffsetDateTime,
    pub renew_after: OffsetDateTime,
}

/// What a viewer asks for beside the stream: each costs a signature.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Extras {
    pub poster: bool,
    pub storyboard: bool,
}

/// Opens a link: the row is read every time, so that taken back means taken back (S0-068, S0-069).
pub(super) async fn open(
    app: &Parts,
    token: &ShareToken,
    extras: Extras,
    request: Option<RequestId>,
    address: Option<ClientAddress>,
) -> Result<Opened, ShareError> {
    let now = app.clock.now();
    let key = keys::share(token.share);
    let (allowed, found) = tokio::join!(limits::open_from(app, address), app.store.get(&key));
    allowed?;
    let found: Option<ShareLink> = found?;
    let Some(link) = found.filter(|link| token.opens(link)) else {
        limits::unknown_token(app, address, request).await?;
        return Err(ShareError::Unknown);
    };
    let act = Act {
        actor: Actor::Guest { share: link.id },
        request,
    };
    if let Err(refusal) = link.check(now) {
        let refused = Event::ShareRefused {
            share: link.id,
            reason: refusal.to_string(),
        };
        if limits::notes_refusal(app, link.id).await
            && let Err(error) = note(app, &act, link.tenant, refused).await
        {
            // A refusal needs no table to be right.
            let error = crate::telemetry::chain(&error);
            tracing::error!(share.id = %link.id, error, "a refusal could not be noted");
        }
        return Err(refusal);
    }
    let (allowed, asset) = tokio::join!(
        limits::open_link(app, link.tenant, link.id, address, request),
        assets::find(app, link.tenant, link.asset),
    );
    let (allowance, asset) = (allowed?, asset?);
    let opened = match play(app, link, asset, extras, now) {
        Ok(opened) => opened,
        Err(error) => {
            // Somebody who waits for a video asks often, and has not opened it.
            let _ = limits::give_back(app, allowance).await;
            return Err(error);
        }
    };
    let event = Event::ShareOpened {
        share: opened.link.id,
        asset: opened.asset.id,
    };
    note(app, &act, opened.link.tenant, event).await?;
    Ok(opened)
}

fn play(
    app: &Parts,
    link: ShareLink,
    asset: Asset,
    extras: Extras,
    now: OffsetDateTime,
) -> Result<Opened, ShareError> {
    match asset.status(now) {
        Status::Ready => {}
        Status::Deleted => return Err(ShareError::Deleted),
        Status::AwaitingUpload
        | Status::Processing
        | Status::Failed
        | Status::Cancelled
        | Status::Expired => return Err(ShareError::NotReady),
    }
    let expires_at = link.token_expiry(now);
    let playback = asset.lifecycle.playback_id().ok_or(ShareError::NotReady)?;
    let address = |audience| app.playback.address(playback, audience, expires_at);
    let extra = |wanted: bool, audience| wanted.then(|| address(audience)).transpose();
    Ok(Opened {
        playback: address(Audience::Video)?,
        poster: extra(extras.poster, Audience::Thumbnail)?,
        storyboard: extra(extras.storyboard, Audience::Storyboard)?,
        expires_at,
        renew_after: renew_after(now, expires_at),
        link,
        asset,
    })
}

/// An event that reports no change of a row. Not written, not done: what cannot be proved is not given.
async fn note(app: &Parts, act: &Act, tenant: TenantId, event: Event) -> Result<(), StoreError> {
    let envelope = act.envelope(app, tenant, event);
    let key = keys::event(tenant, envelope.id);
    match app.store.put(&key, &envelope, Guard::Absent).await {
        // The id is new, so what stands there is this very event, and its first answer was lost.
        Err(StoreError::Conflict { .. }) => Ok(()),
        done => done,
    }
}

/// The tenant's links, newest first, after the given one.
pub(super) async fn list(
    app: &Parts,
    tenant: TenantId,
    after: Option<ShareId>,
    limit: u32,
) -> Result<Page<ShareLink>, ShareError> {
    let after = after.map(|id| keys::share_of_tenant(tenant, id));
    let listing = keys::shares_of(tenant);
    Ok(app.store.list(&listing, after.as_ref(), limit).await?)
}

/// The links of one video, newest first, after the given one.
pub(super) async fn list_of_asset(
    app: &Parts,
    tenant: TenantId,
    asset: AssetId,
    after: Option<ShareId>,
    limit: u32,
) -> Result<Page<ShareLink>, ShareError> {
    let asset = assets::find(app, tenant, asset).await?;
    let after = after.map(|id| keys::share_of_asset(asset.id, id));
    let listing = keys::shares_of_asset(asset.id);
    Ok(app.store.list(&listing, after.as_ref(), limit).await?)
}

pub(super) fn row(link: &ShareLink, guard: Guard) -> Result<Write, StoreError> {
    let key = keys::listed_share(link.tenant, link.asset, link.id);
    Write::put(key, link, guard)
}
