//! The daily comparison (S0-112): Mux's list with our videos, our videos with Mux, links with their
//! videos. It goes on from run to run, with the time that the open videos leave.

use std::collections::HashSet;

use futures::future;
use time::OffsetDateTime;

use super::{
    Findings,
    asking::{AskError, Asking, gone},
    census::{self, Counted},
    model::{Comparison, Phase, REMEMBERED},
    playback, restored,
};
use crate::{
    app::Parts,
    assets::{self, Asset, AssetError, Pointer, Status},
    events::Event,
    ids::AssetId,
    mux::{AssetStage, Listed, MuxAssetId, MuxError, Subject},
    restores,
    shares::{self, ShareLink},
    store::{Guard, Later, Reads, StoreError, Write, keys},
    telemetry,
};

/// How many of our videos are read at once, and links of one.
const PAGE: u32 = 100;

/// How many of our videos are looked up at once, for a page of Mux's.
const ABREAST: usize = 16;

/// Goes on with the comparison, if one is due. What it found, if it ended now.
pub(super) async fn go_on(asking: &mut Asking<'_>) -> Result<Option<Findings>, StoreError> {
    let app = asking.app;
    let known: Option<Comparison> = app.store.get(&keys::comparison()).await?;
    let (now, restored) = (app.clock.now(), restores::not_compared_since(app).await?);
    let Some(known) = known else {
        let first = Comparison::first(now, restored);
        save(app, first, Guard::Absent).await?;
        return Ok(None);
    };
    let Some(mut comparison) = known.due(now, restored) else {
        return Ok(None);
    };
    // Of what Mux listed in this very run, nobody has to ask again.
    let mut seen = matches!(comparison.phase, Phase::Mux { cursor: None }).then(HashSet::new);
    while asking.may_go_on() {
        let guard = Guard::Version(comparison.version);
        comparison.version += 1;
        match comparison.phase.clone() {
            Phase::Mux { cursor } => {
                let Some(next) = mux_page(
                    asking,
                    &mut comparison,
                    cursor,
                    &mut seen,
                    restored.is_some(),
                )
                .await?
                else {
                    break;
                };
                comparison.phase = next;
            }
            Phase::Here { shard, after } => {
                let next = our_page(asking, &mut comparison, shard, after, seen.as_ref()).await?;
                comparison.phase = next;
            }
            Phase::Done => break,
        }
        if comparison.phase == Phase::Done {
            return end(asking, comparison, guard).await;
        }
        comparison.progressed_at = app.clock.now();
        comparison = save(app, comparison, guard).await?;
    }
    Ok(None)
}

async fn save(app: &Parts, comparison: Comparison, guard: Guard) -> Result<Comparison, StoreError> {
    app.store
        .put(&keys::comparison(), &comparison, guard)
        .await?;
    Ok(comparison)
}

/// When a comparison last ended; `None` before anything was ever compared.
pub fn last_comparison<'a>(reads: &mut Reads) -> Later<'a, Option<OffsetDateTime>> {
    let known = reads.get(keys::comparison());
    known.map(|it: Option<Comparison>| it.map(|it| it.ended_at))
}

async fn end(
    asking: &Asking<'_>,
    mut comparison: Comparison,
    guard: Guard,
) -> Result<Option<Findings>, StoreError> {
    let app = asking.app;
    comparison.ended_at = app.clock.now();
    let found = comparison.findings.clone();
    if found.wants_people() {
        tracing::error!(
            alert = "comparison",
            unknown = found.unknown,
            public = found.public,
            missing = found.missing,
            links_idle = found.links_idle,
            links_uncut = found.links_uncut,
            "mux and the portal differ in what only people can decide"
        );
    }
    let ended = Event::ComparisonEnded {
        found: found.clone(),
    };
    let event = asking.act.write(app, app.config.operators(), ended)?;
    let place = Write::put(keys::comparison(), &comparison, guard)?;
    app.store.commit(vec![place, event]).await?;
    // What could not be compared may be what was taken back: the next comparison vouches for it.
    if found.failed == 0 {
        restores::compared(app, comparison.started_at).await?;
    }
    let (at, counts) = (app.clock.now(), comparison.counts);
    census::keep(app, |it| it.closed = Some(Counted { at, counts })).await;
    tracing::info!(
        at_mux = found.at_mux,
        here = found.here,
        healed = found.healed,
        links_ended = found.links_ended,
        links_withdrawn = found.links_withdrawn,
        failed = found.failed,
        "everything compared with mux"
    );
    Ok(Some(found))
}

