//! What a request leaves in the log: one line, with its id, its route (never its path: a path may be
//! a capability), its status and its time; and the whole chain of causes when it failed.

use std::{
    collections::HashMap,
    error::Error,
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderName, HeaderValue},
    middleware::Next,
    response::Response,
};
use tracing::{Instrument, Subscriber};
use tracing_subscriber::{
    EnvFilter,
    filter::filter_fn,
    fmt::format::{Format, Json, JsonFields},
    layer::{Layer, SubscriberExt},
    registry::LookupSpan,
    util::SubscriberInitExt,
};

use crate::{
    app::App,
    ids::RequestId,
    metrics::{self, Embedded},
    problem::Cause,
    slo::{self, Objective},
    traces::{self, AfterAnswer, Operation, Recording},
};

/// Whatever `RUST_LOG` says: these write bodies and addresses into the log when they are asked for more.
const QUIET: [&str; 8] = [
    "aws_config=warn",
    "aws_sdk_costexplorer=warn",
    "aws_sdk_dynamodb=warn",
    "aws_sdk_sqs=warn",
    "aws_sdk_sts=warn",
    "aws_smithy_runtime=warn",
    "hyper_util=warn",
    "reqwest=warn",
];

/// And this proves what was sealed.
const LOUD: &str = "audit_head=info";

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Logs JSON, one object a line, on standard output. `RUST_LOG` filters; a second call changes nothing.
pub fn start() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    log_filtered(filter, io::stdout);
}

/// The same, filtered by this, somewhere else.
pub fn log<W: io::Write + 'static>(
    filter: &str,
    to: impl Fn() -> W + Clone + Send + Sync + 'static,
) {
    log_filtered(EnvFilter::new(filter), to);
}

fn log_filtered<W: io::Write + 'static>(
    filter: EnvFilter,
    to: impl Fn() -> W + Clone + Send + Sync + 'static,
) {
    let filter = QUIET
        .iter()
        .chain([&LOUD])
        .filter_map(|it| it.parse().ok())
        .fold(filter, EnvFilter::add_directive);
    let metric = |event: &tracing::Metadata<'_>| event.target() == metrics::TARGET;
    let lines = lines()
        .with_writer(to.clone())
        .with_filter(filter)
        .with_filter(filter_fn(move |it| !metric(it)));
    let embedded = Embedded(to).with_filter(filter_fn(metric));
    let logging = tracing_subscriber::registry().with(lines).with(embedded);
    // Fails only when something else logs already: then that does.
    let _ = logging.try_init();
}

/// How a line of the log looks.
pub(crate) fn lines<S>() -> tracing_subscriber::fmt::Layer<S, JsonFields, Format<Json>>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
}

/// Who answers a route, and what that promises.
#[derive(Clone, Copy)]
pub struct Answering {
    pub function: &'static str,
    /// Which promise an answer keeps or breaks.
    pub promised: Option<Objective>,
    /// Whether somebody waits for it, to whom it is promised in time.
    pub timed: bool,
}

impl Answering {
    /// Of what is at no route.
    const NOBODY: Self = Self {
        function: "none",
        promised: None,
        timed: false,
    };
}

/// What is needed to tell of a request.
#[derive(Clone)]
pub struct Observed {
    app: App,
    /// The function that answers a route, and what its answers promise.
    functions: Arc<HashMap<&'static str, Answering>>,
}

impl Observed {
    pub fn new(app: App, functions: impl Iterator<Item = (&'static str, Answering)>) -> Self {
        let functions = Arc::new(functions.collect());
        Self { app, functions }
    }
}

/// Gives the request an id and a trace, and tells what became of it: a line of the log, and spans. They
/// are sent when the line is written, before the answer where nothing can be done after it.
pub async fn observe(
    State(observed): State<Observed>,
    mut request: Request,
    next: Next,
) -> Response {
    let Observed { app, functions } = observed;
    let id: RequestId = app.ids.mint();
    let route = request.extensions().get::<MatchedPath>();
    let route = route.map_or("none", MatchedPath::as_str).to_owned();
    let answering = functions.get(route.as_str()).copied();
    let answering = answering.unwrap_or(Answering::NOBODY);
    let function = answering.function;
    let operation = Operation {
        service: function,
        name: format!("{} {route}", request.method()),
        asked: true,
    };
    let recording = Recording::of_request(&app, operation, id.into(), request.headers());
    let span = tracing::info_span!(
        "request",
        request.id = %id,
        trace.id = %recording.trace(),
        function,
        http.method = %request.method(),
        http.route = route
    );
    let recording = recording.logged_in(span.clone());
    request.extensions_mut().insert(id);
    let after = request.extensions_mut().remove::<AfterAnswer>();
    let working = next.run(request).instrument(span.clone());
    let (started, began) = (Instant::now(), app.clock.now());
    let (mut response, recording) = traces::record(recording, working).await;
    tell(&span, &response, started.elapsed());
    let took = app.clock.now() - began;
    slo::answered(&app, answering, response.status(), took);
    if let Some(recording) = recording {
        let failed = response.status().is_server_error();
        app.traces.end(&app, &recording, failed);
    }
    let sending = app.traces.flush(&app, after.as_ref());
    sending.instrument(span).await;
    if let Ok(value) = HeaderValue::from_str(&id.to_string()) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

/// The line of a request.
fn tell(span: &tracing::Span, response: &Response, took: Duration) {
    let _entered = span.enter();
    let status = response.status().as_u16();
    let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let cause = response
        .extensions()
        .get()
        .map(|Cause(cause)| chain(&**cause));
    match cause {
        Some(error) if status >= 500 => {
            tracing::error!(http.status = status, duration_ms, error, "request failed");
        }
        cause => tracing::info!(
            http.status = status,
            duration_ms,
            error = cause,
            "request answered"
        ),
    }
}

/// `outer: middle: root`. No error repeats its source in its own message, so nothing doubles.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |&it| it.source());
    causes
        .map(ToString::to_string)
        .collect::<Vec<String>>()
        .join(": ")
}

#[cfg(test)]
mod tests {
    use super::chain;
    use crate::{shares::ShareError, store::StoreError};

    #[test]
    fn a_chain_names_every_cause_once() {
        let error = ShareError::Store(StoreError::Unavailable("connection reset".into()));
        assert_eq!(
            chain(&error),
            "share link could not be read or written: the table did not answer: connection reset"
        );
    }
}
