//! An endpoint for webhooks that keeps what it gets and answers what it is told to.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use hmac::{Hmac, KeyInit, Mac};
use muxsim::Endpoint;
use serde_json::Value;
use sha2::Sha256;
use tokio::{net::TcpListener, sync::Notify};
use tokio_util::task::AbortOnDropHandle;

/// One webhook as it came.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) signature: String,
    pub(crate) body: String,
    pub(crate) event: Value,
}

impl Received {
    pub(crate) fn kind(&self) -> &str {
        self.event["type"].as_str().unwrap()
    }

    /// Whether the signature is over `t.body`, and when that was.
    pub(crate) fn signed_at(&self, secret: &str) -> Option<i64> {
        let (t, digest) = self.signature.strip_prefix("t=")?.split_once(",v1=")?;
        let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        let mac = mac.chain_update(format!("{t}.{}", self.body));
        mac.verify_slice(&hex::decode(digest).ok()?).ok()?;
        t.parse().ok()
    }
}

#[derive(Default)]
struct Letters {
    got: Mutex<Vec<Received>>,
    answers: Mutex<VecDeque<u16>>,
    silent: bool,
    arrived: Notify,
}

pub(crate) struct Inbox {
    pub(crate) endpoint: Endpoint,
    letters: Arc<Letters>,
    _server: AbortOnDropHandle<()>,
}

impl Inbox {
    /// Takes everything.
    pub(crate) async fn new() -> Self {
        Self::with(Letters::default()).await
    }

    /// Hears everything and never answers.
    pub(crate) async fn silent() -> Self {
        Self::with(Letters {
            silent: true,
            ..Letters::default()
        })
        .await
    }

    async fn with(letters: Letters) -> Self {
        let letters = Arc::new(letters);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = Endpoint {
            address: format!("http://{}/hooks", listener.local_addr().unwrap()),
            secret: format!("secret-{}", listener.local_addr().unwrap().port()),
        };
        let router = Router::new()
            .route("/hooks", post(take))
            .with_state(Arc::clone(&letters));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            endpoint,
            letters,
            _server: AbortOnDropHandle::new(server),
        }
    }

    /// Answers the next webhooks with these, and all others with 200.
    pub(crate) fn answer(&self, statuses: impl IntoIterator<Item = u16>) {
        self.letters.answers.lock().unwrap().extend(statuses);
    }

    /// Waits until something has come.
    pub(crate) async fn arrival(&self) {
        self.letters.arrived.notified().await;
    }

    /// What has come since the last call, in the order of its coming.
    pub(crate) fn take(&self) -> Vec<Received> {
        std::mem::take(&mut self.letters.got.lock().unwrap())
    }

    /// The kinds of [`Self::take`]. Mux promises no order, so what comes at once is sorted.
    pub(crate) fn take_kinds(&self) -> Vec<String> {
        let mut kinds: Vec<String> = self.take().iter().map(|it| it.kind().to_owned()).collect();
        kinds.sort();
        kinds
    }

    /// The one thing that has come since the last call.
    #[track_caller]
    pub(crate) fn only(&self) -> Received {
        let mut got = self.take();
        assert_eq!(got.len(), 1, "{got:#?}");
        got.remove(0)
    }
}

async fn take(State(letters): State<Arc<Letters>>, headers: HeaderMap, body: String) -> StatusCode {
    assert_eq!(headers["content-type"], "application/json");
    letters.got.lock().unwrap().push(Received {
        signature: headers
            .get("mux-signature")
            .map_or_else(String::new, |it| it.to_str().unwrap().to_owned()),
        event: serde_json::from_str(&body).unwrap(),
        body,
    });
    letters.arrived.notify_one();
    if letters.silent {
        std::future::pending::<()>().await;
    }
    let status = letters.answers.lock().unwrap().pop_front();
    StatusCode::from_u16(status.unwrap_or(200)).unwrap()
}
