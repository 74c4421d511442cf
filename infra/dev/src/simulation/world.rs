//! One world: the product's processes, Mux's stand-in and the sign-in service around them, all in one
//! thread, on a clock that only the history moves.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::Request,
    http::{Method, Uri, header},
    response::Response,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use muxsim::{Endpoint, Fault, RateLimit, SigningKey, Sim};
use serde_json::Value;
use shared::clock::Clock;
use tempfile::TempDir;
use time::OffsetDateTime;
use tokio::{net::TcpListener, task::JoinSet};
use tower::ServiceExt;

use super::{
    ground::Ground,
    portal::{ORIGIN, Portal, Role},
    weather::Effect,
};
use crate::{
    issuer::{self, Issuer, Person},
    settings,
};

/// How long a step of the runtime's own clock is, and how often everybody gets a turn before it.
const TICK: Duration = Duration::from_millis(50);
const TURNS: u32 = 8;

/// What came back of a request.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Value,
}

pub(super) struct World {
    pub(super) ground: Arc<Ground>,
    pub(super) portal: Arc<Portal>,
    pub(super) sim: Sim,
    issuer: Issuer,
    /// Session tokens live a minute, and signing one takes longer than most of what it is for.
    tokens: Mutex<BTreeMap<&'static str, (OffsetDateTime, String)>>,
    /// What upload addresses begin with.
    mux_url: String,
    _tasks: JoinSet<()>,
    _folder: TempDir,
}

impl World {
    pub(super) async fn new(
        ground: Arc<Ground>,
        key: &SigningKey,
        seed: u64,
    ) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let portal = Portal::new(Arc::clone(&ground), url.clone(), key.clone()).await?;
        let portal = Arc::new(portal);
        // In memory, where there is such a place: a stand-in writes as if it mattered.
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() {
            tempfile::tempdir_in(memory)?
        } else {
            tempfile::tempdir()?
        };
        let hand: muxsim::Clock = Arc::new({
            let clock = Arc::clone(&ground.clock);
            move || clock.now()
        });
        let mux_url = "http://mux.example".to_owned();
        let mut options = muxsim::Options::new(folder.path().to_owned(), mux_url.clone());
        options.clock = Arc::clone(&hand);
        options.rate_limit = Some(RateLimit::default());
        options.seed = Some(seed);
        // Two at once would end in whatever order real time makes of it.
        options.workers = 1;
        options.endpoints.push(Endpoint {
            address: "http://portal.example/api/webhooks/mux".to_owned(),
            secret: settings::MUX_WEBHOOK_SECRET.to_owned(),
        });
        let endpoint = Arc::clone(&portal);
        options.post = Some(Arc::new(move |request| {
            Box::pin(Arc::clone(&endpoint).webhook(request))
        }));
        let sim = Sim::open(options)?;
        let issuer = Issuer::new(format!("{url}/sign-in"), key, hand)?;
        let mut tasks = JoinSet::new();
        tasks.spawn(tick());
        let outside = outside(&ground, &portal, &sim, &issuer);
        tasks.spawn(async move {
            // It ends with the world.
            let _ = axum::serve(listener, outside).await;
        });
        Ok(Self {
            ground,
            portal,
            sim,
            issuer,
            tokens: Mutex::default(),
            mux_url,
            _tasks: tasks,
            _folder: folder,
        })
    }

    /// What a person asks of the portal; `None`: no answer came.
    pub(super) async fn ask(
        &self,
        person: &'static Person,
        method: Method,
        path: &str,
        key: Option<&str>,
        body: Option<Value>,
    ) -> Option<Answer> {
        let chronicle = &self.ground.chronicle;
        chronicle.count("requests of people");
        let answer = self
            .try_asking(person, method.clone(), path, key, body)
            .await;
        let answer = answer.unwrap_or_else(|error| {
            chronicle.broke("starts", format!("{error:#}"));
            None
        });
        chronicle.tell(|| {
            let status = answer.as_ref().map(|it| it.status);
            format!("{} {method} {path}: {status:?}", person.id)
        });
        answer
    }

    async fn try_asking(
        &self,
        person: &'static Person,
        method: Method,
        path: &str,
        key: Option<&str>,
        body: Option<Value>,
    ) -> anyhow::Result<Option<Answer>> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::ORIGIN, ORIGIN)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::AUTHORIZATION, self.bearer(person)?);
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let body = body.map_or_else(Body::empty, |it| Body::from(it.to_string()));
        let request = request.body(body)?;
        let process = self.portal.process(Role::Web)?;
        let work = async { read(process.router.clone().oneshot(request).await).await };
        Ok(self.portal.within(&process, work).await)
    }

    fn bearer(&self, person: &'static Person) -> anyhow::Result<String> {
        let now = self.ground.clock.now();
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((until, token)) = tokens.get(person.id)
            && now < *until
        {
            return Ok(format!("Bearer {token}"));
        }
        let token = self.issuer.token(person, ORIGIN)?;
        tokens.insert(person.id, (now + issuer::LIFE, token.clone()));
        Ok(format!("Bearer {token}"))
    }

    /// Sends a file to Mux. Whether it was taken.
    pub(super) async fn send(&self, url: &str, file: &'static [u8]) -> bool {
        let path = url.strip_prefix(&self.mux_url).unwrap_or(url);
        let request = Request::put(path).body(Body::from(file));
        let Ok(request) = request else {
            return false;
        };
        let answer = read(self.sim.router().oneshot(request).await).await;
        self.ground
            .chronicle
            .tell(|| format!("a file of {} bytes is sent: {}", file.len(), answer.status));
        answer.status == 200
    }

    /// What Mux's API says, to whoever owns the account.
    pub(super) async fn mux(&self, method: Method, path: &str) -> Answer {
        let pair = format!("{}:{}", settings::MUX_TOKEN_ID, settings::MUX_TOKEN_SECRET);
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(
                header::AUTHORIZATION,
                format!("Basic {}", STANDARD.encode(pair)),
            )
            .body(Body::empty());
        match request {
            Ok(request) => read(self.sim.router().oneshot(request).await).await,
            Err(_) => Answer {
                status: 0,
                body: Value::Null,
            },
        }
    }

    /// Somebody deletes at Mux what was made of a video, past the portal.
    pub(super) async fn delete_at_mux(&self, id: &str) {
        let found = self.mux(Method::GET, "/video/v1/assets?limit=100").await;
        let assets = found.body["data"].as_array().cloned().unwrap_or_default();
        for asset in assets.iter().filter(|it| it["passthrough"] == *id) {
            let path = format!(
                "/video/v1/assets/{}",
                asset["id"].as_str().unwrap_or_default()
            );
            let before = self.drops();
            let status = self.mux(Method::DELETE, &path).await.status;
            let chronicle = &self.ground.chronicle;
            chronicle.tell(|| format!("deleted at mux: {id}: {status}"));
            if self.drops() > before {
                chronicle.count("deletions at mux that nobody was told of");
            }
        }
    }

    fn drops(&self) -> usize {
        let mishaps = self.sim.mishaps().unwrap_or_default();
        mishaps.iter().filter(|it| it.fault == Fault::Drop).count()
    }
}

