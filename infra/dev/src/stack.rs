//! The stack: what it is made of, how it starts, how it ends.

use std::{
    convert::Infallible,
    error::Error,
    fs::File,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use axum::{
    Router,
    extract::Request,
    http::{HeaderValue, header},
    response::Response,
};
use muxsim::{Endpoint, RateLimit, SigningKey, Sim};
use serde::{Deserialize, Serialize};
use shared::{
    address,
    app::App,
    audit, boot,
    clock::{Clock, SystemClock},
    config::Config,
    costs, dlq,
    ids::IdSource,
    reconcile,
    router::Deployable,
    shares, telemetry, vendors,
};
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;
use tower::{Service, ServiceExt, service_fn};
use tower_http::{
    services::{ServeDir, ServeFile},
    set_header::SetResponseHeaderLayer,
};

use crate::{
    aws::{self, Aws},
    chaos::Gate,
    collector::{self, Collector},
    cost_explorer::CostExplorer,
    issuer::Issuer,
    mail::MailBox,
    permissions, proxy, settings,
};

/// How long requests that are under way may take when the stack ends: a player keeps connections open.
const PATIENCE: Duration = Duration::from_secs(2);

/// Variables that the stack takes from its own environment, over its own values.
const TRIED_OUT: [&str; 7] = [
    "BUDGETS",
    "COST_EXPLORER_TAG",
    "LIMITS",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_HEADERS",
    "OTEL_TRACES_SAMPLER_ARG",
    "PRICES",
];

/// Where the stack is and what it keeps.
#[derive(Debug, Clone)]
pub struct Place {
    pub folder: PathBuf,
    /// Ports on loopback; 0 takes any that is free.
    pub port: u16,
    pub dynamodb_port: u16,
    pub sqs_port: u16,
    /// Where `cargo lambda watch` runs the functions, if not in this stack.
    pub functions: Option<String>,
}

/// What a stack stands on: for who wants to disturb it.
pub struct Ground {
    /// The time of everything in the stack.
    pub clock: Arc<dyn Clock>,
    /// What lies between the functions and the table, and between them and Mux's API.
    pub gates: Option<(Gate, Gate)>,
    /// Variables over the stack's own.
    pub variables: Vec<(&'static str, String)>,
}

impl Default for Ground {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            gates: None,
            variables: Vec::new(),
        }
    }
}

/// A running stack.
pub struct Stack {
    /// Where everything is.
    pub url: String,
    /// The variables that its functions were given.
    pub variables: Vec<(&'static str, String)>,
    /// What an AWS SDK in another process needs besides.
    pub aws: Aws,
    pub mux: Sim,
    stop: CancellationToken,
    tasks: JoinSet<()>,
    /// Held while the stack runs; whatever ends the process lets it go.
    _folder: File,
}

/// The keys of a folder: the same ones after a restart.
#[derive(Serialize, Deserialize)]
struct Keys {
    playback: SigningKey,
    sessions: SigningKey,
    /// Base64 of PKCS#8. A folder of an earlier version has none yet.
    #[serde(default)]
    audit: Option<String>,
}

impl Stack {
    /// Starts everything. When this returns, it answers.
    pub async fn start(place: &Place) -> anyhow::Result<Self> {
        Self::start_on(place, Ground::default()).await
    }

