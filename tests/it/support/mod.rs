//! A test app: the real router over its own embedded table and queue, Mux's stand-in beside it, a
//! clock that the test moves, counted ids.

pub(crate) mod actors;
pub(crate) mod answer;
pub(crate) mod canaries;
pub(crate) mod collector;
pub(crate) mod events;
mod instances;
mod mux;
mod table;
pub(crate) mod timeline;
pub(crate) mod viewer;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use axum::{Router, extract::Request, middleware::map_request};
use dev::{
    aws::{self, Aws, TABLE},
    cost_explorer::CostExplorer,
    issuer::Issuer,
    mail::MailBox,
    permissions::{self, Roles},
    settings,
};
use muxsim::{Endpoint, SigningKey, Sim};
use shared::{
    app::App,
    boot::{self, Clients},
    clock::{Clock, ManualClock},
    config::Config,
    costs::Explorer,
    ids::IdSource,
};
use tempfile::TempDir;
use time::macros::datetime;
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;

pub(crate) use self::{
    actors::{Actor, CRON, Caller},
    answer::Answer,
    events::Story,
    mux::Fault,
    table::{ShakyTable, TableFault},
};
use self::{canaries::Canaries, mux::Faults};

/// The variable that lets a test do more in a moment than anybody may.
pub(crate) const PLENTY: (&str, &str) = (
    "LIMITS",
    "opens-per-address=shadow,opens-per-link=shadow,uploads-per-user=shadow",
);

/// The page that all requests come from.
pub(crate) const ORIGIN: &str = "https://portal.example";

/// Another token of Mux's API, which counts as well.
pub(crate) const NEXT_TOKEN: (&str, &str) = ("next-token", "next-secret");

/// Making a key takes longer than a test; what is signed with it is each test's own.
pub(crate) static KEY: LazyLock<SigningKey> =
    LazyLock::new(|| SigningKey::generate("signingkeyoftests0001").unwrap());

pub(crate) struct TestApp {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) app: App,
    pub(crate) router: Router,
    pub(crate) mux: Sim,
    pub(crate) faults: Faults,
    pub(crate) table: ShakyTable,
    /// What no log may hold of what passes through here.
    pub(crate) canaries: Canaries,
    /// Letters that were sent.
    pub(crate) mail: MailBox,
    sign_ins: Arc<AtomicUsize>,
    pub(crate) issuer: Issuer,
    pub(crate) aws: Aws,
    /// Where the stand-in of Mux and the functions listen.
    pub(crate) url: String,
    /// AWS's own figures, where they were wished for.
    pub(crate) cost_explorer: CostExplorer,
    explorer: Option<Explorer>,
    variables: BTreeMap<&'static str, String>,
    reached: Aws,
    stop: CancellationToken,
    _tasks: JoinSet<()>,
    _folder: TempDir,
}

/// What a test wants to be otherwise than usual.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a wish of its own")]
pub(crate) struct Wishes {
    /// Nothing listens where the table should be.
    pub(crate) no_table: bool,
    /// Nothing listens where the queue should be.
    pub(crate) no_queue: bool,
    /// There is a mail server, whose letters are in `TestApp::mail`.
    pub(crate) mail: bool,
    /// The table can be made to fail, by `TestApp::table`.
    pub(crate) shaky_table: bool,
    /// Mux may be called as often as the real one, and no more.
    pub(crate) rate_limit: bool,
    /// There is a Cost Explorer, `TestApp::cost_explorer`.
    pub(crate) cost_explorer: bool,
    /// Roles of functions in the place of those of `template.yaml`.
    pub(crate) roles: Option<Roles>,
    /// Variables that replace the usual ones.
    pub(crate) variables: Vec<(&'static str, &'static str)>,
}

impl TestApp {
    pub(crate) async fn new() -> Self {
        Self::with(Wishes::default()).await
    }

