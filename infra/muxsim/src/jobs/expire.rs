//! What goes: assets that are deleted, test assets after a day, masters after a day.

use time::Duration;

use crate::{
    documents::{Asset, Deleted, Master, Upload, UploadStatus},
    events,
    sim::Sim,
    state::{Kind, StateError, Step},
};

/// How long a test asset lives (mux.com/docs: "deleted after 24 hours").
const TEST_LIFE: Duration = Duration::hours(24);

/// Lets go what has had its time.
pub(super) fn expire(sim: &Sim) -> Result<(), StateError> {
    let now = sim.now().unix_timestamp();
    let (gone, told) = sim.state().step(|step| {
        let (mut gone, mut told) = (Vec::new(), false);
        for (id, mut asset) in step.all::<Asset>(Kind::Asset)? {
            if asset.test && asset.created_at + TEST_LIFE.whole_seconds() <= now {
                remove(sim, step, &asset)?;
                gone.push(asset);
                continue;
            }
            if matches!(asset.master, Some(Master::Ready { until, .. }) if until <= now) {
                asset.master = None;
                step.put(Kind::Asset, &id, &asset)?;
                events::of_asset(sim, step, "master.deleted", &asset)?;
                told = true;
            }
        }
        Ok::<_, StateError>((gone, told))
    })?;
    if told || !gone.is_empty() {
        sim.ring();
    }
    for asset in &gone {
        sim.watches().cancel(&asset.id);
        remove_files(sim, asset);
    }
    forget_uploads(sim)
}

/// What was sent to an upload that will never be an asset is kept by nobody.
fn forget_uploads(sim: &Sim) -> Result<(), StateError> {
    let over = |upload: &Upload| {
        let ends = [UploadStatus::Cancelled, UploadStatus::TimedOut];
        ends.contains(&upload.status(sim.now()))
    };
    for (id, upload) in sim.state().all::<Upload>(Kind::Upload)? {
        let file = sim.upload_file(&id);
        if !over(&upload) || !file.exists() {
            continue;
        }
        // Somebody who is still sending keeps it open: it goes the next time. Somebody who was may
        // just have finished it, so it is looked at again.
        let Some(_nobody_else) = sim.receivers().begin(&id) else {
            continue;
        };
        if sim
            .state()
            .get(Kind::Upload, &id)?
            .is_some_and(|it| over(&it))
        {
            let _ = std::fs::remove_file(file);
        }
    }
    Ok(())
}

/// Takes an asset and its playback ids away, and tells of it.
pub(crate) fn remove(sim: &Sim, step: &Step<'_>, asset: &Asset) -> Result<(), StateError> {
    step.delete(Kind::Asset, &asset.id)?;
    for playback in &asset.playback_ids {
        step.delete(Kind::Playback, &playback.id)?;
    }
    let deleted = Deleted {
        asset: asset.clone(),
        at: sim.now().unix_timestamp(),
    };
    step.put(Kind::DeletedAsset, &asset.id, &deleted)?;
    events::of_asset(sim, step, "deleted", asset)
}

/// Removes the files of an asset whose row is gone, so that nobody is led to them any more. What
/// stays behind costs only space.
pub(crate) fn remove_files(sim: &Sim, asset: &Asset) {
    let _ = std::fs::remove_dir_all(sim.media_folder(&asset.id));
    let _ = std::fs::remove_dir_all(sim.extras_folder(&asset.id));
    let _ = std::fs::remove_file(sim.upload_file(asset.source()));
}
