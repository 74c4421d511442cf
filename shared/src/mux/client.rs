//! The calls to Mux's API, each through the breaker, the retries and the pace that all instances share.

use std::fmt::Display;

use reqwest::Method;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json, value::RawValue};
use time::{Duration, OffsetDateTime};

use super::{
    Listed, MuxAssetId, MuxError, MuxUploadId, PlaybackId, RestrictionId, Subject, UploadStage,
    UploadUrl, lists::playback_ids,
};
use crate::{
    app::Parts,
    ids::AssetId,
    resilience::{Attempts, Call, Failure, Repeat, Vendor, Verdict},
    traces,
};

/// How long one try may take. Mux's own SDK waits 60 s; nobody who holds a phone does.
const TRY: Duration = Duration::seconds(8);

/// How long a call that makes something waits for its place: Mux takes about one a second.
const PACE: Duration = Duration::seconds(3);

/// What is asked of Mux for one upload.
#[derive(Debug)]
pub struct UploadOrder<'a> {
    /// Comes back in every event as `passthrough` and `meta.external_id`.
    pub asset: AssetId,
    pub title: &'a str,
    /// The page that will send the file (mux.com/docs/guides/upload-files-directly).
    pub cors_origin: &'a str,
    /// Seconds until the upload times out: 60 to 604,800.
    pub timeout: u32,
}

/// An upload as Mux made it.
#[derive(Debug, Deserialize)]
pub struct CreatedUpload {
    pub id: MuxUploadId,
    pub url: UploadUrl,
}

/// An upload as it is at Mux now.
#[derive(Debug, Deserialize)]
pub struct FoundUpload {
    pub status: UploadStage,
    pub asset_id: Option<MuxAssetId>,
}

/// Whether Mux called the upload off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancellation {
    Done,
    /// The file has arrived, or the upload has ended in another way.
    TooLate,
}

/// What became of deleting something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deletion {
    Done,
    /// Mux knows nothing of this name.
    NotThere,
}

/// A page of Mux's assets, newest first.
#[derive(Debug)]
pub struct AssetsPage {
    pub assets: Vec<Listed>,
    /// Where to go on; `None` at the end.
    pub next: Option<String>,
}

/// How many objects a page of a list has: the most that Mux gives (mux.com/docs/core/make-api-requests).
const LIST_PAGE: u32 = 100;

/// Mux's API, for somebody who waits until a certain moment and no longer.
pub struct Mux<'a> {
    app: &'a Parts,
    about: String,
    deadline: OffsetDateTime,
    pace: Duration,
}

impl Parts {
    /// Mux's API for somebody who waits no longer than this, for all calls together. The log names
    /// what they are about: an id, but never Mux's of an upload, which its address holds, nor of what
    /// can be played.
    pub fn mux(&self, patience: Duration, about: impl Display) -> Mux<'_> {
        Mux {
            app: self,
            about: about.to_string(),
            deadline: self.clock.now() + patience,
            pace: PACE,
        }
    }
}

/// One call: its name in the log, and what is sent.
struct Order<'a> {
    operation: &'static str,
    method: Method,
    path: &'a [&'a str],
    query: &'a [(&'a str, &'a str)],
    body: Option<Value>,
}

impl<'a> Order<'a> {
    fn new(operation: &'static str, method: Method, path: &'a [&'a str]) -> Self {
        Self {
            operation,
            method,
            path,
            query: &[],
            body: None,
        }
    }

    fn sending(self, body: Value) -> Self {
        Self {
            body: Some(body),
            ..self
        }
    }
}

impl Mux<'_> {
    /// For somebody who does not stand in a queue.
    #[must_use]
    pub fn at_once(self) -> Self {
        Self {
            pace: Duration::ZERO,
            ..self
        }
    }