    /// With these variables in the place of the usual ones.
    pub(crate) async fn given(variables: Vec<(&'static str, &'static str)>) -> Self {
        Self::with(Wishes {
            variables,
            ..Wishes::default()
        })
        .await
    }

    pub(crate) async fn with(wishes: Wishes) -> Self {
        let clock = Arc::new(ManualClock::new(datetime!(2026-01-05 09:00 UTC)));
        let hand: muxsim::Clock = Arc::new({
            let clock = Arc::clone(&clock);
            move || clock.now()
        });
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let aws = Aws::start(
            None,
            clock.clone(),
            listen().await,
            listen().await,
            &stop,
            &mut tasks,
        )
        .await
        .unwrap();
        let listener = listen().await;
        let url = format!("http://{}", listener.local_addr().unwrap());
        let folder = tempfile::tempdir().unwrap();
        let mux = open_mux(folder.path(), &url, &hand, wishes.rate_limit);
        let issuer = Issuer::new(format!("{url}/sign-in"), &KEY, hand).unwrap();
        let table = ShakyTable::default();
        let mut reached = reached(&wishes, &aws);
        if wishes.shaky_table {
            reached.dynamodb = table.before(aws.dynamodb).await;
        }
        let (mail, smtp) = MailBox::listen(listen().await, stop.clone(), &mut tasks).unwrap();
        let smtp = wishes.mail.then(|| format!("smtp://{smtp}"));
        let variables = variables(&wishes, &reached, &url, smtp);
        let cost_explorer = CostExplorer::default();
        let at = format!("{url}/cost-explorer");
        let explorer = wishes.cost_explorer.then(|| aws::explorer(&at));
        let app = assemble(&variables, clock.clone(), &reached, 0, explorer.clone());
        let router = permissions::router(Arc::clone(&app));
        let faults = Faults::default();
        let sign_ins = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&sign_ins);
        let sign_in = issuer.router().layer(map_request(move |request: Request| {
            counted.fetch_add(1, Ordering::SeqCst);
            std::future::ready(request)
        }));
        let all = Router::new()
            .nest("/mux", faults.before(mux.router()))
            .nest("/sign-in", sign_in)
            .nest_service("/cost-explorer", cost_explorer.router())
            .fallback_service(router.clone());
        let stopped = stop.clone().cancelled_owned();
        tasks.spawn(async move {
            axum::serve(listener, all)
                .with_graceful_shutdown(stopped)
                .await
                .unwrap();
        });
        Self {
            clock,
            app,
            router,
            mux,
            faults,
            table,
            canaries: Canaries::new(),
            mail,
            sign_ins,
            issuer,
            aws,
            url,
            stop,
            cost_explorer,
            explorer,
            variables,
            reached,
            _tasks: tasks,
            _folder: folder,
        }
    }

    /// A variable of this app.
    pub(crate) fn variable(&self, name: &str) -> &str {
        &self.variables[name]
    }

    /// How often the sign-in service was asked for its keys.
    pub(crate) fn sign_ins(&self) -> usize {
        self.sign_ins.load(Ordering::SeqCst)
    }

    /// Clients of the table and the queue themselves.
    pub(crate) fn clients(&self) -> Clients {
        unhurried(&self.aws)
    }

    /// In which its functions act.
    pub(crate) fn roles(&self) -> &Roles {
        &self.reached.roles
    }

    /// Every item of the table, as text: for what must not stand there.
    pub(crate) async fn dump(&self) -> String {
        let client = self.clients().dynamodb;
        let items = client.scan().table_name(TABLE).send().await.unwrap();
        let items: Vec<serde_json::Value> =
            serde_dynamo::from_items(items.items.unwrap_or_default()).unwrap();
        serde_json::to_string(&items).unwrap()
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        self.stop.cancel();
        if !std::thread::panicking() {
            self.faults.check_used();
            assert_eq!(self.canaries.found(), None);
            assert_eq!(self.reached.roles.take_denied(), []);
        }
    }
}

