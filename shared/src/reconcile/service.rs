//! A run: first every video that something is still expected of, then, with the time that is left and
//! once a day, everything else.

use time::{Duration, OffsetDateTime};

use super::{
    Pass,
    asking::Asking,
    census::{self, Counted, Counts},
    compare,
    model::Turn,
};
use crate::{
    alerts,
    app::Parts,
    assets::{Asset, Status},
    ids::RunId,
    jobs::{self, Job},
    store::{StoreError, keys},
    telemetry,
};

/// How long one run asks. Vercel lets a function run for a minute, and two calls may be under way.
const BUDGET: Duration = Duration::seconds(40);

/// What of it is left for those whose upload was never heard of, and for the comparison: they come last.
const FOR_UNHEARD: Duration = Duration::seconds(10);
const FOR_COMPARISON: Duration = Duration::seconds(8);

/// How long a run may take before another one may begin.
const LEASE: Duration = Duration::minutes(2);

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

/// How many pages of Mux's uploads are searched for one that was never heard of: an upload is among
/// the newest three hundred, or its answer was lost long ago.
const UPLOAD_PAGES: u32 = 3;

/// A run did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    #[error("the open videos or the lease could not be read or written")]
    Store(#[from] StoreError),
}

/// Asks about everything that is due. `None`: another run is at it.
pub async fn reconcile(app: &Parts) -> Result<Option<Pass>, ReconcileError> {
    let work = async |id| Box::pin(run(app, id)).await;
    let done = jobs::alone(app, Job::Reconcile, LEASE, work).await;
    Box::pin(alerts::watch(app, Job::Reconcile)).await;
    done
}

async fn run(app: &Parts, id: RunId) -> Result<Pass, ReconcileError> {
    let mut asking = Asking::new(app, id, BUDGET);
    let mut pass = Pass::default();
    let (mut after, mut rest): (Option<Asset>, Vec<Asset>) = (None, Vec::new());
    let (mut unheard, mut counts) = (Vec::new(), Counts::new());
    let mut counted = None;
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
            pass.open += 1;
            let status = asset.status(app.clock.now());
            if !status.is_final() {
                *counts.entry(status).or_default() += 1; // the others are about to be closed
            }
            match turn(asset, app.clock.now()) {
                Turn::NotYet => {}
                _ if asset.lifecycle.mux_ids().next().is_none() => unheard.push(asset.clone()),
                Turn::Now => about(&mut asking, &mut pass, asset, FOR_UNHEARD).await,
                Turn::IfThereIsTime if rest.len() < REST => rest.push(asset.clone()),
                Turn::IfThereIsTime => {}
            }
        }
        after = page.items.into_iter().next_back().filter(|_| page.more);
        if after.is_none() {
            let at = app.clock.now();
            counted = Some(Counted { at, counts });
            break;
        }
        if !asking.may_leave(FOR_UNHEARD) {
            break;
        }
    }
    find_uploads(&mut asking, &mut pass, unheard).await;
    for asset in &rest {
        about(&mut asking, &mut pass, asset, FOR_COMPARISON).await;
    }
    let missed = pass.missed;
    census::keep(app, |census| {
        census.missed = missed;
        census.open = counted.or(census.open.take());
    })
    .await;
    match compare::go_on(&mut asking).await {
        Ok(found) => pass.compared = found,
        // The open videos were seen to; that the comparison is late has an alert of its own.
        Err(error) => tracing::error!(error = telemetry::chain(&error), "nothing was compared"),
    }
    tracing::info!(
        job = Job::Reconcile.name(),
        open = pass.open,
        asked = pass.asked,
        closed = pass.closed,
        failed = pass.failed,
        missed = pass.missed,
        "open videos reconciled"
    );
    Ok(pass)
}

/// Asks about a video, if there is time. Each fails alone: it is asked about again.
async fn about(asking: &mut Asking<'_>, pass: &mut Pass, asset: &Asset, leaving: Duration) {
    if !asking.may_leave(leaving) {
        return;
    }
    pass.asked += 1;
    match Box::pin(asking.traced(asset)).await {
        Ok(after) => {
            pass.closed += u32::from(!after.is_open());
            pass.missed += u32::from(further(asset, &after, asking.app.clock.now()));
        }
        Err(error) => {
            pass.failed += 1;
            asking.limited = error.is_limit();
            tracing::warn!(
                alert = error.is_doubt().then_some("video-unknown-at-mux"),
                asset.id = %asset.id,
                error = telemetry::chain(&error),
                "video not reconciled"
            );
        }
    }
}

/// Whether Mux had done something about a video of which no webhook had told.
fn further(before: &Asset, after: &Asset, now: OffsetDateTime) -> bool {
    let status = after.status(now);
    let told = matches!(status, Status::Processing | Status::Ready | Status::Failed);
    told && status != before.status(now)
}

/// Videos for which Mux was asked for an upload, and its answer was lost: Mux's own list says whether
/// there is one, by the id that it was given to carry.
async fn find_uploads(asking: &mut Asking<'_>, pass: &mut Pass, unheard: Vec<Asset>) {
    let now = asking.app.clock.now();
    let (over, mut unheard): (Vec<Asset>, Vec<Asset>) =
        unheard.into_iter().partition(|it| it.is_overdue(now));
    // Their time is over, and to say so no call is needed.
    for asset in &over {
        about(asking, pass, asset, Duration::ZERO).await;
    }
    for page in 1..=UPLOAD_PAGES {
        if unheard.is_empty() || !asking.may_go_on() {
            return;
        }
        asking.pace().await;
        let uploads = match asking.mux("all").list_uploads(page).await {
            Ok(uploads) => uploads,
            Err(error) => {
                pass.failed += 1;
                asking.limited = error.is_limit();
                tracing::warn!(error = telemetry::chain(&error), "uploads not listed");
                return;
            }
        };
        let last = uploads.is_empty();
        for upload in uploads {
            let ours = unheard.iter().position(|it| Some(it.id) == upload.ours);
            let Some(place) = ours else { continue };
            let asset = unheard.swap_remove(place);
            pass.asked += 1;
            match asking.learn(&asset, &[upload.news]).await {
                Ok(after) => pass.closed += u32::from(!after.is_open()),
                Err(error) => {
                    pass.failed += 1;
                    tracing::warn!(
                        asset.id = %asset.id,
                        error = telemetry::chain(&error),
                        "upload found and not kept"
                    );
                }
            }
        }
        if last {
            return;
        }
    }
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
