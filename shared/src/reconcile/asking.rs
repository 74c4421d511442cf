//! What is asked of Mux, at Mux's pace, and what becomes of the answers.

use std::fmt::Display;

use time::{Duration, OffsetDateTime};

use crate::{
    app::Parts,
    assets::{self, Asset, AssetError, Ending, Stamp},
    events::Act,
    ids::{self, RunId},
    jobs::Job,
    mux::{AssetNews, AssetStage, Mux, MuxAssetId, MuxError, MuxEventId, Subject},
    shares::ShareError,
    traces::{self, Operation},
};

/// The time between two calls: four a second, where Mux allows five (mux.com/docs/core/make-api-requests)
/// and somebody else may need one.
const PACE: Duration = Duration::milliseconds(250);

/// How long one answer is waited for, with all that is tried again: what a run works and this are less
/// than the minute that Vercel gives it.
const TIME: Duration = Duration::seconds(15);

/// One run's asking.
pub(super) struct Asking<'a> {
    pub(super) app: &'a Parts,
    pub(super) act: Act,
    /// What names the answers of this run among all that was ever told.
    by: MuxEventId,
    until: OffsetDateTime,
    /// Mux has enough to do, or is not asked now: going on would only keep others from it.
    pub(super) limited: bool,
}

/// Why nothing came of asking about one video.
#[derive(Debug, thiserror::Error)]
pub(super) enum AskError {
    #[error("mux was not asked, or did not answer")]
    Mux(#[from] MuxError),
    #[error("what mux answered could not be kept")]
    Asset(#[from] AssetError),
    #[error("the links of the video could not be read")]
    Share(#[from] ShareError),
    #[error(
        "mux knows neither the asset nor its upload: is this the account that they were made in?"
    )]
    Doubtful,
}

impl AskError {
    pub(super) fn is_limit(&self) -> bool {
        matches!(self, Self::Mux(error) if error.is_limit())
    }

    /// Whether a person has to look: it does not pass by itself.
    pub(super) fn is_doubt(&self) -> bool {
        matches!(self, Self::Doubtful)
    }
}

impl<'a> Asking<'a> {
    pub(super) fn new(app: &'a Parts, run: RunId, time: Duration) -> Self {
        Self {
            app,
            act: Act::of_job(Job::Reconcile.name(), run),
            by: MuxEventId::new(format!("reconcile {run}")),
            until: app.clock.now() + time,
            limited: false,
        }
    }

    pub(super) fn may_go_on(&self) -> bool {
        self.may_leave(Duration::ZERO)
    }

    /// Whether there is time, when so much of it is to be left for others.
    pub(super) fn may_leave(&self, time: Duration) -> bool {
        !self.limited && self.app.clock.now() + time < self.until
    }

    /// Mux, for a call that may be tried again.
    pub(super) fn mux(&self, about: impl Display) -> Mux<'a> {
        self.app.mux(TIME, about)
    }

    /// Waits until the next call may be made.
    pub(super) async fn pace(&self) {
        self.app.clock.pause(PACE).await;
    }

    /// The same, in the trace of the video.
    pub(super) async fn traced(&self, asset: &Asset) -> Result<Asset, AskError> {
        let operation = Operation {
            service: Job::Reconcile.name(),
            name: "ask about a video".to_owned(),
            asked: false,
        };
        let named = ids::from_external(self.by.as_str(), &asset.id.to_string());
        let work = async {
            traces::join(asset.trace, asset.created_at);
            traces::note("asset.id", asset.id);
            self.about(asset).await
        };
        traces::part(self.app, operation, named, None, Box::pin(work)).await
    }

    /// Asks Mux for everything it knows of one video, and keeps what is new.
    pub(super) async fn about(&self, asset: &Asset) -> Result<Asset, AskError> {
        let mut news = Vec::new();
        let mut assets: Vec<MuxAssetId> = asset.lifecycle.assets().cloned().collect();
        // Of an upload that became an asset, the asset says the rest.
        for upload in asset.lifecycle.uploads().filter(|_| assets.is_empty()) {
            self.pace().await;
            news.extend(self.mux(asset.id).upload_news(upload).await?);
        }
        assets.extend(news.iter().filter_map(|it| match it {
            Subject::Upload(upload) => upload.asset.clone(),
            Subject::Asset(_) | Subject::Part { .. } | Subject::Other => None,
        }));
        for id in assets {
            match self.asset(&id).await? {
                Some(told) => news.push(told),
                // Heard of just now: Mux may not have made it everywhere yet.
                None if asset.lifecycle.assets().all(|it| *it != id) => {}
                None if self.knows_an_upload(asset).await? => news.push(gone(id)),
                None => return Err(AskError::Doubtful),
            }
        }
        self.learn(asset, &news).await
    }

    /// Asks Mux for one of its assets.
    pub(super) async fn asset(&self, id: &MuxAssetId) -> Result<Option<Subject>, AskError> {
        self.pace().await;
        Ok(self.mux(id.as_str()).asset_news(id).await?)
    }

    /// Whether Mux knows an upload of this video. With a token of another account it would know
    /// nothing, and every video would seem to be gone; there is no news that undoes that.
    pub(super) async fn knows_an_upload(&self, asset: &Asset) -> Result<bool, AskError> {
        for upload in asset.lifecycle.uploads() {
            self.pace().await;
            if self.mux(asset.id).upload_news(upload).await?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Adds answers to what is known of a video.
    pub(super) async fn learn(&self, asset: &Asset, news: &[Subject]) -> Result<Asset, AskError> {
        let now = self.app.clock.now();
        let stamp = Stamp {
            at: now,
            by: self.by.clone(),
        };
        let changed = assets::update(self.app, asset.tenant, asset.id, &self.act, |asset| {
            for it in news {
                *asset = asset.apply(&stamp, it);
            }
            // Mux tells of no end that it does not know of.
            if asset.is_open() && asset.is_overdue(now) && asset.lifecycle.assets().next().is_none()
            {
                asset.ending = Ending::Lapsed { at: now };
            }
            Ok(None)
        });
        Ok(changed.await?)
    }
}

/// What is to be learnt from an asset that Mux no longer has.
pub(super) fn gone(asset: MuxAssetId) -> Subject {
    Subject::Asset(AssetNews {
        asset,
        upload: None,
        stage: AssetStage::Deleted,
        signed: None,
        public: None,
        millis: None,
        aspect_ratio: None,
        failure: None,
    })
}
