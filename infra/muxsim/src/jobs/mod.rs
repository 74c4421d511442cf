//! What is done behind the API: files become assets, tracks and static renditions; what has had its
//! time goes. A few things at once, each of them found again after a crash.

mod asset;
mod begin;
mod expire;
mod extras;

use std::collections::HashSet;

use futures::{StreamExt, stream::FuturesUnordered};

pub(crate) use self::{
    asset::playback_id,
    begin::{arrived, begin, by_mp4_support, track},
    expire::{remove, remove_files},
};
use crate::{
    documents::{Asset, AssetStatus, Master, RenditionStatus, TrackStatus},
    sim::Sim,
    state::{Kind, StateError},
};

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Task {
    /// An asset of its file.
    Asset(String),
    /// A track of an asset, of its address.
    Track(String, String),
    /// A static rendition of an asset.
    Rendition(String, String),
    /// The file of an asset, for its owner.
    Master(String),
}

impl Task {
    async fn run(&self, sim: &Sim) -> Result<(), StateError> {
        match self {
            Self::Asset(asset) => asset::process(sim, asset).await,
            Self::Track(asset, track) => extras::track(sim, asset, track).await,
            Self::Rendition(asset, rendition) => extras::rendition(sim, asset, rendition).await,
            Self::Master(asset) => extras::master(sim, asset),
        }
    }
}

/// Everything there is to do, oldest first.
fn open_tasks(sim: &Sim) -> Result<Vec<Task>, StateError> {
    let assets: Vec<(String, Asset)> = sim.state().all(Kind::Asset)?;
    Ok(assets
        .into_iter()
        .flat_map(|(id, asset)| tasks_of(id, &asset))
        .collect())
}

fn tasks_of(id: String, asset: &Asset) -> Vec<Task> {
    match asset.status {
        AssetStatus::Preparing => return vec![Task::Asset(id)],
        AssetStatus::Errored => return Vec::new(),
        AssetStatus::Ready => {}
    }
    let tracks = asset.added_tracks.iter();
    let tracks = tracks.filter(|it| it.status == TrackStatus::Preparing);
    let renditions = asset.static_renditions.iter();
    let renditions = renditions.filter(|it| it.status == RenditionStatus::Preparing);
    let master = matches!(asset.master, Some(Master::Preparing));
    let tracks = tracks.map(|it| Task::Track(id.clone(), it.id.clone()));
    let renditions = renditions.map(|it| Task::Rendition(id.clone(), it.id.clone()));
    let master = master.then(|| Task::Master(id.clone()));
    tracks.chain(renditions).chain(master).collect()
}

/// Does all there is to do, and what comes in meanwhile: also what a crash left. Says how much.
pub(crate) async fn process_all(sim: &Sim) -> Result<usize, StateError> {
    let most = sim.options().workers.max(1);
    let mut running = FuturesUnordered::new();
    let mut busy = HashSet::new();
    let mut done = 0;
    loop {
        expire::expire(sim)?;
        for task in open_tasks(sim)? {
            if running.len() < most && busy.insert(task.clone()) {
                running.push(async move {
                    let outcome = task.run(sim).await;
                    (task, outcome)
                });
            }
        }
        if running.is_empty() {
            return Ok(done);
        }
        tokio::select! {
            Some((task, outcome)) = running.next() => {
                busy.remove(&task);
                outcome?;
                done += 1;
            }
            // Something came in: there may be a worker for it.
            () = sim.work_to_do() => {}
        }
    }
}
