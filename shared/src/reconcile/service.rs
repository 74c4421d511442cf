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

/// How many are remembered for the time that is left: more than a run can ask about.
const REST: usize = 200;

/// So long somebody is likely to wait for a video.
const YOUNG: Duration = Duration::hours(1);

/// How often a run begins.
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
    let mut asking = Asking {
        app,
        run: id,
        until: app.clock.now() + BUDGET,
        limited: false,
        pass: Pass::default(),
    };
    let (mut after, mut rest): (Option<Asset>, Vec<Asset>) = (None, Vec::new());
    // Newest first, as the index has them: a video that somebody waits for is asked about before one
    // that was begun yesterday.
    loop {
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
            asking.pass.open += 1;
            match turn(asset, app.clock.now()) {
                Turn::Now => asking.about(asset).await,
                Turn::IfThereIsTime if rest.len() < REST => rest.push(asset.clone()),
                Turn::IfThereIsTime | Turn::NotYet => {}
            }
        }
        after = page.items.into_iter().next_back().filter(|_| page.more);
        if after.is_none() || !asking.may_go_on() {
            break;
        }
    }
    for asset in &rest {
        asking.about(asset).await;
    }
    let pass = asking.pass;
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

/// One run's asking.
struct Asking<'a> {
    app: &'a Parts,
    run: RunId,
    until: OffsetDateTime,
    /// Mux said that we ask too often: going on would only keep others from it.
    limited: bool,
    pass: Pass,
}

impl Asking<'_> {
    fn may_go_on(&self) -> bool {
        !self.limited && self.app.clock.now() < self.until
    }

    /// Asks about a video, if there is time. Each fails alone: it is asked about again.
    async fn about(&mut self, asset: &Asset) {
        if !self.may_go_on() {
            return;
        }
        self.pass.asked += 1;
        match ask(self.app, asset, self.run).await {
            Ok(after) if !after.is_open() => self.pass.closed += 1,
            Ok(_) => {}
            Err(error) => {
                self.pass.failed += 1;
                self.limited = matches!(error, AskError::Mux(MuxError::Limited));
                tracing::warn!(
                    asset.id = %asset.id,
                    error = telemetry::chain(&error),
                    "video not reconciled"
                );
            }
        }
    }
}

/// Whether it is a video's turn.
#[derive(Debug, PartialEq, Eq)]
enum Turn {
    /// Somebody may be waiting for it, or its hour has come.
    Now,
    /// It was begun long ago, and nothing is known to be wrong with it.
    IfThereIsTime,
    /// A webhook may still tell.
    NotYet,
}

/// Nothing is kept of whose turn it was: the age of a video says whose it is. So that none starves
/// where there are more than one run can ask about, each has a turn of its own once an hour.
fn turn(asset: &Asset, now: OffsetDateTime) -> Turn {
    let age = now - asset.created_at;
    let into_the_hour = Duration::seconds(age.whole_seconds() % Duration::HOUR.whole_seconds());
    if now - asset.updated_at() < PATIENCE {
        Turn::NotYet
    } else if age < YOUNG || asset.is_overdue(now) || into_the_hour < EVERY {
        Turn::Now
    } else {
        Turn::IfThereIsTime
    }
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
