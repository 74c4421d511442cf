//! The job that does what is due about links: warns of those that will expire, cuts those that are
//! over, and ends those whose videos are gone.

use serde::Serialize;
use time::{Duration, OffsetDateTime};

use super::{
    ShareError, cut, manage,
    model::{Duty, ShareLink},
    rows::{self, Agenda, Due},
};
use crate::{
    alerts,
    app::Parts,
    assets::Asset,
    events::Act,
    ids::{AssetId, RunId, ShareId, TenantId},
    jobs::{self, Job},
    mux::{MuxAssetId, MuxError},
    store::{Guard, StoreError, keys},
    telemetry,
};

/// How long one run works. Vercel lets a function run for a minute, and a call may be under way.
const BUDGET: Duration = Duration::seconds(40);

/// How long a run may take before another one may begin.
const LEASE: Duration = Duration::minutes(2);

/// The time between two calls of Mux, which allows five a second (mux.com/docs/core/make-api-requests);
/// others need some.
const PACE: Duration = Duration::milliseconds(250);

/// How many places of the agenda are read at once.
const PAGE: u32 = 100;

/// After what a page of the agenda that fails is left for the next run.
const HELD: Duration = Duration::minutes(5);

/// What a run did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Retired {
    pub warned: u32,
    pub cut: u32,
    /// Videos that are gone, and their links with them.
    pub gone: u32,
    /// Put off, because Mux or the table did not do its part.
    pub failed: u32,
}

/// The agenda or the lease could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("the agenda or the lease could not be read or written")]
pub struct RetireError(#[from] StoreError);

/// Does everything that is due. `None`: another run is at it.
pub async fn retire(app: &Parts) -> Result<Option<Retired>, RetireError> {
    let work = async |id| Box::pin(run(app, id)).await;
    let done = jobs::alone(app, Job::Retire, LEASE, work).await;
    Box::pin(alerts::watch(app, Job::Retire)).await;
    done
}

struct Round<'a> {
    app: &'a Parts,
    act: Act,
    until: OffsetDateTime,
    limited: bool,
    did: Retired,
}

async fn run(app: &Parts, run: RunId) -> Result<Retired, RetireError> {
    let now = app.clock.now();
    let mut round = Round {
        app,
        act: Act::of_job(Job::Retire.name(), run),
        until: now + BUDGET,
        limited: false,
        did: Retired::default(),
    };
    let listing = keys::agenda_until(now);
    let mut after: Option<Due> = None;
    loop {
        let start = after.map(|it| it.key());
        let page = app.store.list::<Due>(&listing, start.as_ref(), PAGE);
        let page = page.await?;
        for due in &page.items {
            if round.limited || app.clock.now() >= round.until {
                break;
            }
            round.see_to(*due).await;
        }
        after = page.items.last().copied().filter(|_| page.more);
        if after.is_none() || round.limited || app.clock.now() >= round.until {
            break;
        }
    }
    let did = round.did;
    tracing::info!(
        job = Job::Retire.name(),
        warned = did.warned,
        cut = did.cut,
        gone = did.gone,
        failed = did.failed,
        "agenda of links done"
    );
    Ok(did)
}

impl Round<'_> {
    /// Each fails alone.
    async fn see_to(&mut self, due: Due) {
        let done = match due.what {
            Agenda::Share { share } => self.link(share).await,
            Agenda::Asset { asset, tenant } => self.video(asset, tenant).await,
        };
        if let Err(error) = done {
            self.did.failed += 1;
            tracing::warn!(error = telemetry::chain(&error), "put off");
        }
    }

    async fn link(&mut self, id: ShareId) -> Result<(), ShareError> {
        let link: Option<ShareLink> = self.app.store.get(&keys::share(id)).await?;
        // The list may lag behind the row, which is what counts.
        let Some(link) = link else { return Ok(()) };
        match cut::is_due(&link, self.app.clock.now()) {
            None => {}
            Some(Duty::Warn) => {
                cut::warn(self.app, &self.act, &link).await?;
                self.did.warned += 1;
            }
            Some(Duty::Cut) => {
                if !link.playbacks.is_empty() {
                    self.app.clock.pause(PACE).await;
                }
                match cut::due(self.app, &self.act, &link, cut::TIME).await? {
                    Ok(()) => self.did.cut += 1,
                    Err(error) => {
                        self.did.failed += 1;
                        self.limited = error.is_limit();
                        let error = telemetry::chain(&error);
                        tracing::warn!(share.id = %id, error, "playback ids still to be deleted");
                    }
                }
            }
        }
        Ok(())
    }

    /// Ends the links of a video that is gone, and sees that nobody plays it by its own playback ids.
    /// Those of its links go with the links.
    async fn video(&mut self, id: AssetId, tenant: TenantId) -> Result<(), ShareError> {
        let place = keys::asset_agenda(id);
        let asset: Option<Asset> = self.app.store.get(&keys::asset(id)).await?;
        let Some(asset) = asset.filter(Asset::is_deleted) else {
            // Another upload of it has become a video. No guard: if it goes again, it is put here again.
            self.app.store.delete(&place, Guard::None).await?;
            return Ok(());
        };
        if let Err(error) = self.end_and_unplay(&asset, tenant).await {
            let later = Due {
                at: self.app.clock.now() + HELD,
                what: Agenda::Asset { asset: id, tenant },
            };
            self.app.store.commit(vec![later.write()?]).await?;
            return Err(error);
        }
        // No guard: a video that a person deleted stays gone.
        self.app.store.delete(&place, Guard::None).await?;
        self.did.gone += 1;
        Ok(())
    }

    async fn end_and_unplay(&mut self, asset: &Asset, tenant: TenantId) -> Result<(), ShareError> {
        for mux_asset in asset.lifecycle.living_assets() {
            self.unplay(asset, mux_asset).await.inspect_err(|error| {
                self.limited = error.is_limit();
            })?;
        }
        for link in rows::all_of_asset(self.app, tenant, asset.id).await? {
            let ended = manage::end(self.app, &self.act, &link, asset.id).await?;
            // What there is no time for stands on the agenda itself.
            if ended && !self.limited && self.app.clock.now() < self.until {
                self.link(link.id).await?;
            }
        }
        Ok(())
    }

    /// Deletes the playback ids of an asset at Mux that it was made with, and all public ones.
    async fn unplay(&self, asset: &Asset, id: &MuxAssetId) -> Result<(), MuxError> {
        self.app.clock.pause(PACE).await;
        let mux = self.app.mux(cut::TIME, asset.id);
        let listed = mux.playback_ids(id).await?;
        // Mux has not told that it is gone, so it is not believed of a token of another account.
        let listed = listed.ok_or(MuxError::Malformed)?;
        for (playback, public) in listed {
            let own = asset.lifecycle.playback_ids().any(|it| *it == playback);
            if own || public {
                self.app.clock.pause(PACE).await;
                mux.delete_playback_id(id, &playback).await?;
            }
        }
        Ok(())
    }
}