    /// `POST /video/v1/uploads`: an upload whose asset will be playable with signed tokens only.
    pub async fn create_upload(&self, order: &UploadOrder<'_>) -> Result<CreatedUpload, MuxError> {
        let id = order.asset.to_string();
        let body = json!({
            "cors_origin": order.cors_origin,
            "timeout": order.timeout,
            "new_asset_settings": {
                "playback_policies": ["signed"],
                "video_quality": "basic",
                "passthrough": id,
                "meta": {"external_id": id, "title": order.title},
            },
        });
        let order = Order::new("create-upload", Method::POST, &["uploads"]);
        self.call(order.sending(body)).await
    }

    /// `PUT /video/v1/uploads/{id}/cancel`: succeeds only while nothing has arrived.
    pub async fn cancel_upload(&self, upload: &MuxUploadId) -> Result<Cancellation, MuxError> {
        let path = ["uploads", upload.as_str(), "cancel"];
        let order = Order::new("cancel-upload", Method::PUT, &path);
        match self.call::<Value>(order).await {
            Ok(_) => Ok(Cancellation::Done),
            Err(error) if error.refused_with(403) => Ok(Cancellation::TooLate),
            Err(error) => Err(error),
        }
    }

    /// `POST /video/v1/assets/{id}/playback-ids`: one more signed playback id.
    pub async fn create_playback_id(&self, asset: &MuxAssetId) -> Result<PlaybackId, MuxError> {
        let path = ["assets", asset.as_str(), "playback-ids"];
        let body = json!({"policy": "signed"});
        let order = Order::new("create-playback-id", Method::POST, &path);
        let made: Named<PlaybackId> = self.call(order.sending(body)).await?;
        Ok(made.id)
    }

    /// The playback ids of an asset, by `GET /video/v1/assets/{id}`, and whether each is public. `None`:
    /// Mux knows no such asset.
    pub async fn playback_ids(
        &self,
        asset: &MuxAssetId,
    ) -> Result<Option<Vec<(PlaybackId, bool)>>, MuxError> {
        let path = ["assets", asset.as_str()];
        let object = self.object("playback-ids", &path).await?;
        Ok(object.map(|it| playback_ids(it.get())))
    }

    /// `DELETE /video/v1/assets/{id}/playback-ids/{id}`. Every token for it is worthless from then on.
    pub async fn delete_playback_id(
        &self,
        asset: &MuxAssetId,
        playback: &PlaybackId,
    ) -> Result<Deletion, MuxError> {
        let path = ["assets", asset.as_str(), "playback-ids", playback.as_str()];
        let order = Order::new("delete-playback-id", Method::DELETE, &path);
        match self.send(order).await {
            Ok(_) => Ok(Deletion::Done),
            Err(error) if error.refused_with(404) => Ok(Deletion::NotThere),
            Err(error) => Err(error),
        }
    }

    /// `POST /video/v1/playback-restrictions`: tokens that name it play on pages of these domains only.
    /// `*.example.com` stands for all below it; at most ten.
    pub async fn create_restriction(&self, domains: &[&str]) -> Result<RestrictionId, MuxError> {
        let body = json!({
            "referrer": {"allowed_domains": domains, "allow_no_referrer": false},
            "user_agent": {"allow_no_user_agent": true, "allow_high_risk_user_agent": true},
        });
        let path = ["playback-restrictions"];
        let order = Order::new("create-restriction", Method::POST, &path);
        let made: Named<RestrictionId> = self.call(order.sending(body)).await?;
        Ok(made.id)
    }

    /// `GET /video/v1/uploads/{id}`.
    pub async fn find_upload(&self, upload: &MuxUploadId) -> Result<FoundUpload, MuxError> {
        let path = ["uploads", upload.as_str()];
        let order = Order::new("find-upload", Method::GET, &path);
        self.call(order).await
    }

    /// The same call, read as news. `None`: Mux knows no such upload.
    pub async fn upload_news(&self, upload: &MuxUploadId) -> Result<Option<Subject>, MuxError> {
        let path = ["uploads", upload.as_str()];
        let object = self.object("find-upload", &path).await?;
        Ok(object.map(|it| Subject::of_upload(it.get())))
    }

