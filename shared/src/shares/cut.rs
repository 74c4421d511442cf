//! Seeing that nobody plays by a link that is over: its playback ids are deleted at Mux, and how long
//! all that took is written down. Does not decide that a link is over.

use time::{Duration, OffsetDateTime};

use super::{
    ShareError,
    manage::{Refused, millis},
    model::{Cut, Duty, Playback, ShareLink, State},
    rows,
};
use crate::{
    app::Parts,
    assets::Asset,
    events::{Act, Event},
    mux::{Deletion, Mux, MuxError},
    store::{ATTEMPTS, StoreError, keys},
    telemetry,
};

/// How long somebody who takes a link back waits for Mux.
const PATIENCE: Duration = Duration::seconds(4);

/// How long the job does, with all that is tried again: what it works and this are less than the minute
/// that Vercel gives it.
pub(super) const TIME: Duration = Duration::seconds(15);

/// The pauses between two attempts at what Mux does not do: half as long as it has been tried, from a
/// minute to an hour.
const PAUSE_MIN: Duration = Duration::minutes(1);
const PAUSE_MAX: Duration = Duration::hours(1);

/// Why a link could not be cut.
#[derive(Debug, thiserror::Error)]
pub(super) enum CutError {
    #[error("the link could not be read or written")]
    Store(#[from] StoreError),
    #[error("mux did not delete a playback id")]
    Mux(#[from] MuxError),
    #[error("mux knows neither the playback id nor its asset: is this the account that it is in?")]
    Doubtful,
}

impl CutError {
    /// Whether Mux has enough to do, or is not asked now.
    pub(super) fn is_limit(&self) -> bool {
        matches!(self, Self::Mux(error) if error.is_limit())
    }
}

/// Cuts a link that was taken back this moment, for somebody who waits. What fails, the job does.
pub(super) async fn now(app: &Parts, act: &Act, refused: &Refused) -> Result<ShareLink, CutError> {
    let link = &refused.link;
    let (gone, failed) = delete_all(app, &app.mux(PATIENCE, link.id), link).await;
    if let Some(error) = failed {
        let error = telemetry::chain(&error);
        tracing::warn!(share.id = %link.id, error, "mux has still to delete playback ids");
    }
    let told = Told {
        gone: &gone,
        refused_after_ms: Some(refused.after_ms),
        held_until: None,
    };
    Ok(settle(app, act, link, told).await?)
}

/// Notes how fast a link was refused, and that it is cut, if it gave nothing out.
pub(super) async fn note(
    app: &Parts,
    act: &Act,
    refused: &Refused,
) -> Result<ShareLink, StoreError> {
    let told = Told {
        gone: &[],
        refused_after_ms: Some(refused.after_ms),
        held_until: None,
    };
    settle(app, act, &refused.link, told).await
}

/// Cuts a link whose time has come. The error of what has still to be done; it is on the agenda again.
pub(super) async fn due(
    app: &Parts,
    act: &Act,
    link: &ShareLink,
    patience: Duration,
) -> Result<Result<(), CutError>, StoreError> {
    let (gone, failed) = delete_all(app, &app.mux(patience, link.id), link).await;
    let now = app.clock.now();
    let tried = now - link.over_at();
    let pause: Duration = tried / 2;
    let pause = pause.clamp(PAUSE_MIN, PAUSE_MAX);
    let held = failed.is_some().then_some(now + pause);
    let told = Told {
        gone: &gone,
        refused_after_ms: None,
        held_until: held,
    };
    settle(app, act, link, told).await?;
    Ok(failed.map_or(Ok(()), Err))
}

/// Deletes what is left of a link that was over, before it lives again: it may be gone at Mux already,
/// and then nobody could play by it.
pub(super) async fn rest(app: &Parts, act: &Act, link: &ShareLink) -> Result<(), ShareError> {
    let over = link.over_at() <= app.clock.now();
    if !over || link.playbacks.is_empty() {
        return Ok(());
    }
    match due(app, act, link, PATIENCE).await? {
        Ok(()) => Ok(()),
        Err(error) => {
            let error = telemetry::chain(&error);
            tracing::warn!(share.id = %link.id, error, "not extended: mux has still to delete");
            Err(MuxError::Limited.into())
        }
    }
}

/// Deletes a link's playback ids at Mux; those that are gone, and why the rest is not.
async fn delete_all(
    app: &Parts,
    mux: &Mux<'_>,
    link: &ShareLink,
) -> (Vec<Playback>, Option<CutError>) {
    let mut gone = Vec::new();
    for playback in &link.playbacks {
        match delete(app, mux, playback).await {
            Ok(()) => gone.push(playback.clone()),
            Err(error) => return (gone, Some(error)),
        }
    }
    (gone, None)
}

/// With a token of another account Mux would know nothing, and everything would seem to be gone: that
/// a playback id is not there is believed only of an asset that is.
async fn delete(app: &Parts, mux: &Mux<'_>, playback: &Playback) -> Result<(), CutError> {
    let Playback { mux_asset, id, .. } = playback;
    match mux.delete_playback_id(mux_asset, id).await? {
        Deletion::Done => return Ok(()),
        Deletion::NotThere => {}
    }
    if mux.asset_news(mux_asset).await?.is_some() {
        return Ok(());
    }
    let asset: Option<Asset> = app.store.get(&keys::asset(playback.asset)).await?;
    let told = |it: Asset| it.lifecycle.living_assets().all(|it| it != mux_asset);
    if asset.is_some_and(told) {
        return Ok(()); // Mux told that it is gone
    }
    Err(CutError::Doubtful)
}

/// What there is to write down about a link.
#[derive(Clone, Copy)]
struct Told<'a> {
    gone: &'a [Playback],
    refused_after_ms: Option<u64>,
    held_until: Option<OffsetDateTime>,
}

/// Writes down what is gone; and if that is all, that the link is cut. Reads and writes again if
/// somebody was faster.
async fn settle(
    app: &Parts,
    act: &Act,
    link: &ShareLink,
    told: Told<'_>,
) -> Result<ShareLink, StoreError> {
    let (mut attempt, mut before) = (1, link.clone());
    loop {
        let now = app.clock.now();
        let mut next = before.clone();
        next.playbacks.retain(|it| !told.gone.contains(it));
        next.refused_after_ms = next.refused_after_ms.or(told.refused_after_ms);
        next.held_until = told.held_until;
        let (mut events, share) = (Vec::new(), next.id);
        let over = before.over_at() <= now;
        let playing = next.shared_until.is_some_and(|until| now < until);
        if over && next.cut.is_none() && next.playbacks.is_empty() && !playing && !next.unsigned {
            let cut = cut(&next, now);
            next.cut = Some(cut);
            if next.state == State::Active {
                events.push(Event::ShareExpired { share });
            }
            events.push(Event::ShareCut { share, cut });
        } else if next == before {
            return Ok(before);
        } else {
            let count = |it: usize| u32::try_from(it).unwrap_or(u32::MAX);
            events.push(Event::ShareCutting {
                share,
                gone: count(before.playbacks.len() - next.playbacks.len()),
                left: count(next.playbacks.len()),
            });
        }
        let writes = rows::step(app, &before, &mut next, act, events)?;
        match app.store.commit(writes).await {
            Ok(()) => return Ok(next),
            Err(StoreError::Conflict { .. }) if attempt < ATTEMPTS => attempt += 1,
            Err(error) => return Err(error),
        }
        let read: Option<ShareLink> = app.store.get(&keys::share(link.id)).await?;
        before = read.unwrap_or(before);
    }
}

fn cut(link: &ShareLink, now: OffsetDateTime) -> Cut {
    let gone_after_ms = millis(link.over_at(), now);
    // An expiry is looked at with every opening: nothing has to be written for it to count.
    let refused_after_ms = match link.state {
        State::Active => 0,
        State::Revoked { .. } | State::Ended { .. } => {
            link.refused_after_ms.unwrap_or(gone_after_ms)
        }
    };
    Cut {
        refused_after_ms,
        gone_after_ms,
    }
}

/// Says that a link will expire, once.
pub(super) async fn warn(app: &Parts, act: &Act, link: &ShareLink) -> Result<(), StoreError> {
    let mut next = link.clone();
    next.warned = true;
    let expiring = Event::ShareExpiring {
        share: link.id,
        at: link.expires_at,
    };
    let writes = rows::step(app, link, &mut next, act, vec![expiring])?;
    match app.store.commit(writes).await {
        // Whatever it became just now, its agenda says.
        Ok(()) | Err(StoreError::Conflict { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Whether this is due.
pub(super) fn is_due(link: &ShareLink, now: OffsetDateTime) -> Option<Duty> {
    let (at, duty) = link.duty()?;
    // After a long sleep there is nothing left to warn of.
    let duty = if link.over_at() <= now {
        Duty::Cut
    } else {
        duty
    };
    (at <= now).then_some(duty)
}
