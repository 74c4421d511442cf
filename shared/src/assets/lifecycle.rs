//! What Mux has told us of a video, and what follows from it. Pure: a webhook, a reconciliation and
//! an answer of the API are all news, and news can come in any order, repeatedly, or not at all.
//!
//! Every piece of news only adds to what is known: stages by their rank, fields by the time of the
//! snapshot that told them (ties by the event's id). Adding is commutative, associative and
//! idempotent, so any order and any repetition of the same news ends in the same facts; the status is
//! a function of the facts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::mux::{
    AssetNews, AssetStage, Failure, MuxAssetId, MuxEventId, MuxUploadId, PlaybackId, Subject,
    UploadNews, UploadStage, UploadUrl,
};

/// Everything that Mux has told us of one video.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Lifecycle {
    /// Usually one. A second one stands here when the answer to a request for one was lost.
    uploads: BTreeMap<MuxUploadId, Upload>,
    /// Usually one, from the upload that a file was sent to.
    assets: BTreeMap<MuxAssetId, Take>,
}

/// One direct upload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Upload {
    /// The earliest time at which it was heard of.
    #[serde(with = "time::serde::rfc3339")]
    since: OffsetDateTime,
    stage: UploadStage,
    /// Kept while a file may be sent to it, and not a moment longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    url: Option<Told<UploadUrl>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failure: Option<Told<Failure>>,
}

/// One asset at Mux.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Take {
    /// The earliest time at which it was heard of.
    #[serde(with = "time::serde::rfc3339")]
    since: OffsetDateTime,
    stage: AssetStage,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signed: Option<Told<PlaybackId>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    public: Option<Told<PlaybackId>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    millis: Option<Told<u64>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    aspect_ratio: Option<Told<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failure: Option<Told<Failure>>,
}

/// A value, with the snapshot that told it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Told<T> {
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    by: MuxEventId,
    value: T,
}

/// When news was told, and by which event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    pub at: OffsetDateTime,
    pub by: MuxEventId,
}

impl Stamp {
    /// Keeps the later of what is known and what is told. What is not told changes nothing.
    fn learn<T: Ord>(&self, known: &mut Option<Told<T>>, told: Option<T>) {
        let told = told.map(|value| Told {
            at: self.at,
            by: self.by.clone(),
            value,
        });
        if told > *known {
            *known = told;
        }
    }

    /// Keeps the earlier of what is known and what is told.
    fn learn_first<T: Ord>(&self, known: &mut Option<Told<T>>, told: Option<T>) {
        let Some(value) = told else { return };
        let told = Told {
            at: self.at,
            by: self.by.clone(),
            value,
        };
        if known.as_ref().is_none_or(|known| told < *known) {
            *known = Some(told);
        }
    }
}

/// What the facts say about the video.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Mux has told us nothing yet.
    Unheard,
    Waiting,
    TimedOut,
    Cancelled,
    Processing,
    Failed,
    Ready,
    Deleted,
}

impl Lifecycle {
    /// Adds news to what is known.
    pub fn learn(&mut self, stamp: &Stamp, news: &Subject) {
        match news {
            Subject::Upload(news) => self.learn_upload(stamp, news),
            Subject::Asset(news) => self.learn_asset(stamp, news),
            Subject::Part { .. } | Subject::Other => {}
        }
    }

    fn learn_upload(&mut self, stamp: &Stamp, news: &UploadNews) {
        let upload = self.heard_of_upload(stamp, &news.upload);
        upload.stage = upload.stage.max(news.stage);
        stamp.learn(&mut upload.url, news.url.clone());
        stamp.learn(&mut upload.failure, news.failure.clone());
        if upload.stage > UploadStage::Waiting {
            upload.url = None;
        }
        if let Some(asset) = &news.asset {
            self.heard_of_asset(stamp, asset);
        }
    }

