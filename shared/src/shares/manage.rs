//! What becomes of links that are there: changed, taken back, ended with their videos.

use futures::future;
use time::OffsetDateTime;

use super::{
    ShareError,
    create::{RulesWish, change_rules, life},
    cut,
    fields::Label,
    model::{ShareLink, State},
    policy,
    rows::{self, Of, find, list},
};
use crate::{
    app::Parts,
    assets::Asset,
    auth::Member,
    events::{Act, Event},
    ids::{AssetId, ShareId},
    mux::PlaybackId,
    store::{ATTEMPTS, StoreError, keys},
    telemetry,
};

/// Takes a link back: from the first write on it opens for nobody; then Mux is told, so that what it
/// gave out plays no more. What Mux does not do at once, the job does. Taking it back again changes
/// nothing.
pub(super) async fn revoke(
    app: &Parts,
    member: &Member,
    id: ShareId,
) -> Result<ShareLink, ShareError> {
    let Some(refused) = refuse(app, member, id).await? else {
        return find(app, member.tenant, id).await;
    };
    if refused.link.cut.is_some() {
        return Ok(refused.link); // it had expired long before
    }
    match cut::now(app, &member.act(), &refused).await {
        Ok(link) => Ok(link),
        Err(error) => {
            tracing::warn!(share.id = %id, error = telemetry::chain(&error), "not cut at once");
            Ok(refused.link)
        }
    }
}

/// A link that opens for nobody any more.
pub(super) struct Refused {
    /// As it was written.
    pub link: ShareLink,
    /// How long that took.
    pub after_ms: u64,
}

/// The first half: it opens for nobody. `None`, if it was over before.
async fn refuse(app: &Parts, member: &Member, id: ShareId) -> Result<Option<Refused>, ShareError> {
    let asked_at = app.clock.now();
    let mut attempt = 1;
    loop {
        let before = find(app, member.tenant, id).await?;
        let Some(asset) = first_asset(&before).filter(|_| before.state == State::Active) else {
            return Ok(None);
        };
        let mut next = before.clone();
        next.state = State::Revoked {
            at: asked_at,
            by: Some(member.user),
        };
        // If it had expired and was cut, that stays true; else the clock starts anew.
        let revoked = Event::ShareRevoked { share: id, asset };
        let writes = rows::step(app, &before, &mut next, &member.act(), vec![revoked])?;
        match app.store.commit(writes).await {
            Ok(()) => {
                // The only trace outside of the table: after a restore it is taken back again by it.
                tracing::info!(share.id = %id, "share link taken back");
                return Ok(Some(Refused {
                    after_ms: millis(asked_at, app.clock.now()),
                    link: next,
                }));
            }
            Err(StoreError::Conflict { .. }) if attempt < ATTEMPTS => attempt += 1,
            Err(error) => return Err(error.into()),
        }
    }
}

pub(super) fn millis(from: OffsetDateTime, to: OffsetDateTime) -> u64 {
    u64::try_from((to - from).whole_milliseconds()).unwrap_or_default()
}

fn first_asset(link: &ShareLink) -> Option<AssetId> {
    link.assets.first().copied()
}

/// What an owner wishes to change. What is not said stays as it is.
#[derive(Debug, Default)]
pub(super) struct Change {
    pub label: Option<Label>,
    /// From now on.
    pub hours: Option<u32>,
    pub rules: RulesWish,
}

