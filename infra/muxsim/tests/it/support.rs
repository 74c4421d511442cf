//! One stand-in per test: its own folder, its own clock, its router on loopback.

use std::{
    ops::RangeInclusive,
    path::PathBuf,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicI64, Ordering},
    },
};

use muxsim::{Options, SigningKey, Sim};
use reqwest::{Client, Method, RequestBuilder, header};
use serde_json::{Value, json};
use tempfile::TempDir;
use time::{Duration, OffsetDateTime, macros::datetime};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_util::task::AbortOnDropHandle;

use crate::inbox::Inbox;

/// Three seconds of pictures and sound.
pub(crate) const VIDEO: &[u8] = include_bytes!("../media/video-audio.mp4");

pub(crate) const AUDIO: &[u8] = include_bytes!("../media/audio-only.m4a");

/// What resumable uploads are counted in.
pub(crate) const QUANTUM: usize = 256 * 1024;

/// Making a key takes longer than a test.
pub(crate) static KEY: LazyLock<SigningKey> =
    LazyLock::new(|| SigningKey::generate("test-key").unwrap());

/// The same video in a file of this many bytes: the rest is a box that says it is free.
pub(crate) fn video_of(length: usize) -> Vec<u8> {
    let free = length - VIDEO.len();
    let mut file = VIDEO.to_vec();
    file.extend(u32::try_from(free).unwrap().to_be_bytes());
    file.extend(b"free");
    file.resize(length, 0);
    file
}

/// Time, moved by the test.
#[derive(Clone)]
pub(crate) struct Hand(Arc<AtomicI64>);

impl Hand {
    fn new() -> Self {
        let start = datetime!(2026-01-05 09:00 UTC).unix_timestamp();
        Self(Arc::new(AtomicI64::new(start)))
    }

    pub(crate) fn now(&self) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(self.unix()).unwrap()
    }

    pub(crate) fn unix(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.0.fetch_add(by.whole_seconds(), Ordering::SeqCst);
    }
}

pub(crate) struct Mux {
    pub(crate) sim: Sim,
    pub(crate) clock: Hand,
    pub(crate) http: Client,
    pub(crate) options: Options,
    folder: TempDir,
    _server: AbortOnDropHandle<()>,
}