    /// `GET /video/v1/assets/{id}`, read as news. `None`: Mux knows no such asset.
    pub async fn asset_news(&self, asset: &MuxAssetId) -> Result<Option<Subject>, MuxError> {
        let path = ["assets", asset.as_str()];
        let object = self.object("find-asset", &path).await?;
        Ok(object.map(|it| Subject::of_asset(it.get())))
    }

    /// `GET /video/v1/assets`: a page of everything that the account has.
    pub async fn list_assets(&self, cursor: Option<&str>) -> Result<AssetsPage, MuxError> {
        let limit = LIST_PAGE.to_string();
        let mut query = vec![("limit", limit.as_str())];
        query.extend(cursor.map(|it| ("cursor", it)));
        let page: Answer<Vec<Box<RawValue>>> =
            self.page("list-assets", &["assets"], &query).await?;
        let assets = page.data.iter().map(|it| Listed::asset(it.get()));
        Ok(AssetsPage {
            assets: assets.collect(),
            next: page.next_cursor,
        })
    }

    /// `GET /video/v1/uploads`: a page of the uploads, newest first; pages count from 1.
    pub async fn list_uploads(&self, page: u32) -> Result<Vec<Listed>, MuxError> {
        let (limit, page) = (LIST_PAGE.to_string(), page.to_string());
        let query = [("limit", limit.as_str()), ("page", page.as_str())];
        let page: Answer<Vec<Box<RawValue>>> =
            self.page("list-uploads", &["uploads"], &query).await?;
        Ok(page
            .data
            .iter()
            .map(|it| Listed::upload(it.get()))
            .collect())
    }

    async fn object(
        &self,
        operation: &'static str,
        path: &[&str],
    ) -> Result<Option<Box<RawValue>>, MuxError> {
        let order = Order::new(operation, Method::GET, path);
        match self.call(order).await {
            Ok(object) => Ok(Some(object)),
            Err(error) if error.refused_with(404) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn page<T: DeserializeOwned>(
        &self,
        operation: &'static str,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> Result<Answer<T>, MuxError> {
        let order = Order::new(operation, Method::GET, path);
        self.answer(Order { query, ..order }).await
    }

    async fn call<T: DeserializeOwned>(&self, order: Order<'_>) -> Result<T, MuxError> {
        Ok(self.answer(order).await?.data)
    }

    async fn answer<T: DeserializeOwned>(&self, order: Order<'_>) -> Result<Answer<T>, MuxError> {
        let answer = self.send(order).await?;
        serde_json::from_slice(&answer).map_err(|_| MuxError::Malformed)
    }

    async fn send(&self, order: Order<'_>) -> Result<Vec<u8>, MuxError> {
        // Only what is posted makes something, and another one each time.
        let makes = order.method == Method::POST;
        let call = Call {
            vendor: Vendor::Mux,
            operation: order.operation,
            entity: self.about.clone(),
            deadline: self.deadline,
            longest: TRY,
            repeat: if makes {
                Repeat::Doubles
            } else {
                Repeat::Harmless
            },
            pace: makes.then_some(self.pace),
        };
        let keys = self.app.keys();
        let (api, body) = (&keys.mux_api, order.body.as_ref());
        let mut attempts = Attempts::new(self.app, call);
        let mut turn = attempts.begin().await?;
        loop {
            let step = traces::step(format!("Mux {}", order.operation));
            let sent = api.send(turn.limit, &order.method, order.path, order.query, body);
            let sent = sent.await;
            let failed = |error: &MuxError| error.verdict() == Verdict::Ailing;
            step.ends(sent.as_ref().is_err_and(failed));
            match sent {
                Ok(answer) => {
                    attempts.succeeded(turn).await;
                    return Ok(answer);
                }
                Err(error) => match attempts.failed(turn, &error).await {
                    Some(next) => turn = next,
                    None => return Err(error),
                },
            }
        }
    }
}

#[derive(Deserialize)]
struct Named<T> {
    id: T,
}

#[derive(Deserialize)]
pub(super) struct Answer<T> {
    pub(super) data: T,
    #[serde(default)]
    pub(super) next_cursor: Option<String>,
    #[serde(default)]
    pub(super) total_row_count: Option<u64>,
}
