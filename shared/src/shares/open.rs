//! Opening a link: what a viewer is given, and by which playback id.

use time::OffsetDateTime;
use url::Url;

use super::{
    ShareError,
    gate::Visitor,
    grant::Grant,
    model::{ShareLink, renew_after},
    own,
    token::ShareToken,
};
use crate::{
    address::ClientAddress,
    app::Parts,
    assets::{Asset, Status},
    events::{Act, Actor, Event},
    guardrails,
    ids::{AssetId, RequestId, UserId},
    limits,
    metrics::{self, Metric},
    mux::{Audience, PlaybackId, Resolution, SigningError, Terms},
    restores,
    store::keys,
    telemetry, traces,
};

/// What a viewer's page sends.
#[derive(Debug)]
pub(super) struct Asked {
    pub token: ShareToken,
    /// Which video of a list; the first, if nothing is said.
    pub asset: Option<AssetId>,
    pub extras: Extras,
    /// What the viewer was given before, if anything.
    pub grant: Option<String>,
    pub user: Option<UserId>,
    pub request: Option<RequestId>,
    pub address: Option<ClientAddress>,
}

/// What a viewer asks for beside the stream: each costs a signature.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Extras {
    pub poster: bool,
    pub storyboard: bool,
    /// The titles of all videos, which costs a read.
    pub playlist: bool,
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
    /// To be shown when the next token is asked for.
    pub grant: String,
}

/// A viewer before an open door: the link, the video, and who they are.
pub(super) struct Admitted {
    pub link: ShareLink,
    /// Which video was asked for, and the video.
    pub wanted: AssetId,
    pub asset: Option<Asset>,
    pub grant: Option<Grant>,
    pub act: Act,
}

/// Opens a link: the row is read every time, so that taken back means taken back (S0-068, S0-069).
///
/// What happens seldom is boxed: otherwise every request carries the room for it, and moves it about.
pub(super) async fn open(app: &Parts, asked: Asked) -> Result<Opened, ShareError> {
    let now = app.clock.now();
    let at_the_door = knock(app, &asked, now).await?;
    let Admitted {
        link,
        wanted: id,
        asset,
        grant,
        mut act,
    } = at_the_door;
    let visitor = Visitor {
        grant: grant.clone(),
        user: asked.user,
    };
    if let Some(refusal) = refusal(&link, id, &visitor, now) {
        Box::pin(refused(app, &act, &link, &refusal)).await;
        return Err(refusal);
    }
    let acting = guardrails::known(app).await;
    if acting.pauses(&app.config.guardrails, link.tenant, link.id) {
        Box::pin(refused(app, &act, &link, &ShareError::Paused)).await;
        return Err(ShareError::Paused);
    }
    let cap = acting.cap(&app.config.guardrails, link.tenant);
    let asset = asset.filter(|it| it.tenant == link.tenant);
    let asset = playable(asset, now)?;
    let network = asked.address.map(|it| network(app, it));
    traces::note("share.id", link.id);
    traces::note("asset.id", asset.id);
    let begin = || Grant::begin(app.ids.mint(), link.rules.epoch, now);
    let mut grant = grant.unwrap_or_else(begin);
    let renews = grant.opened.contains(&asset.id) && grant.network == network;
    if !renews {
        // Who goes on every few minutes would be most of the video's trace.
        traces::join(asset.trace, asset.created_at);
        let opens = limits::open_link(app, &act, link.tenant, link.id, asked.address);
        Box::pin(opens).await?;
        grant.opened.insert(asset.id);
        grant.network = network;
    }
    if let Actor::Guest { session, .. } = &mut act.actor {
        *session = Some(grant.session);
    }
    let (share, asset_id) = (link.id, asset.id);
    let event = if renews {
        Event::ShareRenewed {
            share,
            asset: asset_id,
        }
    } else {
        Event::ShareOpened {
            share,
            asset: asset_id,
        }
    };
    let (link, plays) = plays(app, &act, link, &asset, event, now).await?;
    let signed = sign(app, &link, &plays, asked.extras, cap, now)?;
    // Who goes on keeps what they have.
    let kept = asked.grant.filter(|_| renews);
    let grant = kept.or_else(|| app.keys().grants.write(link.id, &grant));
    let grant = grant.ok_or(ShareError::Grant)?;
    Ok(Opened {
        playback: signed.playback,
        poster: signed.poster,
        storyboard: signed.storyboard,
        renew_after: renew_after(now, signed.expires_at, app.ids.jitter()),
        expires_at: signed.expires_at,
        grant,
        link,
        asset,
    })
}

