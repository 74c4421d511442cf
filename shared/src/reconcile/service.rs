//! Asks Mux about every video that something is still expected of, and pushes the answers through the
//! same reducer as webhooks.

use serde::Serialize;
use time::{Duration, OffsetDateTime};

use crate::{
    app::Parts,
    assets::{self, Asset, AssetError, Ending, Stamp},
    events::{Act, Actor},
    ids::RunId,
    jobs::{self, Job},
    mux::{AssetNews, AssetStage, MuxAssetId, MuxError, MuxEventId, Subject},
    store::{StoreError, keys},
    telemetry,
};

/// How long one run asks. Vercel lets a function run for a minute.
const BUDGET: Duration = Duration::seconds(45);

/// How long a run may take before another one may begin.
const LEASE: Duration = Duration::minutes(2);

/// The time between two calls: four a second, where Mux allows five (mux.com/docs/core/make-api-requests)
/// and somebody else may need one.
const PACE: Duration = Duration::milliseconds(250);

/// How many videos are read at once.
const PAGE: u32 = 100;

/// A video is asked about in every run while it is young; after that, once an hour.
const YOUNG: Duration = Duration::hours(1);
const EVERY: Duration = Duration::minutes(5);

/// A webhook is given this much time before somebody asks.
const PATIENCE: Duration = Duration::minutes(1);

/// What one run did.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Pass {
    /// Videos that something was still expected of.
    pub open: u32,
    /// Those that Mux was asked about.
    pub asked: u32,
    /// Those that the answer closed: nothing more is expected of them.
    pub closed: u32,
    /// Those that could not be asked about this time.
    pub failed: u32,
}

/// A run did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    #[error("the open videos or the lease could not be read or written")]
    Store(#[from] StoreError),
}

/// Why nothing came of asking about one video.
#[derive(Debug, thiserror::Error)]
enum AskError {
    #[error("mux was not asked, or did not answer")]
    Mux(#[from] MuxError),
    #[error("what mux answered could not be kept")]
    Asset(#[from] AssetError),
}

/// Asks about everything that is due. `None`: another run is at it.
pub async fn reconcile(app: &Parts) -> Result<Option<Pass>, ReconcileError> {
    jobs::alone(app, Job::Reconcile, LEASE, async |id| run(app, id).await).await
}

async fn run(app: &Parts, id: RunId) -> Result<Pass, ReconcileError> {
    let (started, mut pass) = (app.clock.now(), Pass::default());
    let mut after: Option<Asset> = None;
    'pages: loop {
        let start = after.as_ref().map(|it| {
            let listed = keys::listed_asset(it.tenant, it.id);
            keys::open_asset(listed, it.id)
        });
        let listing = keys::open_assets();
        let page = app
            .store
            .list::<Asset>(&listing, start.as_ref(), PAGE)
            .await?;
        for asset in &page.items {
            pass.open += 1;
            if !is_due(asset, app.clock.now()) {
                continue;
            }
            if app.clock.now() - started >= BUDGET {
                break 'pages; // the next run begins anew
            }
            pass.asked += 1;
            // Each fails alone: it is asked about again.
            match ask(app, asset, id).await {
                Ok(after) if !after.is_open() => pass.closed += 1,
                Ok(_) => {}
                Err(error) => {
                    pass.failed += 1;
                    tracing::warn!(
                        asset.id = %asset.id,
                        error = telemetry::chain(&error),
                        "video not reconciled"
                    );
                    if matches!(error, AskError::Mux(MuxError::Limited)) {
                        break 'pages; // asking on would only keep others from it
                    }
                }
            }
        }
        after = page.items.into_iter().next_back().filter(|_| page.more);
        if after.is_none() {
            break;
        }
    }
    tracing::info!(
        job = Job::Reconcile.name(),
        open = pass.open,
        asked = pass.asked,
        closed = pass.closed,
        failed = pass.failed,
        "open videos reconciled"
    );
    Ok(pass)
}

/// Whether it is its turn. Nothing is kept of that: its age says so.
fn is_due(asset: &Asset, now: OffsetDateTime) -> bool {
    let age = now - asset.created_at;
    let hour = Duration::seconds(age.whole_seconds() % Duration::HOUR.whole_seconds());
    now - asset.updated_at() >= PATIENCE && (age < YOUNG || asset.is_overdue(now) || hour < EVERY)
}

/// Asks Mux for everything it knows of one video, and keeps what is new.
async fn ask(app: &Parts, asset: &Asset, run: RunId) -> Result<Asset, AskError> {
    let mut news = Vec::new();
    let mut assets: Vec<MuxAssetId> = asset.lifecycle.assets().cloned().collect();
    // Of an upload that became an asset, the asset says the rest.
    for upload in asset.lifecycle.uploads().filter(|_| assets.is_empty()) {
        app.clock.pause(PACE).await;
        news.extend(app.mux.upload_news(upload).await?);
    }
    assets.extend(news.iter().filter_map(|it| match it {
        Subject::Upload(upload) => upload.asset.clone(),
        Subject::Asset(_) | Subject::Part { .. } | Subject::Other => None,
    }));
    for id in assets {
        app.clock.pause(PACE).await;
        let told = app.mux.asset_news(&id).await?;
        news.push(told.unwrap_or_else(|| gone(id)));
    }
    let now = app.clock.now();
    let stamp = Stamp {
        at: now,
        by: MuxEventId::new(format!("reconcile {run}")),
    };
    let act = Act {
        actor: Actor::Job {
            name: Job::Reconcile.name().to_owned(),
            run,
        },
        request: None,
    };
    let changed = assets::update(app, asset.tenant, asset.id, &act, |asset| {
        for it in &news {
            *asset = asset.apply(&stamp, it);
        }
        // Mux tells of no end that it does not know of.
        if asset.is_open() && asset.is_overdue(now) && asset.lifecycle.assets().next().is_none() {
            asset.ending = Ending::Lapsed { at: now };
        }
        Ok(None)
    });
    Ok(changed.await?)
}

/// What is to be learnt from an asset that Mux no longer has.
fn gone(asset: MuxAssetId) -> Subject {
    Subject::Asset(AssetNews {
        asset,
        upload: None,
        stage: AssetStage::Deleted,
        playback_ids: None,
        millis: None,
        aspect_ratio: None,
        failure: None,
    })
}