pub(crate) async fn listen() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

fn open_mux(folder: &std::path::Path, url: &str, clock: &muxsim::Clock, limited: bool) -> Sim {
    let mut options = muxsim::Options::new(folder.to_owned(), format!("{url}/mux"));
    settings::MUX_TOKEN_ID.clone_into(&mut options.token_id);
    settings::MUX_TOKEN_SECRET.clone_into(&mut options.token_secret);
    let (id, secret) = NEXT_TOKEN;
    options
        .further_tokens
        .push((id.to_owned(), secret.to_owned()));
    options.signing_keys.push(KEY.clone());
    options.clock = Arc::clone(clock);
    options.rate_limit = limited.then(muxsim::RateLimit::default);
    options.endpoints.push(Endpoint {
        address: format!("{url}/api/webhooks/mux"),
        secret: settings::MUX_WEBHOOK_SECRET.to_owned(),
    });
    Sim::open(options).unwrap()
}

fn variables(
    wishes: &Wishes,
    aws: &Aws,
    url: &str,
    smtp: Option<String>,
) -> BTreeMap<&'static str, String> {
    let mut variables = settings::variables(url, aws, &KEY);
    variables.insert(
        "ALLOWED_ORIGINS",
        format!("{ORIGIN},https://studio.example"),
    );
    variables.insert("PUBLIC_URL", ORIGIN.to_owned());
    variables.extend(smtp.map(|it| ("SMTP_URL", it)));
    for (name, value) in &wishes.variables {
        variables.insert(name, (*value).to_owned());
    }
    // Tests make many things at Mux in one moment.
    let limits = variables.entry("LIMITS").or_default();
    if !wishes.rate_limit && !limits.contains("mux-posts") {
        limits.push_str(",mux-posts=shadow");
    }
    variables
}

fn assemble(
    variables: &BTreeMap<&'static str, String>,
    clock: Arc<dyn Clock>,
    aws: &Aws,
    from: u64,
    explorer: Option<Explorer>,
) -> App {
    let config = Config::read(|name| variables.get(name).cloned()).unwrap();
    let ids = IdSource::new(Arc::clone(&clock), counted(from));
    let mut clients = unhurried(aws);
    clients.explorer = explorer;
    boot::assemble(config, clock, ids, clients).unwrap()
}

/// Clients that wait.
fn unhurried(aws: &Aws) -> Clients {
    aws.clients_within(&patience())
}

/// This machine may be busy with other tests.
pub(crate) fn patience() -> TimeoutConfig {
    let timeouts = TimeoutConfig::builder();
    let timeouts = timeouts
        .operation_attempt_timeout(Duration::from_secs(20))
        .operation_timeout(Duration::from_secs(40));
    timeouts.build()
}

/// What the functions reach of the table and the queue.
fn reached(wishes: &Wishes, aws: &Aws) -> Aws {
    // A port of loopback that nothing listens on answers at once: refused.
    let nowhere = SocketAddr::from(([127, 0, 0, 1], 9));
    let reach = |wished: bool, address| if wished { nowhere } else { address };
    Aws {
        dynamodb: reach(wishes.no_table, aws.dynamodb),
        sqs: reach(wishes.no_queue, aws.sqs),
        queue_url: aws.queue_url.clone(),
        roles: wishes.roles.clone().unwrap_or_else(|| aws.roles.clone()),
    }
}

/// Bytes that count, so that snapshots hold literal ids.
fn counted(from: u64) -> impl Fn(&mut [u8]) + Send + Sync {
    let count = AtomicU64::new(from + 1);
    move |bytes: &mut [u8]| {
        let number = count.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        bytes.fill(0);
        let some = bytes.len().min(number.len());
        let start = bytes.len() - some;
        bytes[start..].copy_from_slice(&number[number.len() - some..]);
    }
}