    fn learn_asset(&mut self, stamp: &Stamp, news: &AssetNews) {
        if let Some(upload) = &news.upload {
            let upload = self.heard_of_upload(stamp, upload);
            upload.stage = upload.stage.max(UploadStage::AssetCreated);
            upload.url = None;
        }
        let take = self.heard_of_asset(stamp, &news.asset);
        take.stage = take.stage.max(news.stage);
        // The first one: those that come later are of single links, and go with them.
        stamp.learn_first(&mut take.signed, news.signed.clone());
        stamp.learn_first(&mut take.public, news.public.clone());
        stamp.learn(&mut take.millis, news.millis);
        stamp.learn(&mut take.aspect_ratio, news.aspect_ratio.clone());
        stamp.learn(&mut take.failure, news.failure.clone());
    }

    fn heard_of_upload(&mut self, stamp: &Stamp, id: &MuxUploadId) -> &mut Upload {
        let upload = self.uploads.entry(id.clone()).or_insert(Upload {
            since: stamp.at,
            stage: UploadStage::Waiting,
            url: None,
            failure: None,
        });
        upload.since = upload.since.min(stamp.at);
        upload
    }

    fn heard_of_asset(&mut self, stamp: &Stamp, id: &MuxAssetId) -> &mut Take {
        let take = self.assets.entry(id.clone()).or_insert(Take {
            since: stamp.at,
            stage: AssetStage::Preparing,
            signed: None,
            public: None,
            millis: None,
            aspect_ratio: None,
            failure: None,
        });
        take.since = take.since.min(stamp.at);
        take
    }

    /// Whether the news say nothing that is not known.
    pub fn knows(&self, news: &Subject) -> bool {
        fn same<T: PartialEq>(known: Option<&Told<T>>, told: Option<&T>) -> bool {
            told.is_none_or(|told| known.is_some_and(|it| it.value == *told))
        }
        match news {
            Subject::Upload(news) => {
                let asset = news.asset.as_ref();
                self.uploads.get(&news.upload).is_some_and(|upload| {
                    let waiting = news.stage == UploadStage::Waiting;
                    let url = news.url.as_ref().filter(|_| waiting);
                    upload.stage > news.stage
                        || (upload.stage == news.stage && same(upload.url.as_ref(), url))
                }) && asset.is_none_or(|it| self.assets.contains_key(it))
            }
            Subject::Asset(news) => self.assets.get(&news.asset).is_some_and(|take| {
                take.stage >= news.stage
                    && (news.signed.is_none() || take.signed.is_some())
                    && (news.public.is_none() || take.public.is_some())
                    && same(take.millis.as_ref(), news.millis.as_ref())
                    && same(take.aspect_ratio.as_ref(), news.aspect_ratio.as_ref())
            }),
            Subject::Part { .. } | Subject::Other => true,
        }
    }

    /// What follows from the facts. The newest asset that can be played speaks; else the newest one;
    /// without any, the newest upload.
    pub fn verdict(&self) -> Verdict {
        let Some((_, take)) = self.take() else {
            return self
                .upload()
                .map_or(Verdict::Unheard, |(_, upload)| match upload.stage {
                    UploadStage::Waiting => Verdict::Waiting,
                    UploadStage::TimedOut => Verdict::TimedOut,
                    UploadStage::Cancelled => Verdict::Cancelled,
                    UploadStage::AssetCreated => Verdict::Processing,
                    UploadStage::Errored => Verdict::Failed,
                });
        };
        match take.stage {
            AssetStage::Deleted => Verdict::Deleted,
            AssetStage::Ready => Verdict::Ready,
            AssetStage::Errored => Verdict::Failed,
            // `upload.errored` is told when the asset of the upload fails; `asset.errored` may be lost.
            AssetStage::Preparing if self.upload_errored() => Verdict::Failed,
            AssetStage::Preparing => Verdict::Processing,
        }
    }

