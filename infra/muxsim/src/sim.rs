//! The stand-in as a whole: its state, its work, its router.

use std::{
    panic::AssertUnwindSafe,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use axum::Router;
use futures::FutureExt;
use time::OffsetDateTime;
use tokio::sync::{Notify, Semaphore, broadcast, watch};
use tokio_util::sync::CancellationToken;

use crate::{
    api, control, delivery,
    documents::Delivery,
    endpoints,
    error::causes,
    faults::{Dice, Faults, Mishap},
    ids::Ids,
    ingest, jobs,
    keys::PublicKey,
    limits::Allowance,
    options::Options,
    signed::PathSigner,
    state::{Kind, State, StateError},
    status::{self, Status},
    underway::{Receivers, Watches},
    usage,
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
    ids: Ids,
    paths: PathSigner,
    allowance: Allowance,
    dice: Dice,
    status: Mutex<Status>,
    /// How far the stand-in's time is ahead of the world's, in milliseconds.
    ahead: AtomicI64,
    http: reqwest::Client,
    /// Rings when there may be something to process.
    files: Notify,
    /// Rings when there may be something to deliver.
    events: Notify,
    /// Turns for those who make pictures.
    pictures: Semaphore,
    receivers: Receivers,
    watches: Watches,
    /// Held by whoever processes, or delivers: nothing is done twice at once.
    processing: tokio::sync::Mutex<()>,
    delivering: tokio::sync::Mutex<()>,
    advancing: tokio::sync::Mutex<()>,
    watchers: broadcast::Sender<Delivered>,
    /// Rings for everybody who follows the events.
    followers: watch::Sender<()>,
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
        for folder in ["uploads", "media", "extras"] {
            std::fs::create_dir_all(options.folder.join(folder))?;
        }
        let state = State::open(&options.folder.join("mux.sqlite"))?;
        let ids = Ids::new(options.seed);
        let (secret, ahead) = state.step(|step| {
            let now = (options.clock)().unix_timestamp();
            endpoints::adopt(step, &options, now)?;
            for key in &options.signing_keys {
                step.put(Kind::SigningKey, &key.id, &PublicKey::of(key, now))?;
            }
            let ahead: Option<i64> = step.get(Kind::Own, AHEAD)?;
            if let Some(secret) = step.get::<[u8; 32]>(Kind::Own, "paths")? {
                return Ok((secret, ahead));
            }
            let secret = ids.secret();
            step.put(Kind::Own, "paths", &secret)?;
            Ok::<_, StateError>((secret, ahead))
        })?;
        Ok(Self(Arc::new(Inner {
            state,
            ids,
            allowance: Allowance::default(),
            dice: Dice::new(options.faults.clone()),
            status: Mutex::default(),
            ahead: ahead.unwrap_or(0).into(),
            paths: PathSigner::new(&secret).ok_or(OpenError::Secret)?,
            http: reqwest::Client::builder()
                .redirect(reqwest::redirect::Policy::none())
                .no_proxy()
                .build()?,
            files: Notify::new(),
            events: Notify::new(),
            pictures: Semaphore::new(options.workers.max(1)),
            receivers: Receivers::default(),
            watches: Watches::default(),
            processing: tokio::sync::Mutex::default(),
            delivering: tokio::sync::Mutex::default(),
            advancing: tokio::sync::Mutex::default(),
            watchers: broadcast::channel(WATCHERS).0,
            followers: watch::channel(()).0,
            options,
        })))
    }

    /// Everything that can be asked of Mux, below the public address: the API at `/video/v1` and
    /// `/system/v1`, files at `/storage`, what viewers fetch at `/stream` and `/image`, or at the
    /// root, where Mux's SDK looks for it when it has one base address. `/_muxsim` is our own.
    pub fn router(&self) -> Router {
        Router::new()
            .merge(api::router(self))
            .merge(control::router())
            .merge(status::router())
            .merge(ingest::router())
            .merge(delivery::router())
            .fallback(api::unknown)
            .method_not_allowed_fallback(api::unknown)
            .with_state(self.clone())
    }

    /// Processes files and delivers webhooks until it is told to stop. Without this, a test does so
    /// itself with [`Sim::process`] and [`Sim::deliver`].
    pub async fn run(&self, stop: CancellationToken) {
        // Apart from each other: a long video holds no webhook up, a silent endpoint no video.
        let work = async { tokio::join!(self.keep_processing(), self.keep_delivering()) };
        tokio::select! {
            _ = work => {}
            () = stop.cancelled() => self.0.watches.cancel_all(),
        }
    }

    async fn keep_processing(&self) {
        loop {
            if let Err(error) = survived(self.process(), 0).await {
                tracing::error!(error = causes(&error), "files could not be processed");
            }
            let _ = tokio::time::timeout(IDLE, self.0.files.notified()).await;
        }
    }

    async fn keep_delivering(&self) {
        loop {
            if let Err(error) = survived(self.deliver(), 0).await {
                tracing::error!(error = causes(&error), "webhooks could not be delivered");
            }
            let next = webhooks::next_at(self).ok().flatten();
            let next = next.map_or(IDLE, |at| {
                Duration::from_millis(u64::try_from(at - millis(self.now())).unwrap_or(0))
            });
            let pause = next.clamp(BREATH, IDLE);
            let _ = tokio::time::timeout(pause, self.0.events.notified()).await;
        }
    }

    /// Makes videos of all files that have arrived, and all that was asked for besides. Says of how
    /// many things.
    pub async fn process(&self) -> Result<usize, StateError> {
        let _alone = self.0.processing.lock().await;
        jobs::process_all(self).await
    }

    /// Tries every webhook that is due. Says how many.
    pub async fn deliver(&self) -> Result<usize, StateError> {
        let _alone = self.0.delivering.lock().await;
        webhooks::deliver_due(self).await
    }

    /// How many webhooks have not been taken yet.
    pub fn pending(&self) -> Result<usize, StateError> {
        Ok(self.0.state.all::<Delivery>(Kind::Delivery)?.len())
    }

    /// Lets time pass: the retries that fall into it are made, each at its time. Says what time it
    /// is then.
    pub async fn advance(&self, by: time::Duration) -> Result<OffsetDateTime, StateError> {
        let _alone = self.0.advancing.lock().await;
        let goal = (self.ahead() + by).min(FURTHEST);
        while let Some(at) = webhooks::next_at(self)? {
            let ahead = time::Duration::milliseconds(at - millis(self.world()));
            if ahead > goal {
                break;
            }
            self.set_ahead(ahead.max(self.ahead()))?;
            self.deliver().await?;
        }
        self.set_ahead(goal)?;
        self.ring();
        Ok(self.now())
    }

    fn set_ahead(&self, ahead: time::Duration) -> Result<(), StateError> {
        let ahead = i64::try_from(ahead.whole_milliseconds()).unwrap_or(i64::MAX);
        self.0.ahead.store(ahead, Ordering::SeqCst);
        self.0.state.step(|step| step.put(Kind::Own, AHEAD, &ahead))
    }

    /// What goes wrong on purpose from now on.
    pub fn set_faults(&self, faults: Faults) {
        self.0.dice.set(faults);
    }

    /// What the status page says from now on.
    pub fn set_status(&self, status: Status) {
        *self.0.status.lock().unwrap_or_else(PoisonError::into_inner) = status;
    }

    pub(crate) fn status(&self) -> Status {
        let status = self.0.status.lock();
        status.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What has gone wrong on purpose, oldest first.
    pub fn mishaps(&self) -> Result<Vec<Mishap>, StateError> {
        let all: Vec<(String, Mishap)> = self.0.state.all(Kind::Mishap)?;
        Ok(all.into_iter().map(|(_, it)| it).collect())
    }

    /// How many seconds were delivered through a playback id.
    pub fn delivered_seconds(&self, playback: &str) -> Result<f64, StateError> {
        usage::of_playback(self, playback)
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

    pub(crate) fn ids(&self) -> &Ids {
        &self.0.ids
    }

    pub(crate) fn paths(&self) -> &PathSigner {
        &self.0.paths
    }

    pub(crate) fn allowance(&self) -> &Allowance {
        &self.0.allowance
    }

    /// For webhooks: what an endpoint answers is its answer, also when it points elsewhere.
    pub(crate) fn http(&self) -> &reqwest::Client {
        &self.0.http
    }

    pub(crate) fn dice(&self) -> &Dice {
        &self.0.dice
    }

    /// The stand-in's own time.
    pub(crate) fn now(&self) -> OffsetDateTime {
        self.world() + self.ahead()
    }

    /// Everybody else's time.
    pub(crate) fn world(&self) -> OffsetDateTime {
        (self.0.options.clock)()
    }

    pub(crate) fn ahead(&self) -> time::Duration {
        time::Duration::milliseconds(self.0.ahead.load(Ordering::SeqCst))
    }

    pub(crate) fn ring(&self) {
        self.0.files.notify_one();
        self.0.events.notify_one();
        self.0.followers.send_replace(());
    }

    /// Rings whenever there may be a new event.
    pub(crate) fn follow(&self) -> watch::Receiver<()> {
        self.0.followers.subscribe()
    }

    /// Rings when there may be something to deliver.
    pub(crate) async fn news(&self) {
        self.0.events.notified().await;
    }

    pub(crate) async fn work_to_do(&self) {
        self.0.files.notified().await;
    }

    pub(crate) fn pictures(&self) -> &Semaphore {
        &self.0.pictures
    }

    pub(crate) fn receivers(&self) -> &Receivers {
        &self.0.receivers
    }

    pub(crate) fn watches(&self) -> &Watches {
        &self.0.watches
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

    /// The folder of what else an asset was given: static renditions, tracks, pictures.
    pub(crate) fn extras_folder(&self, asset: &str) -> PathBuf {
        self.0.options.folder.join("extras").join(asset)
    }

    /// The file of a text track, in WebVTT.
    pub(crate) fn text_file(&self, asset: &str, track: &str) -> PathBuf {
        self.extras_folder(asset).join(format!("{track}.vtt"))
    }

    /// An absolute address that is good until a time, in Unix seconds.
    pub(crate) fn signed_until(&self, path: &str, until: i64) -> String {
        let signature = self.paths().sign(path, until);
        let base = &self.options().public_url;
        format!("{base}{path}?expires={until}&skid=default&signature={signature}")
    }
}

/// How far ahead the stand-in may be: a calendar ends somewhere.
const FURTHEST: time::Duration = time::Duration::days(100 * 365);

/// Where the time that was let pass is kept.
const AHEAD: &str = "ahead";

/// A panic in one piece of work ends that piece, and is an answer of none.
async fn survived<T, E>(work: impl Future<Output = Result<T, E>>, none: T) -> Result<T, E> {
    let outcome = AssertUnwindSafe(work).catch_unwind().await;
    outcome.unwrap_or_else(|_| {
        tracing::error!("a piece of work panicked; the next one goes on");
        Ok(none)
    })
}

/// Milliseconds since the epoch.
pub(crate) fn millis(at: OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)
}