    /// The same on other ground.
    pub async fn start_on(place: &Place, ground: Ground) -> anyhow::Result<Self> {
        let clock = ground.clock;
        std::fs::create_dir_all(&place.folder)
            .with_context(|| format!("cannot keep state in {}", place.folder.display()))?;
        let folder = lock(&place.folder)?;
        let listener = listen(place.port, "--port").await?;
        let dynamodb = listen(place.dynamodb_port, "--dynamodb-port").await?;
        let sqs = listen(place.sqs_port, "--sqs-port").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let keys = keys(&place.folder)?;
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let mut aws = Aws::start(
            Some(&place.folder),
            Arc::clone(&clock),
            dynamodb,
            sqs,
            &stop,
            &mut tasks,
        )
        .await?;
        let mut variables = settings::variables(&url, &aws, &keys.playback);
        let smtp = listen(0, "--port").await?;
        let (letters, smtp) = MailBox::listen(smtp, stop.clone(), &mut tasks)?;
        variables.insert("SMTP_URL", format!("smtp://{smtp}"));
        let traces = format!("{url}{}", collector::PATH);
        variables.insert("OTEL_EXPORTER_OTLP_ENDPOINT", traces);
        // The variables that are worth trying out here.
        for name in TRIED_OUT {
            variables.extend(std::env::var(name).ok().map(|it| (name, it)));
        }
        if let Some((table, api)) = &ground.gates {
            table.open(format!("http://{}", aws.dynamodb), &stop, &mut tasks)?;
            aws.dynamodb = table.address;
            api.open(url.clone(), &stop, &mut tasks)?;
            variables.insert("MUX_API_URL", format!("http://{}/mux", api.address));
        }
        variables.extend(ground.variables);
        variables.extend(keys.audit.clone().map(|key| ("AUDIT_SIGNING_KEY", key)));
        let mux = mux(place, &url, &keys.playback, told(&clock))?;
        let issuer = Issuer::new(format!("{url}/sign-in"), &keys.sessions, told(&clock))?;
        let api = match &place.functions {
            None => {
                let lookup = |name: &str| variables.get(name).cloned();
                let explorer = aws::explorer(&format!("{url}/cost-explorer"));
                let app = app(lookup, &aws, explorer, Arc::clone(&clock))?;
                schedule(&app, &stop, &mut tasks);
                address::told_by(permissions::router(app), address::peer)
            }
            Some(functions) => proxy::router(functions),
        };
        let all = Router::new()
            .nest("/mux", mux.router())
            .nest("/sign-in", issuer.router())
            .nest_service("/cost-explorer", CostExplorer::inventing().router())
            .merge(letters.router())
            .merge(Collector::default().router())
            .fallback_service(beside(api, pages()));
        tasks.spawn(serve(listener, all, stop.clone()));
        let (work, stopped) = (mux.clone(), stop.clone());
        tasks.spawn(async move { work.run(stopped).await });
        Ok(Self {
            url,
            variables: variables.into_iter().collect(),
            aws,
            mux,
            stop,
            tasks,
            _folder: folder,
        })
    }

    /// Ends everything, and waits until it has ended.
    pub async fn stop(mut self) {
        self.stop.cancel();
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(PATIENCE, ended).await.is_err() {
            self.tasks.shutdown().await;
        }
    }
}

/// Two stacks on one folder would each undo what the other one does.
fn lock(folder: &Path) -> anyhow::Result<File> {
    let file = File::create(folder.join("lock"))?;
    let taken = || {
        format!(
            "{} is in use by another stack: choose another with --folder",
            folder.display()
        )
    };
    file.try_lock().with_context(taken)?;
    Ok(file)
}

async fn listen(port: u16, flag: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(("127.0.0.1", port))
        .await
        .with_context(|| format!("port {port} is taken: choose another with {flag}"))
}

fn keys(folder: &Path) -> anyhow::Result<Keys> {
    let path = folder.join("keys.json");
    let mut keys = match std::fs::read(&path) {
        Ok(text) => serde_json::from_slice(&text).with_context(|| {
            format!(
                "{} is damaged: delete it, and sign in again",
                path.display()
            )
        })?,
        Err(_) => Keys {
            playback: SigningKey::generate("local-playback-key")?,
            sessions: SigningKey::generate("ins_local")?,
            audit: None,
        },
    };
    if keys.audit.is_some() {
        return Ok(keys);
    }
    keys.audit = Some(audit_verify::SigningKey::generate()?);
    // Written whole or not at all: a half-written file would stop every later start.
    let half = path.with_extension("half");
    std::fs::write(&half, serde_json::to_vec(&keys)?)?;
    std::fs::rename(half, &path)?;
    Ok(keys)
}

fn mux(place: &Place, url: &str, key: &SigningKey, clock: muxsim::Clock) -> anyhow::Result<Sim> {
    let mut options = muxsim::Options::new(place.folder.join("mux"), format!("{url}/mux"));
    settings::MUX_TOKEN_ID.clone_into(&mut options.token_id);
    settings::MUX_TOKEN_SECRET.clone_into(&mut options.token_secret);
    options.clock = clock;
    options.signing_keys.push(key.clone());
    options.rate_limit = Some(RateLimit::default());
    options.ffmpeg = muxsim::find_ffmpeg(std::env::var_os("PATH").as_deref());
    options.endpoints.push(Endpoint {
        address: format!("{url}/api/webhooks/mux"),
        secret: settings::MUX_WEBHOOK_SECRET.to_owned(),
    });
    Ok(Sim::open(options)?)
}

/// The same clock, as the stand-ins want it.
fn told(clock: &Arc<dyn Clock>) -> muxsim::Clock {
    let clock = Arc::clone(clock);
    Arc::new(move || clock.now())
}

/// Wakes every job as often as schedules do in a deployment, each in its own role.
fn schedule(app: &App, stop: &CancellationToken, tasks: &mut JoinSet<()>) {
    use Deployable::{AuditSeal, DlqReplay, Reconcile, Retire, Usage, Watch};
    const MINUTE: time::Duration = time::Duration::MINUTE;
    let given = |job| (job, app.clone(), stop.clone());
    tasks.spawn(every(MINUTE, given(DlqReplay), async |it| {
        dlq::replay(it).await.map(drop)
    }));
    tasks.spawn(every(MINUTE, given(Retire), async |it| {
        shares::retire(it).await.map(drop)
    }));
    tasks.spawn(every(5 * MINUTE, given(Reconcile), async |it| {
        reconcile::reconcile(it).await.map(drop)
    }));
    tasks.spawn(every(5 * MINUTE, given(AuditSeal), async |it| {
        audit::seal(it).await.map(drop)
    }));
    tasks.spawn(every(MINUTE, given(Watch), async |it| {
        vendors::watch(it).await.map(drop)
    }));
    tasks.spawn(every(60 * MINUTE, given(Usage), async |it| {
        costs::usage(it).await.map(drop)
    }));
}

async fn every<E: Error + 'static>(
    pause: time::Duration,
    (function, app, stop): (Deployable, App, CancellationToken),
    job: impl AsyncFn(&App) -> Result<(), E>,
) {
    loop {
        tokio::select! {
            () = app.clock.pause(pause) => {}
            () = stop.cancelled() => return,
        }
        if let Err(error) = permissions::within(function, job(&app)).await {
            tracing::error!(error = telemetry::chain(&error), "a job failed");
        }
    }
}

