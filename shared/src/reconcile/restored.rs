//! Links of a table that was restored: one whose playback id Mux has no more was taken back after the
//! backup, and is taken back again.

use super::asking::{AskError, Asking};
use crate::{
    assets::Asset,
    mux::{Listed, MuxAssetId, PlaybackId},
    shares,
};

/// Takes back the links of a video that play by playback ids which are gone; how many that were.
pub(super) async fn take_back(
    asking: &Asking<'_>,
    asset: &Asset,
    mux_asset: &MuxAssetId,
    listed: &Listed,
) -> Result<u32, AskError> {
    let (app, mut taken) = (asking.app, 0);
    let links = shares::all_of_asset(app, asset.tenant, asset.id).await?;
    let now = app.clock.now();
    for link in links.iter().filter(|it| it.check(now).is_ok()) {
        let own = link.own(mux_asset);
        let Some(id) = own.filter(|id| !listed.signed.contains(id)) else {
            continue;
        };
        // The list may be older than the playback id: what is asked for after the link was read is not.
        if is_there(asking, mux_asset, id).await? {
            continue;
        }
        taken += u32::from(shares::withdraw(app, &asking.act, link.id, id).await?);
    }
    Ok(taken)
}

/// Whether Mux has it. Of an asset that Mux does not show, nothing is believed.
async fn is_there(
    asking: &Asking<'_>,
    asset: &MuxAssetId,
    id: &PlaybackId,
) -> Result<bool, AskError> {
    asking.pace().await;
    let ids = asking.mux(asset.as_str()).playback_ids(asset).await?;
    Ok(ids.is_none_or(|ids| ids.iter().any(|(it, _)| it == id)))
}