/// Changes a link. One that has expired lives again with another time; one that was taken back, or
/// has ended, does not.
pub(super) async fn change(
    app: &Parts,
    member: &Member,
    id: ShareId,
    wish: Change,
) -> Result<ShareLink, ShareError> {
    let policy = policy::of(app, member.tenant).await?;
    let life = match wish.hours {
        Some(hours) => Some(life(app, &policy, Some(hours))?),
        None => None,
    };
    let before = find(app, member.tenant, id).await?;
    may_change(&before)?;
    if life.is_some() {
        cut::rest(app, &member.act(), &before).await?;
    }
    let (mut rules, known) = (before.rules.clone(), before.rules);
    let asks_else = change_rules(app, &mut rules, wish.rules, &policy).await?;
    let mut attempt = 1;
    loop {
        let before = find(app, member.tenant, id).await?;
        may_change(&before)?;
        let asset = first_asset(&before).ok_or(ShareError::Unknown)?;
        let (share, mut next, mut events) = (id, before.clone(), Vec::new());
        if let Some(label) = wish.label.clone().filter(|it| *it != before.label) {
            next.label = label;
            events.push(Event::ShareRelabelled { share, asset });
        }
        if asks_else {
            if before.rules != known {
                // Somebody else changed them, and what they wished would be lost.
                return Err(StoreError::Conflict { write: 0 }.into());
            }
            next.rules = rules.clone();
            events.push(Event::ShareRulesChanged { share });
        }
        if let Some(life) = life {
            next.extend(life.after(app.clock.now()));
            policy.check_end(&next)?;
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
        let writes = rows::step(app, &before, &mut next, &member.act(), events)?;
        match app.store.commit(writes).await {
            Ok(()) => return Ok(next),
            Err(StoreError::Conflict { .. }) if attempt < ATTEMPTS => attempt += 1,
            Err(error) => return Err(error.into()),
        }
    }
}

fn may_change(link: &ShareLink) -> Result<(), ShareError> {
    match link.state {
        State::Active => Ok(()),
        State::Revoked { .. } => Err(ShareError::Revoked),
        State::Ended { .. } => Err(ShareError::Deleted),
    }
}

/// What a step of taking back many links did.
pub(super) struct Taken {
    /// Links that were active until now.
    pub revoked: u32,
    /// How many of them gave out what Mux has still to be told of: within a minute or two.
    pub cutting: u32,
    /// Where to go on; `None` at the end.
    pub next: Option<ShareId>,
}

/// How many links are taken back by one request, and at once.
const STEP: u32 = 100;
const ABREAST: usize = 8;

/// Takes back a page of many links, the newest first. Mux is told by the job, at Mux's pace.
pub(super) async fn revoke_all(
    app: &Parts,
    member: &Member,
    of: &Of,
    after: Option<ShareId>,
) -> Result<Taken, ShareError> {
    let page = list(app, member.tenant, of, after, STEP).await?;
    let last = page.items.last().map(|link| link.id);
    let active: Vec<ShareId> = page
        .items
        .iter()
        .filter(|link| link.state == State::Active)
        .map(|link| link.id)
        .collect();
    let (mut revoked, mut cutting) = (0, 0);
    for some in active.chunks(ABREAST) {
        let done = some.iter().map(|id| take_back(app, member, *id));
        for link in future::try_join_all(done).await?.into_iter().flatten() {
            revoked += 1;
            cutting += u32::from(link.cut.is_none());
        }
    }
    Ok(Taken {
        revoked,
        cutting,
        next: last.filter(|_| page.more),
    })
}

/// One of many: refused, and the measurement noted.
async fn take_back(
    app: &Parts,
    member: &Member,
    id: ShareId,
) -> Result<Option<ShareLink>, ShareError> {
    let Some(refused) = refuse(app, member, id).await? else {
        return Ok(None);
    };
    if refused.link.cut.is_some() {
        return Ok(Some(refused.link));
    }
    match cut::note(app, &member.act(), &refused).await {
        Ok(link) => Ok(Some(link)),
        // The job finds it; only how fast it was refused is not known exactly.
        Err(error) => {
            tracing::warn!(share.id = %id, error = telemetry::chain(&error), "not measured");
            Ok(Some(refused.link))
        }
    }
}

/// Ends a link whose videos are gone, this one the last. One that was taken back, or has ended, stays
/// as it is; so does one that leads to other videos.
pub async fn end(
    app: &Parts,
    act: &Act,
    link: &ShareLink,
    gone: AssetId,
) -> Result<bool, StoreError> {
    let (mut attempt, mut before) = (1, link.clone());
    loop {
        if before.state != State::Active {
            return Ok(false);
        }
        for other in before.assets.iter().filter(|it| **it != gone) {
            let asset: Option<Asset> = app.store.get(&keys::asset(*other)).await?;
            if asset.is_some_and(|it| !it.is_deleted()) {
                return Ok(false);
            }
        }
        let mut next = before.clone();
        next.state = State::Ended {
            at: app.clock.now(),
        };
        let ended = Event::ShareEnded {
            share: link.id,
            asset: gone,
        };
        let writes = rows::step(app, &before, &mut next, act, vec![ended])?;
        match app.store.commit(writes).await {
            Ok(()) => return Ok(true),
            // It was opened just now, or taken back, or the list was behind.
            Err(StoreError::Conflict { .. }) if attempt < ATTEMPTS => attempt += 1,
            Err(error) => return Err(error),
        }
        let read: Option<ShareLink> = app.store.get(&keys::share(link.id)).await?;
        before = read.unwrap_or(before);
    }
}

/// Takes back a link whose own playback id is gone at Mux although it is active: in the table that this
/// one was restored from, somebody had. Nobody knows who.
pub async fn withdraw(
    app: &Parts,
    act: &Act,
    id: ShareId,
    gone: &PlaybackId,
) -> Result<bool, ShareError> {
    let mut attempt = 1;
    loop {
        let before: Option<ShareLink> = app.store.get(&keys::share(id)).await?;
        let active = before.filter(|it| it.state == State::Active && it.plays_by(gone));
        let Some(before) = active else {
            return Ok(false);
        };
        let asset = first_asset(&before).ok_or(ShareError::Unknown)?;
        let mut next = before.clone();
        next.state = State::Revoked {
            at: app.clock.now(),
            by: None,
        };
        let revoked = Event::ShareRevoked { share: id, asset };
        let writes = rows::step(app, &before, &mut next, act, vec![revoked])?;
        match app.store.commit(writes).await {
            Ok(()) => return Ok(true),
            Err(StoreError::Conflict { .. }) if attempt < ATTEMPTS => attempt += 1,
            Err(error) => return Err(error.into()),
        }
    }
}
