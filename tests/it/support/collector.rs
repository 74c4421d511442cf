//! A collector of traces, as OpenTelemetry's is: it takes OTLP over HTTP, and shows what it was sent.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest, common::v1::any_value::Value, trace::v1::Span,
};
use prost::Message;
use tokio::{net::TcpListener, task::JoinSet};

use super::{TestApp, Wishes};

/// How long a test waits for spans: longer than the pause after a failure.
const PATIENCE: Duration = Duration::from_secs(90);

/// What a collector does with what it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    Takes,
    /// It never answers.
    Hangs,
    /// It answers this.
    Says(StatusCode),
}

/// One span, and who it is of.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) service: String,
    pub(crate) span: Span,
}

impl Seen {
    pub(crate) fn trace(&self) -> String {
        hex::encode(&self.span.trace_id)
    }

    pub(crate) fn id(&self) -> String {
        hex::encode(&self.span.span_id)
    }

    /// Nothing, at the beginning of a trace.
    pub(crate) fn parent(&self) -> String {
        hex::encode(&self.span.parent_span_id)
    }

    /// The traces that it is linked to.
    pub(crate) fn links(&self) -> Vec<String> {
        let links = self.span.links.iter();
        links.map(|it| hex::encode(&it.trace_id)).collect()
    }

    pub(crate) fn failed(&self) -> bool {
        self.span.status.as_ref().is_some_and(|it| it.code == 2)
    }

    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        let found = self.span.attributes.iter().find(|it| it.key == name)?;
        let Value::StringValue(text) = found.value.as_ref()?.value.as_ref()? else {
            return None;
        };
        Some(text)
    }
}

#[derive(Clone)]
struct Shared {
    mood: Mood,
    calls: Arc<AtomicU32>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

pub(crate) struct Collector {
    pub(crate) url: &'static str,
    shared: Shared,
    _tasks: JoinSet<()>,
}

impl Collector {
    pub(crate) async fn new(mood: Mood) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        // The variables of a test are texts that stand there for good.
        let url = format!("http://{}", listener.local_addr().unwrap()).leak();
        let shared = Shared {
            mood,
            calls: Arc::default(),
            seen: Arc::default(),
        };
        let router = Router::new()
            .route("/v1/traces", post(take))
            .with_state(shared.clone());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            url,
            shared,
            _tasks: tasks,
        }
    }

    /// An app that sends its traces here.
    pub(crate) async fn app(&self, variables: &[(&'static str, &'static str)]) -> TestApp {
        let mut variables = variables.to_vec();
        variables.push(("OTEL_EXPORTER_OTLP_ENDPOINT", self.url));
        variables.push(("OTEL_EXPORTER_OTLP_HEADERS", "api-key=of-the-collector"));
        TestApp::with(Wishes {
            shaky_table: true,
            variables,
            ..Wishes::default()
        })
        .await
    }

    /// How often it was called.
    pub(crate) fn calls(&self) -> u32 {
        self.shared.calls.load(Ordering::SeqCst)
    }

    /// Everything that it was sent so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }

    /// Everything, once all of these names are among it. What could not be sent in time on a busy
    /// machine is sent later.
    pub(crate) async fn seen_with(&self, test: &TestApp, names: &[&str]) -> Vec<Seen> {
        let all = async {
            loop {
                let seen = self.seen();
                let has = |name: &&str| seen.iter().any(|it| it.span.name == **name);
                if names.iter().all(has) {
                    return seen;
                }
                test.app.traces.send(&test.app).await;
                tokio::task::yield_now().await;
            }
        };
        let seen = tokio::time::timeout(PATIENCE, all).await;
        let seen = seen.unwrap_or_else(|_| panic!("{names:?} is not in {:#?}", self.seen()));
        let told = format!("{seen:?}");
        assert_eq!(test.canaries.found_in(&told), None, "stands in a span");
        seen
    }
}

async fn take(State(shared): State<Shared>, headers: HeaderMap, body: Bytes) -> StatusCode {
    shared.calls.fetch_add(1, Ordering::SeqCst);
    match shared.mood {
        Mood::Takes => {}
        Mood::Hangs => std::future::pending().await,
        Mood::Says(status) => return status,
    }
    assert_eq!(headers["content-type"], "application/x-protobuf");
    assert_eq!(headers["api-key"], "of-the-collector");
    let told = ExportTraceServiceRequest::decode(body).unwrap();
    let mut seen = shared.seen.lock().unwrap();
    for of_service in told.resource_spans {
        let resource = of_service.resource.unwrap();
        let named = resource
            .attributes
            .iter()
            .find(|it| it.key == "service.name");
        let named = named.unwrap().value.as_ref().unwrap().value.clone();
        let Some(Value::StringValue(service)) = named else {
            panic!("a service has a name");
        };
        for scope in of_service.scope_spans {
            seen.extend(scope.spans.into_iter().map(|span| Seen {
                service: service.clone(),
                span,
            }));
        }
    }
    StatusCode::OK
}
