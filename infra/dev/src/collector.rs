//! The collector of the local stack: it takes traces as OpenTelemetry's does, and shows the latest at
//! `/traces`, as text.

use std::{
    collections::BTreeMap,
    fmt::Write,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::StatusCode,
    routing::{get, post},
};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest, common::v1::any_value::Value, trace::v1::Span,
};
use prost::Message;

/// Where it takes them, below the stack's address.
pub(crate) const PATH: &str = "/otlp";

/// How many spans are kept: those of a few hundred requests.
const KEPT: usize = 5_000;

/// How many traces are shown.
const SHOWN: usize = 50;

/// What stands before a span for each one that it is below.
const INDENT: &str = "  ";

/// The spans that came, the newest last.
#[derive(Clone, Default)]
pub(crate) struct Collector(Arc<Mutex<Vec<Kept>>>);

#[derive(Clone)]
struct Kept {
    service: String,
    span: Span,
}

impl Collector {
    /// `POST /otlp/v1/traces`, and `GET /traces`.
    pub(crate) fn router(self) -> Router {
        let take = async |State(it): State<Self>, body: Bytes| it.take(body);
        let show = async |State(it): State<Self>| it.shown();
        Router::new()
            .route(&format!("{PATH}/v1/traces"), post(take))
            .route("/traces", get(show))
            .with_state(self)
    }

    fn take(&self, body: Bytes) -> StatusCode {
        let Ok(told) = ExportTraceServiceRequest::decode(body) else {
            return StatusCode::BAD_REQUEST;
        };
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for of_service in told.resource_spans {
            let attributes = of_service.resource.iter().flat_map(|it| &it.attributes);
            let mut names = attributes.filter(|it| it.key == "service.name");
            let name = names.next().and_then(|it| it.value.clone()?.value);
            let service = match name {
                Some(Value::StringValue(name)) => name,
                _ => String::new(),
            };
            let spans = of_service.scope_spans.into_iter().flat_map(|it| it.spans);
            kept.extend(spans.map(|span| Kept {
                service: service.clone(),
                span,
            }));
        }
        let over = kept.len().saturating_sub(KEPT);
        kept.drain(..over);
        StatusCode::OK
    }

    /// The latest traces, the newest first; each a tree, the oldest first.
    fn shown(&self) -> String {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut traces: BTreeMap<&[u8], Vec<&Kept>> = BTreeMap::new();
        for it in kept.iter() {
            traces.entry(&it.span.trace_id).or_default().push(it);
        }
        let mut traces: Vec<Vec<&Kept>> = traces.into_values().collect();
        for spans in &mut traces {
            spans.sort_by_key(|it| it.span.start_time_unix_nano);
        }
        let newest = |it: &Vec<&Kept>| it.iter().map(|it| it.span.end_time_unix_nano).max();
        traces.sort_by_key(|it| std::cmp::Reverse(newest(it)));
        let mut page = String::new();
        for spans in traces.iter().take(SHOWN) {
            let id = spans.first().map(|it| hex::encode(&it.span.trace_id));
            let _ = writeln!(page, "{}", id.unwrap_or_default());
            // What is below nothing that came begins a tree of its own.
            let known = |id: &[u8]| spans.iter().any(|it| it.span.span_id == id);
            for root in spans.iter().filter(|it| !known(&it.span.parent_span_id)) {
                write_tree(&mut page, spans, root, 1);
            }
            page.push('\n');
        }
        page
    }
}

fn write_tree(page: &mut String, spans: &[&Kept], at: &Kept, depth: usize) {
    let Span {
        name,
        start_time_unix_nano: from,
        end_time_unix_nano: until,
        ..
    } = &at.span;
    let failed = at.span.status.as_ref().is_some_and(|it| it.code == 2);
    let line = format!("{}{} {name}", INDENT.repeat(depth), at.service);
    let micros = until.saturating_sub(*from) / 1_000;
    let (millis, tenth) = (micros / 1_000, micros % 1_000 / 100);
    let mark = if failed { "  failed" } else { "" };
    let links = match at.span.links.len() {
        0 => String::new(),
        count => format!("  links: {count}"),
    };
    let _ = writeln!(page, "{line:<60} {millis:>6}.{tenth} ms{mark}{links}");
    // A depth that no real trace has: what is sent here may be anything.
    if depth < 20 {
        let below = spans
            .iter()
            .filter(|it| it.span.parent_span_id == at.span.span_id);
        for it in below {
            write_tree(page, spans, it, depth + 1);
        }
    }
}