impl Mux {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// A stand-in that tells these of its events.
    pub(crate) async fn telling(inboxes: &[&Inbox]) -> Self {
        Self::with(|options| {
            options.endpoints = inboxes.iter().map(|it| it.endpoint.clone()).collect();
        })
        .await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Options)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Hand::new();
        let mut options = Options::new(folder.path().to_owned(), "");
        options.signing_keys.push(KEY.clone());
        let hand = clock.clone();
        options.clock = Arc::new(move || hand.now());
        change(&mut options);
        Self::open(folder, clock, options).await
    }

    /// The stand-in as it is after a restart: the folder is the same, the port is not.
    pub(crate) async fn reopened(self) -> Self {
        let Self {
            clock,
            options,
            folder,
            ..
        } = self;
        Self::open(folder, clock, options).await
    }

    async fn open(folder: TempDir, clock: Hand, mut options: Options) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        options.public_url = format!("http://{}", listener.local_addr().unwrap());
        let sim = Sim::open(options.clone()).unwrap();
        let router = sim.router();
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let http = Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        Self {
            sim,
            clock,
            http,
            options,
            folder,
            _server: AbortOnDropHandle::new(server),
        }
    }

    pub(crate) fn url(&self) -> &str {
        &self.options.public_url
    }

    /// An address from before a restart, at the port of now.
    pub(crate) fn here(&self, address: &str) -> String {
        let path = address.splitn(4, '/').nth(3).unwrap();
        format!("{}/{path}", self.url())
    }

    pub(crate) fn file(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    pub(crate) fn upload_file(&self, upload: &Value) -> PathBuf {
        self.file("uploads").join(text(&upload["id"]))
    }

    /// A request with the access token.
    pub(crate) fn api(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("{}{path}", self.url()))
            .basic_auth(&self.options.token_id, Some(&self.options.token_secret))
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        Answer::to(self.api(Method::GET, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        Answer::to(self.api(Method::POST, path).json(body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        Answer::to(self.api(Method::DELETE, path)).await
    }

    /// What anybody may ask for, at a whole address.
    pub(crate) async fn fetch(&self, address: &str) -> Answer {
        Answer::to(self.http.get(address)).await
    }

    pub(crate) async fn upload(&self, body: &Value) -> Value {
        self.post("/video/v1/uploads", body).await.is(201)["data"].take()
    }

    pub(crate) async fn signed_upload(&self) -> Value {
        self.upload(&json!({"new_asset_settings": {"playback_policies": ["signed"]}}))
            .await
    }

    pub(crate) async fn cancel(&self, upload: &Value) -> Answer {
        let path = format!("/video/v1/uploads/{}/cancel", text(&upload["id"]));
        Answer::to(self.api(Method::PUT, &path)).await
    }

    /// The upload as it is now.
    pub(crate) async fn again(&self, upload: &Value) -> Value {
        let path = format!("/video/v1/uploads/{}", text(&upload["id"]));
        self.get(&path).await.is(200)["data"].take()
    }

    /// The asset that was made of an upload.
    pub(crate) async fn asset_of(&self, upload: &Value) -> Value {
        let asset = self.again(upload).await["asset_id"].take();
        let path = format!("/video/v1/assets/{}", text(&asset));
        self.get(&path).await.is(200)["data"].take()
    }

    /// The whole file in one request.
    pub(crate) async fn put(&self, upload: &Value, file: &[u8]) -> Answer {
        let request = self.http.put(self.here(text(&upload["url"])));
        Answer::to(request.body(file.to_vec())).await
    }

    pub(crate) async fn put_range(
        &self,
        upload: &Value,
        range: RangeInclusive<usize>,
        total: usize,
        body: &[u8],
    ) -> Answer {
        let range = format!("bytes {}-{}/{total}", range.start(), range.end());
        self.put_as(upload, &range, body).await
    }

    pub(crate) async fn put_as(&self, upload: &Value, range: &str, body: &[u8]) -> Answer {
        let request = self.http.put(self.here(text(&upload["url"])));
        let request = request.header(header::CONTENT_RANGE, range);
        Answer::to(request.body(body.to_vec())).await
    }

    /// Asks how much of `total` has arrived.
    pub(crate) async fn ask(&self, upload: &Value, total: usize) -> Answer {
        self.put_as(upload, &format!("bytes */{total}"), b"").await
    }

    /// Begins a PUT with these further headers, sends a part of the body it promises, and is gone.
    /// Returns when the server has noticed.
    pub(crate) async fn break_off(&self, upload: &Value, headers: &str, sent: &[u8], all: usize) {
        let mut stream = self.begin_put(upload, headers, sent, all).await;
        stream.shutdown().await.unwrap();
        let answer = heard(stream).await;
        assert!(answer.contains("<Code>IncompleteBody</Code>"), "{answer:?}");
    }

    /// A PUT by a sender who listens only when all is sent.
    pub(crate) async fn put_deaf(&self, upload: &Value, headers: &str, body: &[u8]) -> String {
        let stream = self.begin_put(upload, headers, body, body.len()).await;
        heard(stream).await
    }

    async fn begin_put(
        &self,
        upload: &Value,
        headers: &str,
        sent: &[u8],
        length: usize,
    ) -> TcpStream {
        let path = text(&upload["url"]).splitn(4, '/').nth(3).unwrap();
        let head = format!(
            "PUT /{path} HTTP/1.1\r\nhost: mux\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n"
        );
        self.send(&[head.as_bytes(), sent].concat()).await
    }

    /// The answer to a GET of a path exactly as written: a client would tidy it before it asks.
    pub(crate) async fn get_untidy(&self, path: &str) -> String {
        let head = format!("GET {path} HTTP/1.1\r\nhost: mux\r\nconnection: close\r\n\r\n");
        heard(self.send(head.as_bytes()).await).await
    }

    async fn send(&self, request: &[u8]) -> TcpStream {
        let host = self.url().strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(host).await.unwrap();
        stream.write_all(request).await.unwrap();
        stream
    }

    /// An asset with one playback id of this policy, ready to be played.
    pub(crate) async fn ready(&self, policy: &str) -> Value {
        let settings = json!({"new_asset_settings": {"playback_policies": [policy]}});
        let upload = self.upload(&settings).await;
        self.put(&upload, VIDEO).await.is(200);
        assert_eq!(self.sim.process().await.unwrap(), 1);
        let asset = self.asset_of(&upload).await;
        assert_eq!(asset["status"], "ready", "{asset:#}");
        asset
    }
}

/// All that comes until the end; a reset is an end too.
async fn heard(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: header::HeaderMap,
    pub(crate) bytes: Vec<u8>,
}

impl Answer {
    pub(crate) async fn to(request: RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        Self {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            bytes: response.bytes().await.unwrap().to_vec(),
        }
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|it| it.to_str().unwrap())
    }

    /// The body, if the status is this one: `null` when there is none or it is not JSON.
    #[track_caller]
    pub(crate) fn is(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        serde_json::from_slice(&self.bytes).unwrap_or_default()
    }

    /// The API's way to refuse; says why.
    #[track_caller]
    pub(crate) fn refuses(&self, status: u16, kind: &str) -> String {
        let body = self.is(status);
        let message = text(&body["error"]["messages"][0]).to_owned();
        assert_eq!(
            body,
            json!({"error": {"type": kind, "messages": [message]}})
        );
        message
    }

    /// An upload's answer that more is to come, after this many bytes.
    #[track_caller]
    pub(crate) fn has(&self, arrived: usize) {
        self.is(308);
        let range = arrived.checked_sub(1).map(|last| format!("bytes=0-{last}"));
        assert_eq!(self.header("range"), range.as_deref());
    }

    /// The upload host's way to refuse.
    #[track_caller]
    pub(crate) fn is_xml(&self, status: u16, code: &str) {
        self.is(status);
        assert_eq!(self.header("content-type"), Some("application/xml"));
        let code = format!("<Code>{code}</Code>");
        assert!(self.text().contains(&code), "{}", self.text());
    }
}

/// A string of a document.
#[track_caller]
pub(crate) fn text(value: &Value) -> &str {
    value
        .as_str()
        .unwrap_or_else(|| panic!("not a string: {value}"))
}
