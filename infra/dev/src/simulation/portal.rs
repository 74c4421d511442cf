//! The product's processes. Each is what `boot` makes of one deployment; a crash ends it with all that
//! it was doing, at whatever await it stood, and the next invocation finds a fresh one.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use aws_sdk_dynamodb::config::retry::RetryPartition;
use axum::{
    Router,
    body::{Body, to_bytes},
    extract::Request,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use muxsim::SigningKey;
use serde_json::Value;
use shared::{
    app::App,
    boot::{self, Clients},
    clock::Clock,
    config::Config,
    ids::IdSource,
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::{ground::Ground, invariants, mutant::Mutant, weather::Service, wire::Wire};
use crate::{aws, permissions, settings};

/// The page that all requests come from.
pub(super) const ORIGIN: &str = "https://portal.example";

/// Which of the processes is meant: those that answer requests, or those that a schedule wakes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    Web,
    Job,
}

/// One running process.
#[derive(Clone)]
pub(super) struct Process {
    pub(super) number: u32,
    pub(super) app: App,
    pub(super) router: Router,
    death: CancellationToken,
}

/// All processes, dead and alive.
pub(super) struct Portal {
    ground: Arc<Ground>,
    /// Where Mux and the sign-in service listen.
    url: String,
    key: SigningKey,
    queue_url: String,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    running: BTreeMap<Role, Process>,
    deaths: BTreeMap<u32, CancellationToken>,
    acknowledged: BTreeSet<String>,
}

impl Portal {
    /// Makes the table and the queue, while nothing goes wrong yet.
    pub(super) async fn new(
        ground: Arc<Ground>,
        url: String,
        key: SigningKey,
    ) -> anyhow::Result<Self> {
        let mut portal = Self {
            ground,
            url,
            key,
            queue_url: String::new(),
            state: Mutex::default(),
        };
        let clients = portal.clients(0, &CancellationToken::new());
        aws::create_table(&clients.dynamodb).await?;
        portal.queue_url = aws::create_queue(&clients.sqs).await?;
        Ok(portal)
    }

    /// A living process: the one that runs, or a fresh one.
    pub(super) fn process(&self, role: Role) -> anyhow::Result<Process> {
        let mut state = self.state();
        if let Some(process) = state.running.get(&role)
            && !process.death.is_cancelled()
        {
            return Ok(process.clone());
        }
        let number = u32::try_from(state.deaths.len()).unwrap_or(u32::MAX) + 1;
        let death = CancellationToken::new();
        let app = self.boot(number, &death)?;
        let process = Process {
            number,
            router: permissions::router(Arc::clone(&app)),
            app,
            death: death.clone(),
        };
        state.deaths.insert(number, death);
        state.running.insert(role, process.clone());
        self.ground
            .chronicle
            .tell(|| format!("process {number} starts ({role:?})"));
        Ok(process)
    }

    fn boot(&self, number: u32, death: &CancellationToken) -> anyhow::Result<App> {
        let mut variables = settings::variables_with(&self.url, &self.queue_url, &self.key);
        variables.insert("ALLOWED_ORIGINS", ORIGIN.to_owned());
        variables.insert("PUBLIC_URL", ORIGIN.to_owned());
        // By its own address, a call that kills its caller knows whom it kills.
        let mux = format!("{}/process/{number}/mux", self.url);
        variables.insert("MUX_API_URL", mux);
        let config = Config::read(|name| variables.get(name).cloned())?;
        let clock: Arc<dyn Clock> = self.ground.clock.clone();
        let ground = Arc::clone(&self.ground);
        let ids = IdSource::new(Arc::clone(&clock), move |bytes| ground.fill(bytes));
        let clients = self.clients(number, death);
        Ok(boot::assemble(config, clock, ids, clients)?)
    }

    /// The real clients of production, but for how they reach what they call. What they would draw at
    /// random is fixed, and the allowance for retries is each process's own, as in production.
    fn clients(&self, number: u32, death: &CancellationToken) -> Clients {
        let wire = |service| Wire {
            service,
            ground: Arc::clone(&self.ground),
            process: number,
            death: death.clone(),
        };
        let retries = || boot::retries().with_use_static_exponential_base(true);
        let dynamodb = aws::dynamodb_config()
            .endpoint_url("http://table")
            .http_client(wire(Service::Table))
            .retry_config(retries())
            .retry_partition(RetryPartition::custom("table").build());
        let sqs = aws::sqs_config()
            .endpoint_url("http://queue")
            .http_client(wire(Service::Queue))
            .retry_config(retries())
            .retry_partition(RetryPartition::custom("queue").build());
        Clients {
            dynamodb: aws_sdk_dynamodb::Client::from_conf(dynamodb.build()),
            sqs: aws_sdk_sqs::Client::from_conf(sqs.build()),
            explorer: None,
            federation: None,
        }
    }

    /// Lets a process work until it is done or dies; `None`: it died.
    pub(super) async fn within<T>(
        &self,
        process: &Process,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        tokio::select! {
            biased;
            () = process.death.cancelled() => {
                let number = process.number;
                self.ground.chronicle.tell(|| format!("process {number} has died"));
                self.ground.chronicle.count("invocations cut off by a crash");
                None
            }
            done = work => Some(done),
        }
    }

    /// Ends a process with all that it is doing.
    pub(super) fn kill(&self, number: u32) {
        if let Some(death) = self.state().deaths.get(&number) {
            death.cancel();
        }
    }

    /// How many processes have died.
    pub(super) fn crashes(&self) -> usize {
        let state = self.state();
        state.deaths.values().filter(|it| it.is_cancelled()).count()
    }

    /// The ids of all events that Mux was told are taken.
    pub(super) fn acknowledged(&self) -> BTreeSet<String> {
        self.state().acknowledged.clone()
    }

    /// Takes a webhook of Mux, and looks at once whether what is acknowledged is durable.
    pub(super) async fn webhook(self: Arc<Self>, request: Request) -> Option<Response> {
        let (parts, body) = request.into_parts();
        let body = to_bytes(body, usize::MAX).await.ok()?;
        let event: Value = serde_json::from_slice(&body).unwrap_or_default();
        let (id, kind) = (text(&event["id"]), text(&event["type"]));
        let chronicle = &self.ground.chronicle;
        chronicle.count("events delivered");
        chronicle.tell(|| format!("webhook {kind} {id}"));
        let request = Request::from_parts(parts, Body::from(body));
        let response = match self.ground.mutant {
            Some(Mutant::AnswersEarly) => {
                // Nobody waits for it: that is the mistake.
                let portal = Arc::clone(&self);
                tokio::spawn(async move { portal.answer(request).await });
                StatusCode::OK.into_response()
            }
            Some(Mutant::SwallowsFailure) => {
                let response = self.answer(request).await?;
                if response.status().is_server_error() {
                    StatusCode::OK.into_response()
                } else {
                    response
                }
            }
            Some(
                Mutant::DeletesFirst
                | Mutant::Unguarded
                | Mutant::UnguardedEvents
                | Mutant::ForgetsQueue,
            )
            | None => self.answer(request).await?,
        };
        chronicle.tell(|| format!("webhook {kind} {id} is answered {}", response.status()));
        if response.status().is_success() {
            invariants::is_durable(&self.ground, &id);
            self.state().acknowledged.insert(id);
        }
        Some(response)
    }

    async fn answer(&self, request: Request) -> Option<Response> {
        let process = match self.process(Role::Web) {
            Ok(process) => process,
            Err(error) => {
                self.ground.chronicle.broke("starts", format!("{error:#}"));
                return None;
            }
        };
        let Ok(response) = self
            .within(&process, process.router.clone().oneshot(request))
            .await?;
        Some(response)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