    fn take(&self) -> Option<(&MuxAssetId, &Take)> {
        self.assets
            .iter()
            .max_by_key(|(id, take)| (take.stage == AssetStage::Ready, take.since, *id))
    }

    fn upload(&self) -> Option<(&MuxUploadId, &Upload)> {
        self.uploads
            .iter()
            .max_by_key(|(id, upload)| (upload.since, *id))
    }

    fn upload_errored(&self) -> bool {
        self.upload()
            .is_some_and(|(_, upload)| upload.stage == UploadStage::Errored)
    }

    /// The upload that a file may be sent to, and where.
    pub fn open_upload(&self) -> Option<(&MuxUploadId, &UploadUrl)> {
        let (id, upload) = self.upload()?;
        Some((id, &upload.url.as_ref()?.value))
    }

    /// The asset of Mux that is played, and the signed playback id that it was made with.
    pub fn playable(&self) -> Option<(&MuxAssetId, &PlaybackId)> {
        let (id, take) = self.take()?;
        Some((id, &take.signed.as_ref()?.value))
    }

    /// The signed playback ids that its assets were made with.
    pub fn playback_ids(&self) -> impl Iterator<Item = &PlaybackId> {
        let signed = self.assets.values().filter_map(|it| it.signed.as_ref());
        signed.map(|it| &it.value)
    }

    /// A playback id that anybody can play who knows it. No video of ours is made with one.
    pub fn public_playback(&self) -> Option<&PlaybackId> {
        Some(&self.take()?.1.public.as_ref()?.value)
    }

    /// How long the video is.
    pub fn millis(&self) -> Option<u64> {
        Some(self.take()?.1.millis.as_ref()?.value)
    }

    /// Width to height, as `16:9`.
    pub fn aspect_ratio(&self) -> Option<&str> {
        Some(&self.take()?.1.aspect_ratio.as_ref()?.value)
    }

    /// Why Mux gave up on the file.
    pub fn failure(&self) -> Option<&Failure> {
        let of_take = self.take().and_then(|(_, take)| take.failure.as_ref());
        let of_upload = self
            .upload()
            .and_then(|(_, upload)| upload.failure.as_ref());
        of_take.or(of_upload).map(|it| &it.value)
    }

    /// The time of the latest news that is still known.
    pub fn latest(&self) -> Option<OffsetDateTime> {
        fn at<T>(it: Option<&Told<T>>) -> Option<OffsetDateTime> {
            it.map(|it| it.at)
        }
        let uploads = self
            .uploads
            .values()
            .flat_map(|it| [Some(it.since), at(it.url.as_ref()), at(it.failure.as_ref())]);
        let assets = self.assets.values().flat_map(|it| {
            let ids = at(it.signed.as_ref());
            let ratio = at(it.aspect_ratio.as_ref());
            [
                Some(it.since),
                ids,
                at(it.millis.as_ref()),
                ratio,
                at(it.failure.as_ref()),
            ]
        });
        uploads.chain(assets).flatten().max()
    }

    /// Uploads of Mux for this video.
    pub fn uploads(&self) -> impl Iterator<Item = &MuxUploadId> {
        self.uploads.keys()
    }

    /// Assets of Mux for this video.
    pub fn assets(&self) -> impl Iterator<Item = &MuxAssetId> {
        self.assets.keys()
    }

    /// Those of them that Mux is not known to have deleted.
    pub fn living_assets(&self) -> impl Iterator<Item = &MuxAssetId> {
        let living = self.assets.iter();
        living
            .filter(|(_, take)| take.stage != AssetStage::Deleted)
            .map(|(id, _)| id)
    }

    /// Every id by which Mux may name this video in an event that does not carry ours.
    pub fn mux_ids(&self) -> impl Iterator<Item = &str> {
        let uploads = self.uploads.keys().map(MuxUploadId::as_str);
        uploads.chain(self.assets.keys().map(MuxAssetId::as_str))
    }
}