/// A network, hidden, and short: it only has to be told from another one.
fn network(app: &Parts, address: ClientAddress) -> String {
    let mut hidden = app.keys().pseudonyms.hide(&address.network());
    hidden.truncate(8);
    hidden
}

/// Reads what the token names and finds out whether it opens it. How often anybody
/// may knock is counted at the same time, and comes first.
pub(super) async fn knock(
    app: &Parts,
    asked: &Asked,
    now: OffsetDateTime,
) -> Result<Admitted, ShareError> {
    let token = &asked.token;
    let (allowed, found) = tokio::join!(limits::open_from(app, asked.address), read(app, asked));
    allowed?;
    let found: Option<Found> = found?;
    let Some((link, wanted, asset)) = found.filter(|(link, ..)| token.opens(link)) else {
        Box::pin(limits::unknown_token(app, asked.address, asked.request)).await?;
        return Err(ShareError::Unknown);
    };
    let grant = asked.grant.as_deref();
    let grant = grant.and_then(|text| app.keys().grants.read(link.id, text, now));
    let actor = Actor::Guest {
        share: link.id,
        session: grant.as_ref().map(|it| it.session),
        user: asked.user,
    };
    Ok(Admitted {
        link,
        wanted,
        asset,
        grant,
        act: Act {
            actor,
            request: asked.request,
            address: asked.address,
        },
    })
}

/// A link, the video of it that is asked for, and that video.
type Found = (ShareLink, AssetId, Option<Asset>);

/// What is asked for: the video that the token names, if nothing else is said.
async fn read(app: &Parts, asked: &Asked) -> Result<Option<Found>, ShareError> {
    let key = keys::share(asked.token.share);
    if let Some(wanted) = asked.asset.or(asked.token.asset) {
        let (link, asset) = app.store.get_both(&key, &keys::asset(wanted)).await?;
        return Ok(link.map(|link| (link, wanted, asset)));
    }
    let link: Option<ShareLink> = app.store.get(&key).await?;
    let found = link.and_then(|link| Some((link.assets.first().copied()?, link)));
    let Some((wanted, link)) = found else {
        return Ok(None);
    };
    let asset = app.store.get(&keys::asset(wanted)).await?;
    Ok(Some((link, wanted, asset)))
}

fn refusal(
    link: &ShareLink,
    asset: AssetId,
    visitor: &Visitor,
    now: OffsetDateTime,
) -> Option<ShareError> {
    if let Err(over) = link.check(now) {
        return Some(over);
    }
    if !link.assets.contains(&asset) {
        return Some(ShareError::Unknown);
    }
    link.rules.lock(visitor).map(ShareError::Locked)
}

/// A refusal needs no table to be right: that it could not be noted changes nothing.
pub(super) async fn refused(app: &Parts, act: &Act, link: &ShareLink, refusal: &ShareError) {
    // What is asked for of everybody is no refusal yet.
    if matches!(refusal, ShareError::Locked(_) | ShareError::Unknown) {
        return;
    }
    if !limits::notes_refusal(app, link.id).await {
        return;
    }
    let event = Event::ShareRefused {
        share: link.id,
        reason: refusal.to_string(),
    };
    if let Err(error) = act.note(app, link.tenant, event).await {
        let error = telemetry::chain(&error);
        tracing::error!(share.id = %link.id, error, "a refusal could not be noted");
    }
}

fn playable(asset: Option<Asset>, now: OffsetDateTime) -> Result<Asset, ShareError> {
    let asset = asset.ok_or(ShareError::Unknown)?;
    match asset.status(now) {
        Status::Ready => Ok(asset),
        Status::Deleted => Err(ShareError::Deleted),
        Status::AwaitingUpload
        | Status::Processing
        | Status::Failed
        | Status::Cancelled
        | Status::Expired => Err(ShareError::NotReady),
    }
}

