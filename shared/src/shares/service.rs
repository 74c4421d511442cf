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
    let event = member
        .act()
        .write_change(app, member.tenant, created, None, Some(&link))?;
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
    let link: Option<ShareLink> = app.store.get(&keys::share(token.share)).await?;
    let link = link
        .filter(|link| token.opens(link))
        .ok_or(ShareError::Unknown)?;
    let act = Act {
        actor: Actor::Guest { share: link.id },
        request,
        address,
    };
    if let Err(refusal) = link.check(now) {
        let refused = Event::ShareRefused {
            share: link.id,
            reason: refusal.to_string(),
        };
        if let Err(error) = act.note(app, link.tenant, refused).await {
            // A refusal needs no table to be right.
            let error = crate::telemetry::chain(&error);
            tracing::error!(share.id = %link.id, error, "a refusal could not be noted");
        }
        return Err(refusal);
    }
    let asset = assets::find(app, link.tenant, link.asset).await?;
    let opened = play(app, link, asset, extras, now)?;
    let event = Event::ShareOpened {
        share: opened.link.id,
        asset: opened.asset.id,
    };
    // Not written, not done: what cannot be proved is not given.
    act.note(app, opened.link.tenant, event).await?;
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
