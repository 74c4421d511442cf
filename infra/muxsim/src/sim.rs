//! The stand-in as a whole: its state, its work, its router.

use std::{
    collections::HashSet,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::Router;
use time::OffsetDateTime;
use tokio::sync::{Notify, broadcast};
use tokio_util::sync::CancellationToken;

use crate::{
    api, delivery, ingest, jobs,
    limits::Allowance,
    options::Options,
    signed::PathSigner,
    state::{Kind, State, StateError},
    webhooks::{self, Delivered},
};

/// How many deliveries a slow watcher may lag behind before it misses some.
const WATCHERS: usize = 1024;

/// How long to look away when nothing is due and nobody rings.
const IDLE: Duration = Duration::from_mins(1);

/// The least time between two looks at what is due.
const BREATH: Duration = Duration::from_millis(20);

/// Mux, for one environment. Cheap to clone.
#[derive(Clone)]
pub struct Sim(Arc<Inner>);

struct Inner {
    options: Options,
    state: State,
    paths: PathSigner,
    allowance: Allowance,
    http: reqwest::Client,
    /// Rings when there may be something to process.
    files: Notify,
    /// Rings when there may be something to deliver.
    events: Notify,
    /// Uploads that somebody is sending to right now.
    receiving: Mutex<HashSet<String>>,
    watchers: broadcast::Sender<Delivered>,
}

/// The stand-in does not start.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the folder of the stand-in cannot be used")]
    Folder(#[from] std::io::Error),
    #[error("the state of the stand-in cannot be read")]
    State(#[from] StateError),
    #[error("an http client could not be made")]
    Http(#[from] reqwest::Error),
    #[error("the stand-in has no secret to sign addresses with")]
    Secret,
}

impl Sim {
    /// Opens the folder, and everything that is in it from before.
    pub fn open(options: Options) -> Result<Self, OpenError> {
        for folder in ["uploads", "media"] {
            std::fs::create_dir_all(options.folder.join(folder))?;
        }
        let state = State::open(&options.folder.join("mux.sqlite"))?;
        let secret: [u8; 32] = state.step(|step| {
            if let Some(secret) = step.get(Kind::Secret, "paths")? {
                return Ok(secret);
            }
            let secret: [u8; 32] = rand::random();
            step.put(Kind::Secret, "paths", &secret)?;
            Ok::<_, StateError>(secret)
        })?;
        Ok(Self(Arc::new(Inner {
            state,
            allowance: Allowance::default(),
            paths: PathSigner::new(&secret).ok_or(OpenError::Secret)?,
            http: reqwest::Client::builder()
                .redirect(reqwest::redirect::Policy::none())
                .build()?,
            files: Notify::new(),
            events: Notify::new(),
            receiving: Mutex::default(),
            watchers: broadcast::channel(WATCHERS).0,
            options,
        })))
    }

    /// Everything that can be asked of Mux, below the public address: the API at `/video/v1`, files
    /// at `/storage`, what viewers fetch at `/stream`.
    pub fn router(&self) -> Router {
        Router::new()
            .merge(api::router(self))
            .merge(ingest::router())
            .merge(delivery::router())
            .with_state(self.clone())
    }

    /// Processes files and delivers webhooks until it is told to stop. Without this, a test does so
    /// itself with [`Sim::process`] and [`Sim::deliver`].
    pub async fn run(&self, stop: CancellationToken) {
        // Apart from each other: a long video holds no webhook up, a silent endpoint no video.
        let work = async { tokio::join!(self.keep_processing(), self.keep_delivering()) };
        tokio::select! {
            _ = work => {}
            () = stop.cancelled() => {}
        }
    }

    async fn keep_processing(&self) {
        loop {
            if let Err(error) = self.process().await {
                tracing::error!(error, "files could not be processed");
            }
            let _ = tokio::time::timeout(IDLE, self.0.files.notified()).await;
        }
    }

    async fn keep_delivering(&self) {
        loop {
            if let Err(error) = self.deliver().await {
                tracing::error!(%error, "webhooks could not be delivered");
            }
            let next = webhooks::next_due(self).ok().flatten().unwrap_or(IDLE);
            let pause = next.clamp(BREATH, IDLE);
            let _ = tokio::time::timeout(pause, self.0.events.notified()).await;
        }
    }

    /// Makes videos of all files that have arrived. Says how many.
    pub async fn process(&self) -> Result<usize, String> {
        jobs::process_all(self)
            .await
            .map_err(|error| error.to_string())
    }

    /// Tries every webhook that is due. Says how many.
    pub async fn deliver(&self) -> Result<usize, StateError> {
        webhooks::deliver_due(self).await
    }

    /// How many webhooks have not been taken yet.
    pub fn pending(&self) -> Result<usize, StateError> {
        Ok(self
            .0
            .state
            .all::<crate::documents::Delivery>(Kind::Delivery)?
            .len())
    }

    /// Every attempt to deliver a webhook from now on.
    pub fn watch(&self) -> broadcast::Receiver<Delivered> {
        self.0.watchers.subscribe()
    }

    pub(crate) fn options(&self) -> &Options {
        &self.0.options
    }

    pub(crate) fn state(&self) -> &State {
        &self.0.state
    }

    pub(crate) fn paths(&self) -> &PathSigner {
        &self.0.paths
    }

    pub(crate) fn allowance(&self) -> &Allowance {
        &self.0.allowance
    }

    pub(crate) fn http(&self) -> &reqwest::Client {
        &self.0.http
    }

    pub(crate) fn now(&self) -> OffsetDateTime {
        (self.0.options.clock)()
    }

    pub(crate) fn ring(&self) {
        self.0.files.notify_one();
        self.0.events.notify_one();
    }

    /// Nobody watching is fine.
    pub(crate) fn tell(&self, delivered: Delivered) {
        let _ = self.0.watchers.send(delivered);
    }

    /// The file that an upload is collected in, and an asset is made of.
    pub(crate) fn upload_file(&self, upload: &str) -> PathBuf {
        self.0.options.folder.join("uploads").join(upload)
    }

    /// The folder of an asset's renditions.
    pub(crate) fn media_folder(&self, asset: &str) -> PathBuf {
        self.0.options.folder.join("media").join(asset)
    }

    /// Keeps a second sender away from an upload while the first one is at it.
    pub(crate) fn receive(&self, upload: &str) -> Option<Receiving> {
        let mut busy = self
            .0
            .receiving
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        busy.insert(upload.to_owned()).then(|| Receiving {
            sim: self.clone(),
            upload: upload.to_owned(),
        })
    }
}

/// The right to write an upload's file; given back when dropped, also when the sender goes away.
pub(crate) struct Receiving {
    sim: Sim,
    upload: String,
}

impl Drop for Receiving {
    fn drop(&mut self) {
        let mut busy = self
            .sim
            .0
            .receiving
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        busy.remove(&self.upload);
    }
}