/// A page of Mux's list: everything on it should be a video of ours, as we know it. `None`: Mux does
/// not answer now.
async fn mux_page(
    asking: &mut Asking<'_>,
    comparison: &mut Comparison,
    cursor: Option<String>,
    seen: &mut Option<HashSet<MuxAssetId>>,
    restored: bool,
) -> Result<Option<Phase>, StoreError> {
    asking.pace().await;
    let page = match asking.mux("all").list_assets(cursor.as_deref()).await {
        Ok(page) => page,
        Err(error) => {
            tracing::warn!(error = telemetry::chain(&error), "assets not listed");
            asking.limited = true;
            // A cursor that Mux does not take is taken no better the next time.
            let stale = matches!(error, MuxError::Refused { .. } | MuxError::Malformed);
            return Ok((stale && cursor.is_some()).then_some(Phase::Mux { cursor: None }));
        }
    };
    let (app, findings) = (asking.app, &mut comparison.findings);
    if cursor.is_none() {
        *findings = Findings::default();
        comparison.counts.clear();
    }
    let (mut known, mut strays) = (Vec::with_capacity(page.assets.len()), Vec::new());
    for some in page.assets.chunks(ABREAST) {
        let found = some.iter().map(|listed| ours(app, listed));
        known.extend(future::join_all(found).await);
    }
    for (listed, known) in page.assets.iter().zip(known) {
        findings.at_mux += 1;
        let Subject::Asset(told) = &listed.news else {
            continue; // an asset without an id
        };
        let id = told.asset.clone();
        if let Ok(Some(asset)) = &known {
            let verified = playback::verify(app, asset, listed).await;
            match verified {
                Ok(verified) => strays.extend(verified.note(findings, &id)),
                Err(error) => note(findings, &error.into()),
            }
            if restored && !asset.is_deleted() {
                match restored::take_back(asking, asset, &id, listed).await {
                    Ok(taken) => findings.links_withdrawn += taken,
                    Err(error) => note(findings, &error),
                }
            }
            findings.ours_at_mux += 1;
            if asset.is_deleted() && told.stage != AssetStage::Deleted {
                findings.undeleted += 1;
                findings.example("undeleted", id.as_str());
            }
        }
        match compared(asking, listed, known).await {
            Ok(Known::Healed) => findings.healed += 1,
            Ok(Known::Same) => {}
            Ok(Known::Unknown) => {
                findings.unknown += 1;
                findings.example("unknown", id.as_str());
                continue;
            }
            Err(error) => note(findings, &error),
        }
        if listed.public {
            findings.public += 1;
            findings.example("public", id.as_str());
        }
        if let Some(seen) = seen {
            seen.insert(id);
        }
    }
    playback::discard(asking, comparison, strays).await;
    Ok(Some(match page.next {
        Some(next) => Phase::Mux { cursor: Some(next) },
        None => Phase::Here {
            shard: 0,
            after: None,
        },
    }))
}

enum Known {
    Unknown,
    Same,
    Healed,
}

async fn compared(
    asking: &Asking<'_>,
    listed: &Listed,
    known: Result<Option<Asset>, StoreError>,
) -> Result<Known, AskError> {
    let Some(asset) = known.map_err(AssetError::from)? else {
        return Ok(Known::Unknown);
    };
    if asset.lifecycle.knows(&listed.news) {
        return Ok(Known::Same);
    }
    asking
        .learn(&asset, std::slice::from_ref(&listed.news))
        .await?;
    Ok(Known::Healed)
}

/// The video that an asset of Mux belongs to: by the id that it carries, else by its own.
pub(super) async fn ours(app: &Parts, listed: &Listed) -> Result<Option<Asset>, StoreError> {
    if let Some(ours) = listed.ours {
        let asset: Option<Asset> = app.store.get(&keys::asset(ours)).await?;
        if asset.is_some() {
            return Ok(asset);
        }
    }
    let Subject::Asset(told) = &listed.news else {
        return Ok(None);
    };
    let pointer: Option<Pointer> = app
        .store
        .get(&keys::mux_pointer(told.asset.as_str()))
        .await?;
    match pointer {
        Some(pointer) => app.store.get(&keys::asset(pointer.asset)).await,
        None => Ok(None),
    }
}

pub(super) fn note(findings: &mut Findings, error: &AskError) {
    findings.failed += 1;
    tracing::warn!(error = telemetry::chain(error), "video not compared");
}

