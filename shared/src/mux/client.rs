//! The calls to Mux's API. Every failure says whether the call may have had an effect: Mux knows
//! no idempotency key, so a lost answer is not the same as a refusal.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json, value::RawValue};
use url::Url;

use super::{
    Listed, MuxAssetId, MuxUploadId, PlaybackId, RestrictionId, Subject, UploadStage, UploadUrl,
    lists::playback_ids,
};
use crate::{ids::AssetId, traces};

/// How long one call may take. Mux's own SDK waits 60 s; nobody who holds a phone does.
const CALL: Duration = Duration::from_secs(8);
const CONNECT: Duration = Duration::from_secs(3);

/// How much of an answer is read, in bytes. An asset is a few thousand; a page has a hundred of them.
const ANSWER_LIMIT: usize = 8 * 1024 * 1024;

/// A failed call.
#[derive(Debug, thiserror::Error)]
pub enum MuxError {
    /// 429: nothing was done. Mux says no time to come back (about one POST per second is allowed).
    #[error("mux is limiting us")]
    Limited,
    /// No connection was made: nothing was done.
    #[error("mux cannot be reached")]
    Unreachable(#[source] reqwest::Error),
    /// 4xx: nothing was done, and trying again does not help.
    #[error("mux refused with status {status} ({kind}): {messages}")]
    Refused {
        status: u16,
        kind: String,
        messages: String,
    },
    /// 5xx, a timeout, a broken connection: it may have been done.
    #[error("mux did not answer, or failed ({0})")]
    Uncertain(&'static str, #[source] Option<reqwest::Error>),
    /// It was done, and the answer is not what it should be.
    #[error("mux answered with something else than its documentation says")]
    Malformed,
}

impl MuxError {
    /// Whether the call surely had no effect.
    pub fn had_no_effect(&self) -> bool {
        matches!(
            self,
            Self::Limited | Self::Unreachable(_) | Self::Refused { .. }
        )
    }

    fn refused_with(&self, expected: u16) -> bool {
        matches!(self, Self::Refused { status, .. } if *status == expected)
    }
}

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

/// Speaks to Mux's API with an access token.
pub struct MuxClient {
    http: reqwest::Client,
    base: Url,
    token_id: String,
    token_secret: SecretString,
}

impl MuxClient {
    pub fn new(
        base: Url,
        token_id: String,
        token_secret: SecretString,
    ) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .timeout(CALL)
            .pool_max_idle_per_host(0) // a frozen Lambda thaws with connections that are long closed
            .redirect(reqwest::redirect::Policy::none()) // an answer of Mux sends our token nowhere
            .build()?;
        Ok(Self {
            http,
            base,
            token_id,
            token_secret,
        })
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
        self.call(Method::POST, &["uploads"], Some(body)).await
    }

    /// `PUT /video/v1/uploads/{id}/cancel`: succeeds only while nothing has arrived.
    pub async fn cancel_upload(&self, upload: &MuxUploadId) -> Result<Cancellation, MuxError> {
        let path = ["uploads", upload.as_str(), "cancel"];
        match self.call::<Value>(Method::PUT, &path, None).await {
            Ok(_) => Ok(Cancellation::Done),
            Err(error) if error.refused_with(403) => Ok(Cancellation::TooLate),
            Err(error) => Err(error),
        }
    }

    /// `POST /video/v1/assets/{id}/playback-ids`: one more signed playback id.
    pub async fn create_playback_id(&self, asset: &MuxAssetId) -> Result<PlaybackId, MuxError> {
        let path = ["assets", asset.as_str(), "playback-ids"];
        let body = json!({"policy": "signed"});
        let made: Named<PlaybackId> = self.call(Method::POST, &path, Some(body)).await?;
        Ok(made.id)
    }

    /// The playback ids of an asset, by `GET /video/v1/assets/{id}`, and whether each is public. `None`:
    /// Mux knows no such asset.
    pub async fn playback_ids(
        &self,
        asset: &MuxAssetId,
    ) -> Result<Option<Vec<(PlaybackId, bool)>>, MuxError> {
        let object = self.object(&["assets", asset.as_str()]).await?;
        Ok(object.map(|it| playback_ids(it.get())))
    }

    /// `DELETE /video/v1/assets/{id}/playback-ids/{id}`. Every token for it is worthless from then on.
    pub async fn delete_playback_id(
        &self,
        asset: &MuxAssetId,
        playback: &PlaybackId,
    ) -> Result<Deletion, MuxError> {
        let path = ["assets", asset.as_str(), "playback-ids", playback.as_str()];
        match self.send(Method::DELETE, &path, &[], None).await {
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
        let made: Named<RestrictionId> = self.call(Method::POST, &path, Some(body)).await?;
        Ok(made.id)
    }

    /// `GET /video/v1/uploads/{id}`.
    pub async fn find_upload(&self, upload: &MuxUploadId) -> Result<FoundUpload, MuxError> {
        self.call(Method::GET, &["uploads", upload.as_str()], None)
            .await
    }

    /// The same call, read as news. `None`: Mux knows no such upload.
    pub async fn upload_news(&self, upload: &MuxUploadId) -> Result<Option<Subject>, MuxError> {
        let object = self.object(&["uploads", upload.as_str()]).await?;
        Ok(object.map(|it| Subject::of_upload(it.get())))
    }

    /// `GET /video/v1/assets/{id}`, read as news. `None`: Mux knows no such asset.
    pub async fn asset_news(&self, asset: &MuxAssetId) -> Result<Option<Subject>, MuxError> {
        let object = self.object(&["assets", asset.as_str()]).await?;
        Ok(object.map(|it| Subject::of_asset(it.get())))
    }

    /// `GET /video/v1/assets`: a page of everything that the account has.
    pub async fn list_assets(&self, cursor: Option<&str>) -> Result<AssetsPage, MuxError> {
        let limit = LIST_PAGE.to_string();
        let mut query = vec![("limit", limit.as_str())];
        query.extend(cursor.map(|it| ("cursor", it)));
        let page: Answer<Vec<Box<RawValue>>> =
            self.answer(Method::GET, &["assets"], &query, None).await?;
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
            self.answer(Method::GET, &["uploads"], &query, None).await?;
        Ok(page
            .data
            .iter()
            .map(|it| Listed::upload(it.get()))
            .collect())
    }

    async fn object(&self, path: &[&str]) -> Result<Option<Box<RawValue>>, MuxError> {
        match self.call(Method::GET, path, None).await {
            Ok(object) => Ok(Some(object)),
            Err(error) if error.refused_with(404) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &[&str],
        body: Option<Value>,
    ) -> Result<T, MuxError> {
        Ok(self.answer(method, path, &[], body).await?.data)
    }

    async fn answer<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<Value>,
    ) -> Result<Answer<T>, MuxError> {
        let answer = self.send(method, path, query, body).await?;
        serde_json::from_slice(&answer).map_err(|_| MuxError::Malformed)
    }

    async fn send(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<Value>,
    ) -> Result<Vec<u8>, MuxError> {
        let mut url = self.base.clone();
        url.path_segments_mut()
            .map_err(|()| MuxError::Malformed)?
            .pop_if_empty()
            .extend(["video", "v1"].iter().chain(path));
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let step = traces::step(operation(&method, path));
        let mut request = self
            .http
            .request(method, url)
            .basic_auth(&self.token_id, Some(self.token_secret.expose_secret()));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let sent = request.send().await;
        let answered = |it: &reqwest::Response| !it.status().is_server_error();
        step.ends(!sent.as_ref().is_ok_and(answered));
        let mut response = sent.map_err(of_transport)?;
        let status = response.status();
        let mut answer = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(of_transport)? {
            if answer.len() + chunk.len() > ANSWER_LIMIT {
                return Err(MuxError::Uncertain("an endless answer", None));
            }
            answer.extend_from_slice(&chunk);
        }
        if status.is_success() {
            return Ok(answer);
        }
        Err(of_status(status, &answer))
    }
}

/// What a call does, without whom it is about: ids of Mux stand at every second place.
fn operation(method: &Method, path: &[&str]) -> String {
    let places = path.iter().enumerate();
    let places = places.map(|(n, it)| if n % 2 == 0 { it } else { "{id}" });
    let places: Vec<&str> = places.collect();
    format!("Mux {method} {}", places.join("/"))
}

#[derive(Deserialize)]
struct Named<T> {
    id: T,
}

#[derive(Deserialize)]
struct Answer<T> {
    data: T,
    #[serde(default)]
    next_cursor: Option<String>,
}

/// A URL may be a capability, so it never goes along into the log.
fn of_transport(error: reqwest::Error) -> MuxError {
    let error = error.without_url();
    if error.is_connect() {
        return MuxError::Unreachable(error);
    }
    MuxError::Uncertain("transport", Some(error))
}

fn of_status(status: StatusCode, body: &[u8]) -> MuxError {
    match status {
        StatusCode::TOO_MANY_REQUESTS => MuxError::Limited,
        StatusCode::REQUEST_TIMEOUT => MuxError::Uncertain("408", None),
        status if status.is_client_error() => {
            let wire: Refusal = serde_json::from_slice(body).unwrap_or_default();
            MuxError::Refused {
                status: status.as_u16(),
                kind: shortened(wire.error.r#type),
                messages: shortened(wire.error.messages.join(" ")),
            }
        }
        _ => MuxError::Uncertain("5xx", None),
    }
}

/// What Mux says goes into the log, but not at any length.
fn shortened(text: String) -> String {
    match text.char_indices().nth(300) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// `{"error":{"type":"…","messages":["…"]}}`; anything else is read as empty.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Refusal {
    error: RefusalBody,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct RefusalBody {
    r#type: String,
    messages: Vec<String>,
}