/// By what a viewer plays.
pub(super) enum Plays {
    Signed(PlaybackId),
    /// Others play by it, too.
    Shared(PlaybackId),
    /// Whoever knows the address plays it, for ever: only if somebody has switched signing off.
    Public(PlaybackId),
}

/// The playback id to play by. That it is given out is noted before it is: what cannot be proved is
/// not given.
async fn plays(
    app: &Parts,
    act: &Act,
    link: ShareLink,
    asset: &Asset,
    event: Event,
    now: OffsetDateTime,
) -> Result<(ShareLink, Plays), ShareError> {
    let own = asset.lifecycle.playable();
    let own = own.and_then(|(mux_asset, _)| link.own(mux_asset));
    // What Mux would not know of: a link that was taken back before it ever played this video.
    if own.is_none() && Box::pin(restores::holds(app, link.created_at)).await? {
        Box::pin(refused(app, act, &link, &ShareError::Held)).await;
        return Err(ShareError::Held);
    }
    let Some((mux_asset, _)) = asset.lifecycle.playable() else {
        let public = asset.lifecycle.public_playback();
        let public = public.filter(|_| !app.config.signed_playback);
        let public = public.cloned().ok_or(ShareError::NotReady)?;
        metrics::emit(now, Metric::UnsignedPlayback, 1);
        tracing::error!(alert = "unsigned-playback", share.id = %link.id, asset.id = %asset.id,
            "a public playback id is given out");
        let link = Box::pin(own::give_public(app, act, link, event)).await?;
        return Ok((link, Plays::Public(public)));
    };
    if let Some(own) = link.own(mux_asset).cloned() {
        act.note(app, link.tenant, event).await?;
        return Ok((link, Plays::Signed(own)));
    }
    Box::pin(own::give(app, act, link, asset, event, now)).await
}

struct SignedAddresses {
    playback: Url,
    poster: Option<Url>,
    storyboard: Option<Url>,
    expires_at: OffsetDateTime,
}

fn sign(
    app: &Parts,
    link: &ShareLink,
    plays: &Plays,
    extras: Extras,
    cap: Option<Resolution>,
    now: OffsetDateTime,
) -> Result<SignedAddresses, SigningError> {
    let wanted = match plays {
        Plays::Signed(_) | Plays::Public(_) => link.token_expiry(now),
        Plays::Shared(_) => link.shared_expiry(now),
    };
    let terms = Terms {
        resolution: link.rules.resolution.into_iter().chain(cap).min(),
        restriction: link.rules.restriction.clone(),
    };
    let keys = app.keys();
    let mut expires_at = wanted;
    let mut address = |audience| match plays {
        Plays::Public(playback) => keys.playback.unsigned(playback, audience),
        Plays::Signed(playback) | Plays::Shared(playback) => {
            let signed = keys.playback.address(playback, audience, &terms, wanted)?;
            let metric = if signed.remembered {
                Metric::TokensRemembered
            } else {
                Metric::TokensSigned
            };
            metrics::emit(now, metric, 1);
            // All of them are renewed together: with the first one that ends.
            expires_at = expires_at.min(signed.expires_at);
            Ok(signed.url)
        }
    };
    let playback = address(Audience::Video)?;
    let mut extra = |wanted: bool, audience| wanted.then(|| address(audience)).transpose();
    let poster = extra(extras.poster, Audience::Thumbnail)?;
    let storyboard = extra(extras.storyboard, Audience::Storyboard)?;
    Ok(SignedAddresses {
        playback,
        poster,
        storyboard,
        expires_at,
    })
}

/// The videos of a list that can be watched, or will be, in its order.
pub(super) async fn playlist(app: &Parts, link: &ShareLink) -> Result<Vec<Asset>, ShareError> {
    let mut assets = Vec::with_capacity(link.assets.len());
    let found = link.assets.iter().map(|id| async move {
        let key = keys::asset(*id);
        app.store.get::<Asset>(&key).await
    });
    for asset in futures::future::try_join_all(found).await? {
        assets.extend(asset.filter(|it| it.tenant == link.tenant && !it.is_deleted()));
    }
    Ok(assets)
}