/// A page of one of our lists. Where to go on: after the last video that there was time for.
async fn our_page(
    asking: &mut Asking<'_>,
    comparison: &mut Comparison,
    shard: u8,
    after: Option<AssetId>,
    seen: Option<&HashSet<MuxAssetId>>,
) -> Result<Phase, StoreError> {
    let app = asking.app;
    // Only where it stands in this list matters, not whether it still does.
    let start = after.map(|id| keys::closed_asset(keys::asset(id), id));
    let listing = keys::closed_assets(shard);
    let page = app
        .store
        .list::<Asset>(&listing, start.as_ref(), PAGE)
        .await?;
    let mut last = after;
    for asset in &page.items {
        if !asking.may_go_on() {
            return Ok(Phase::Here { shard, after: last });
        }
        *comparison
            .counts
            .entry(asset.status(app.clock.now()))
            .or_default() += 1;
        let findings = &mut comparison.findings;
        findings.here += 1;
        if let Some(way) = asset.closed_by {
            *findings.closed_by.entry(way).or_default() += 1;
        }
        if let Err(error) = settle(asking, comparison, asset, seen).await {
            asking.limited = error.is_limit();
            note(&mut comparison.findings, &error);
        }
        last = Some(asset.id);
    }
    Ok(match (page.more, shard + 1) {
        (true, _) => Phase::Here { shard, after: last },
        (false, keys::CLOSED_SHARDS..) => Phase::Done,
        (false, shard) => Phase::Here { shard, after: None },
    })
}

/// Compares one video of ours: with Mux, and with its links.
async fn settle(
    asking: &Asking<'_>,
    comparison: &mut Comparison,
    asset: &Asset,
    seen: Option<&HashSet<MuxAssetId>>,
) -> Result<(), AskError> {
    let (app, mut asset) = (asking.app, asset.clone());
    if !asset.is_deleted() {
        let mut news = Vec::new();
        for id in asset.lifecycle.living_assets() {
            if seen.is_some_and(|seen| seen.contains(id)) {
                continue;
            }
            match asking.asset(id).await? {
                Some(told) => news.push(told),
                None if is_gone(asking, comparison, &asset).await? => news.push(gone(id.clone())),
                None => miss(comparison, asset.id),
            }
        }
        if news.iter().any(|it| !asset.lifecycle.knows(it)) {
            asset = asking.learn(&asset, &news).await?;
            comparison.findings.healed += 1;
        }
    }
    let findings = &mut comparison.findings;
    match asset.status(app.clock.now()) {
        Status::Deleted => {
            findings.links_ended += end_links(asking, &asset).await?;
            let rest = |asset: &mut Asset| {
                asset.at_rest = asset.is_deleted();
                Ok(None)
            };
            assets::update(app, asset.tenant, asset.id, &asking.act, rest).await?;
        }
        Status::Failed | Status::Cancelled | Status::Expired => {
            let links = links(app, &asset).await?;
            let idle = links.iter().filter(|it| it.check(app.clock.now()).is_ok());
            findings.links_idle += u32::try_from(idle.count()).unwrap_or(u32::MAX);
        }
        Status::Ready | Status::AwaitingUpload | Status::Processing => {}
    }
    Ok(())
}

/// Whether to believe that Mux does not have a video any more: it was missing the last time too, and
/// Mux knows others of ours, or its upload.
async fn is_gone(
    asking: &Asking<'_>,
    comparison: &Comparison,
    asset: &Asset,
) -> Result<bool, AskError> {
    if !comparison.suspects.contains(&asset.id) {
        return Ok(false);
    }
    Ok(comparison.findings.ours_at_mux > 0 || asking.knows_an_upload(asset).await?)
}

fn miss(comparison: &mut Comparison, asset: AssetId) {
    comparison.findings.missing += 1;
    comparison.findings.example("missing", &asset.to_string());
    if comparison.findings.missing <= REMEMBERED {
        comparison.missing.insert(asset);
    }
}

/// Ends all links of a video that is gone; how many that were.
async fn end_links(asking: &Asking<'_>, asset: &Asset) -> Result<u32, AskError> {
    let mut ended = 0;
    for link in &links(asking.app, asset).await? {
        let done = shares::end(asking.app, &asking.act, link, asset.id).await;
        ended += u32::from(done.map_err(AssetError::from)?);
    }
    Ok(ended)
}

async fn links(app: &Parts, asset: &Asset) -> Result<Vec<ShareLink>, AskError> {
    Ok(shares::all_of_asset(app, asset.tenant, asset.id).await?)
}