async fn read(response: Result<Response, std::convert::Infallible>) -> Answer {
    let Ok(response) = response;
    let status = response.status().as_u16();
    let body = to_bytes(response.into_body(), usize::MAX).await;
    Answer {
        status,
        body: serde_json::from_slice(&body.unwrap_or_default()).unwrap_or_default(),
    }
}

/// Lets the runtime's own clock go on, slowly. A paused clock would jump to the next timeout whenever
/// everybody waits, also when they wait for a packet that is on its way; this way packets arrive first.
async fn tick() {
    loop {
        for _ in 0..TURNS {
            tokio::task::yield_now().await;
        }
        tokio::time::sleep(TICK).await;
    }
}

/// What the product reaches over the network: Mux's API, each process at an address of its own, and the
/// keys of the sign-in service.
fn outside(ground: &Arc<Ground>, portal: &Arc<Portal>, sim: &Sim, issuer: &Issuer) -> Router {
    let (ground, portal, mux) = (Arc::clone(ground), Arc::clone(portal), sim.router());
    let call = async move |mut request: Request| {
        let uri = request.uri().to_string();
        let (number, path) = uri
            .strip_prefix("/process/")
            .and_then(|it| it.split_once("/mux"))
            .unwrap_or_default();
        let number = number.parse().unwrap_or_default();
        *request.uri_mut() = path.parse().unwrap_or(Uri::from_static("/"));
        let dies = ground.weather.dies_at_mux();
        ground
            .chronicle
            .tell(|| format!("  p{number} mux {path}: dies {dies:?}"));
        ground.chronicle.count("calls of mux");
        if dies == Some(Effect::NotDone) {
            portal.kill(number);
        }
        let Ok(response) = mux.clone().oneshot(request).await;
        if dies == Some(Effect::Done) {
            portal.kill(number);
        }
        response
    };
    Router::new()
        .nest("/sign-in", issuer.router())
        .fallback(call)
}
