//! Whose playback ids Mux has (S0-081): none may be left of a link that is over, and none may be
//! anybody's who knows it. Once a day as a part of the comparison, and whenever an operator asks.

use std::collections::BTreeSet;

use serde::Serialize;
use sha2::{Digest, Sha256};
use time::{Duration, OffsetDateTime};

use super::{
    Findings,
    asking::{AskError, Asking},
    compare::{note, ours},
    model::Comparison,
};
use crate::{
    app::Parts,
    assets::{Asset, AssetError},
    mux::{Listed, MuxAssetId, MuxError, PlaybackId, Subject},
    shares::{self, ShareError, ShareLink},
};

/// How many playback ids that belong to nobody are remembered.
const STRAYS: usize = 1_000;

/// By when what a link gave out must be worth nothing (S0-062).
const IN_TIME: Duration = Duration::minutes(15);

/// What is wrong with the playback ids of one asset.
#[derive(Debug, Default)]
pub(super) struct Verified {
    /// Links that have been over for too long, and whose playback id is still there.
    pub uncut: u32,
    /// Signed playback ids that belong to no link and are not the video's own.
    pub stray: Vec<PlaybackId>,
}

/// Compares the playback ids that Mux lists for an asset with those that the links of its video have.
pub(super) async fn verify(
    app: &Parts,
    asset: &Asset,
    listed: &Listed,
) -> Result<Verified, ShareError> {
    let mut verified = Verified::default();
    let known = asset.lifecycle.playback_ids();
    let known: BTreeSet<&PlaybackId> = known.collect();
    let others: Vec<&PlaybackId> = listed
        .signed
        .iter()
        .filter(|it| !known.contains(it))
        .collect();
    if others.is_empty() {
        return Ok(verified);
    }
    let links = shares::all_of_asset(app, asset.tenant, asset.id).await?;
    let now = app.clock.now();
    for id in others {
        match links.iter().find(|it| it.plays_by(id)) {
            None => verified.stray.push(id.clone()),
            Some(link) if is_overdue(link, now) => verified.uncut += 1,
            Some(_) => {}
        }
    }
    Ok(verified)
}

fn is_overdue(link: &ShareLink, now: OffsetDateTime) -> bool {
    link.check(now).is_err() && link.over_at() + IN_TIME <= now
}

impl Verified {
    /// Notes what is wrong; the playback ids that belong to nobody, with their asset.
    pub(super) fn note(
        self,
        findings: &mut Findings,
        asset: &MuxAssetId,
    ) -> Vec<(MuxAssetId, PlaybackId)> {
        findings.links_uncut += self.uncut;
        if self.uncut > 0 {
            findings.example("uncut", asset.as_str());
        }
        let strays = self.stray.into_iter();
        strays.map(|id| (asset.clone(), id)).collect()
    }
}

/// Deletes playback ids that belong to nobody for the second time: the first time, a viewer's opening
/// may just have had one made.
pub(super) async fn discard(
    asking: &mut Asking<'_>,
    comparison: &mut Comparison,
    strays: Vec<(MuxAssetId, PlaybackId)>,
) {
    for (asset, id) in strays {
        comparison.findings.stray += 1;
        let digest = digest(&id);
        if !comparison.strays.contains(&digest) {
            if comparison.stray.len() < STRAYS {
                comparison.stray.insert(digest);
            }
            continue;
        }
        if !asking.may_go_on() {
            continue; // the next comparison finds it again
        }
        asking.pace().await;
        if let Err(error) = asking
            .mux(asset.as_str())
            .delete_playback_id(&asset, &id)
            .await
        {
            asking.limited = error.is_limit();
            note(&mut comparison.findings, &error.into());
        }
    }
}

/// What is remembered of a playback id from one comparison to the next.
fn digest(id: &PlaybackId) -> String {
    hex::encode(&Sha256::digest(id.as_str())[..16])
}

/// What a look at a page of Mux's assets found. Nothing is changed by looking.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Look {
    pub checked: u32,
    /// Assets of ours that anybody can watch who knows a playback id.
    pub public: u32,
    pub uncut: u32,
    pub stray: u32,
    /// The assets of Mux that something is wrong with.
    pub examples: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// How long an operator waits for Mux.
const PATIENCE: Duration = Duration::seconds(20);

/// Why nobody could look.
#[derive(Debug, thiserror::Error)]
pub(super) enum LookError {
    #[error("mux did not list its assets")]
    Mux(#[from] MuxError),
    #[error("videos or links could not be read")]
    Ask(#[from] AskError),
}

/// Looks at a page of Mux's assets.
pub(super) async fn look(app: &Parts, cursor: Option<&str>) -> Result<Look, LookError> {
    let page = app.mux(PATIENCE, "all").list_assets(cursor).await?;
    let mut look = Look {
        next_cursor: page.next,
        ..Look::default()
    };
    for listed in &page.assets {
        let Subject::Asset(told) = &listed.news else {
            continue;
        };
        let found = ours(app, listed).await.map_err(AssetError::from);
        let Some(asset) = found.map_err(AskError::from)? else {
            continue; // another system's: nobody here gives out what it has
        };
        look.checked += 1;
        let verified = verify(app, &asset, listed).await.map_err(AskError::from)?;
        let stray = u32::try_from(verified.stray.len()).unwrap_or(u32::MAX);
        look.public += u32::from(listed.public);
        look.uncut += verified.uncut;
        look.stray += stray;
        if listed.public || verified.uncut + stray > 0 {
            look.examples.push(told.asset.as_str().to_owned());
        }
    }
    Ok(look)
}