/// Every function, as it would run by itself.
fn app(
    lookup: impl Fn(&str) -> Option<String>,
    aws: &Aws,
    explorer: costs::Explorer,
    clock: Arc<dyn Clock>,
) -> anyhow::Result<App> {
    let config = Config::read(lookup)?;
    let ids = IdSource::new(Arc::clone(&clock), |bytes| rand::fill(bytes));
    let mut clients = aws.clients();
    clients.explorer = Some(explorer);
    Ok(boot::assemble(config, clock, ids, clients)?)
}

/// The functions at `/api/`, pages everywhere else. Not as a route: its wildcard would count as a
/// parameter of the functions' own routes.
fn beside(
    api: Router,
    pages: Router,
) -> impl Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone {
    service_fn(move |request: Request| {
        let to_api = request.uri().path().starts_with("/api/");
        let router = if to_api { api.clone() } else { pages.clone() };
        router.oneshot(request)
    })
}

/// The browser's part: plain files, read anew every time.
fn pages() -> Router {
    let web = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../web");
    let layer =
        |name, value| SetResponseHeaderLayer::overriding(name, HeaderValue::from_static(value));
    Router::new()
        .route_service("/s/{token}", ServeFile::new(web.join("share.html")))
        .fallback_service(ServeDir::new(web))
        .layer(layer(header::CACHE_CONTROL, "no-cache"))
        .layer(layer(header::REFERRER_POLICY, "no-referrer"))
        .layer(layer(header::X_FRAME_OPTIONS, "DENY"))
}

async fn serve(listener: TcpListener, all: Router, stop: CancellationToken) {
    let all = all.into_make_service_with_connect_info::<SocketAddr>();
    let serving = axum::serve(listener, all).with_graceful_shutdown(stop.cancelled_owned());
    if let Err(error) = serving.await {
        tracing::error!(%error, "the stack stopped answering");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_an_earlier_version_is_given_the_key_that_it_lacks_and_keeps_it() {
        let folder = tempfile::tempdir().unwrap();
        let first = keys(folder.path()).unwrap();
        let path = folder.path().join("keys.json");
        let mut earlier = serde_json::to_value(&first).unwrap();
        earlier.as_object_mut().unwrap().remove("audit");
        std::fs::write(&path, earlier.to_string()).unwrap();
        let second = keys(folder.path()).unwrap();
        assert_eq!(second.playback.private_key, first.playback.private_key);
        assert!(second.audit.is_some());
        assert_eq!(keys(folder.path()).unwrap().audit, second.audit);
    }
}
