//! A link's own playback id: made when it is first played, so that taking the link back takes back
//! what it gave out, and nobody else's. Mux makes about one thing a second; until it is made, the
//! link plays by the playback id of the video itself.

use time::{Duration, OffsetDateTime};

use super::{
    ShareError,
    model::{Playback, ShareLink},
    open::Plays,
    rows,
};
use crate::{
    app::Parts,
    assets::Asset,
    events::{Act, Event},
    ids::AssetId,
    mux::{MuxAssetId, PlaybackId},
    store::{ATTEMPTS, StoreError, keys},
    telemetry,
};

/// How long a viewer waits for it.
const PATIENCE: Duration = Duration::milliseconds(2_500);

/// For so long after the first one, more viewers write nothing: many may come at once.
const AHEAD: Duration = Duration::MINUTE;

/// Gives out a playback id, and notes with the event which one it was.
pub(super) async fn give(
    app: &Parts,
    act: &Act,
    link: ShareLink,
    asset: &Asset,
    event: Event,
    now: OffsetDateTime,
) -> Result<(ShareLink, Plays), ShareError> {
    let (mux_asset, shared) = asset.lifecycle.playable().ok_or(ShareError::NotReady)?;
    let made = if tried_lately(&link, now) {
        None
    } else {
        make(app, mux_asset).await
    };
    if made.is_some() && is_gone(app, asset.id).await? {
        // Deleted while Mux was asked: whoever deletes its playback ids may not have seen this one.
        discard(app, mux_asset, made).await;
        return Err(ShareError::Deleted);
    }
    let given = write(app, act, link, asset, made.as_ref(), event, now).await;
    match given {
        Ok((link, Given::Made(made))) => Ok((link, Plays::Signed(made))),
        Ok((link, Given::Shared)) => Ok((link, Plays::Shared(shared.clone()))),
        Ok((link, Given::Known(known))) => {
            discard(app, mux_asset, made).await;
            Ok((link, Plays::Signed(known)))
        }
        // It may have been written nevertheless, and then the link plays by it.
        Err(error @ ShareError::Store(_)) => Err(error),
        Err(error) => {
            discard(app, mux_asset, made).await;
            Err(error)
        }
    }
}

/// Whether Mux made nothing for it a moment ago: then it is not asked with every opening.
fn tried_lately(link: &ShareLink, now: OffsetDateTime) -> bool {
    let until = link.shared_expiry(now);
    link.shared_until.is_some_and(|known| until <= known)
}

async fn is_gone(app: &Parts, id: AssetId) -> Result<bool, StoreError> {
    let asset: Option<Asset> = app.store.get(&keys::asset(id)).await?;
    Ok(asset.is_none_or(|it| it.is_deleted()))
}

/// Notes that a public playback id is given out, with which the link can never be cut.
pub(super) async fn give_public(
    app: &Parts,
    act: &Act,
    link: ShareLink,
    event: Event,
) -> Result<ShareLink, ShareError> {
    let (mut attempt, mut before) = (1, link);
    loop {
        before.check(app.clock.now())?;
        if before.unsigned {
            act.note(app, before.tenant, event).await?;
            return Ok(before);
        }
        let mut next = before.clone();
        next.unsigned = true;
        let writes = rows::step(app, &before, &mut next, act, vec![event.clone()])?;
        match app.store.commit(writes).await {
            Ok(()) => return Ok(next),
            Err(StoreError::Conflict { .. }) if attempt < ATTEMPTS => attempt += 1,
            Err(error) => return Err(error.into()),
        }
        let read: Option<ShareLink> = app.store.get(&keys::share(before.id)).await?;
        before = read.ok_or(ShareError::Unknown)?;
    }
}

/// Which playback id it became.
enum Given {
    /// The one that was just made.
    Made(PlaybackId),
    /// The one of the video.
    Shared,
    /// One that another viewer's opening has made in the meantime.
    Known(PlaybackId),
}

async fn write(
    app: &Parts,
    act: &Act,
    link: ShareLink,
    asset: &Asset,
    made: Option<&PlaybackId>,
    event: Event,
    now: OffsetDateTime,
) -> Result<(ShareLink, Given), ShareError> {
    let (mux_asset, _) = asset.lifecycle.playable().ok_or(ShareError::NotReady)?;
    let (mut attempt, mut before) = (1, link);
    loop {
        // Taken back while Mux was asked: then nothing is given out.
        before.check(app.clock.now())?;
        if let Some(known) = before.own(mux_asset).cloned() {
            if made == Some(&known) {
                // It was written, and only the answer was lost.
                return Ok((before, Given::Made(known)));
            }
            act.note(app, before.tenant, event).await?;
            return Ok((before, Given::Known(known)));
        }
        let mut next = before.clone();
        if let Some(id) = made {
            next.playbacks.push(Playback {
                asset: asset.id,
                mux_asset: mux_asset.clone(),
                id: id.clone(),
            });
        } else {
            let until = next.shared_expiry(now);
            if next.shared_until.is_some_and(|known| until <= known) {
                act.note(app, before.tenant, event).await?;
                return Ok((before, Given::Shared));
            }
            next.shared_until = Some((until + AHEAD).min(next.expires_at));
        }
        let writes = rows::step(app, &before, &mut next, act, vec![event.clone()])?;
        match app.store.commit(writes).await {
            Ok(()) => {
                let given = made.cloned().map_or(Given::Shared, Given::Made);
                return Ok((next, given));
            }
            Err(StoreError::Conflict { .. }) if attempt < ATTEMPTS => attempt += 1,
            Err(error) => return Err(error.into()),
        }
        let read: Option<ShareLink> = app.store.get(&keys::share(before.id)).await?;
        before = read.ok_or(ShareError::Unknown)?;
    }
}

/// A new playback id, if Mux makes one now.
async fn make(app: &Parts, asset: &MuxAssetId) -> Option<PlaybackId> {
    // Without a place in the queue Mux would only refuse, and others with us. If it is made although
    // nobody heard so, nobody ever gets a token for it, and the daily check finds it.
    let made = app
        .mux(PATIENCE, asset.as_str())
        .at_once()
        .create_playback_id(asset)
        .await;
    made.inspect_err(|error| {
        let error = telemetry::chain(error);
        tracing::info!(
            error,
            "no playback id of its own yet: the video's is given out"
        );
    })
    .ok()
}

/// One that nobody was given: the daily check finds it, if this fails.
async fn discard(app: &Parts, asset: &MuxAssetId, made: Option<PlaybackId>) {
    let Some(made) = made else { return };
    if let Err(error) = app
        .mux(PATIENCE, asset.as_str())
        .delete_playback_id(asset, &made)
        .await
    {
        let error = telemetry::chain(&error);
        tracing::warn!(error, "a playback id that nobody plays by is left at mux");
    }
}
