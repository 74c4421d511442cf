//! From a recording to OTLP's messages (opentelemetry.io/docs/specs/otlp). Pure.

use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value},
    resource::v1::Resource,
    trace::v1::{
        ResourceSpans, ScopeSpans, Span, Status,
        span::{Link, SpanKind},
        status::StatusCode,
    },
};
use time::OffsetDateTime;

use super::{
    context::{Context, SpanId},
    recording::Recording,
};

/// All functions together, as OpenTelemetry's `service.namespace`.
const NAMESPACE: &str = "motion-mavericks-portal";

/// Our pages, as `service.name`.
const PAGE: &str = "browser";

/// A span, and who it is of.
#[derive(Debug)]
pub(super) struct Told {
    service: &'static str,
    span: Span,
}

/// The spans of a recording that has ended.
pub(super) fn spans(recording: &Recording, failed: bool) -> Vec<Told> {
    let Recording {
        operation,
        context,
        began,
        ..
    } = recording;
    let (service, asked) = (operation.service, operation.asked);
    let until = *began + recording.elapsed();
    let kind = if asked {
        SpanKind::Server
    } else {
        SpanKind::Internal
    };
    let mut main = span(*context, &operation.name, kind, (*began, until), failed);
    main.parent_span_id = bytes(recording.parent);
    main.links = recording.links.iter().map(link).collect();
    main.attributes = recording
        .attributes
        .iter()
        .map(|(name, value)| attribute(name, value))
        .collect();
    let steps = recording.steps.iter().map(|step| {
        let at = Context {
            trace: context.trace,
            span: step.span,
        };
        let times = (*began + step.from, *began + step.until);
        let mut span = span(at, &step.name, SpanKind::Client, times, step.failed);
        span.parent_span_id = bytes(Some(context.span));
        Told { service, span }
    });
    let mut told: Vec<Told> = steps.collect();
    if let Some((own, below, since)) = recording.page {
        let at = Context {
            trace: context.trace,
            span: own,
        };
        let mut span = span(
            at,
            &operation.name,
            SpanKind::Client,
            (since, until),
            failed,
        );
        span.parent_span_id = bytes(below);
        told.push(Told {
            service: PAGE,
            span,
        });
    }
    told.push(Told {
        service,
        span: main,
    });
    told
}

/// What is sent: spans by who they are of.
pub(super) fn request(spans: &[Told]) -> ExportTraceServiceRequest {
    let mut all: Vec<(&'static str, Vec<Span>)> = Vec::new();
    for Told { service, span } in spans {
        match all.iter_mut().find(|(known, _)| known == service) {
            Some((_, spans)) => spans.push(span.clone()),
            None => all.push((service, vec![span.clone()])),
        }
    }
    let of_service = all.into_iter().map(|(service, spans)| ResourceSpans {
        resource: Some(Resource {
            attributes: vec![
                attribute("service.name", service),
                attribute("service.namespace", NAMESPACE),
            ],
            ..Resource::default()
        }),
        scope_spans: vec![ScopeSpans {
            scope: Some(InstrumentationScope {
                name: NAMESPACE.to_owned(),
                ..InstrumentationScope::default()
            }),
            spans,
            ..ScopeSpans::default()
        }],
        ..ResourceSpans::default()
    });
    ExportTraceServiceRequest {
        resource_spans: of_service.collect(),
    }
}

fn span(
    at: Context,
    name: &str,
    kind: SpanKind,
    (from, until): (OffsetDateTime, OffsetDateTime),
    failed: bool,
) -> Span {
    Span {
        trace_id: at.trace.bytes().to_vec(),
        span_id: at.span.bytes().to_vec(),
        name: name.to_owned(),
        kind: kind.into(),
        start_time_unix_nano: nanos(from),
        end_time_unix_nano: nanos(until),
        status: failed.then(|| Status {
            code: StatusCode::Error.into(),
            ..Status::default()
        }),
        ..Span::default()
    }
}

fn link(to: &Context) -> Link {
    Link {
        trace_id: to.trace.bytes().to_vec(),
        span_id: to.span.bytes().to_vec(),
        ..Link::default()
    }
}

fn bytes(span: Option<SpanId>) -> Vec<u8> {
    span.map_or_else(Vec::new, |it| it.bytes().to_vec())
}

fn attribute(name: &str, value: &str) -> KeyValue {
    KeyValue {
        key: name.to_owned(),
        value: Some(AnyValue {
            value: Some(Value::StringValue(value.to_owned())),
        }),
        ..KeyValue::default()
    }
}

fn nanos(at: OffsetDateTime) -> u64 {
    u64::try_from(at.unix_timestamp_nanos()).unwrap_or_default()
}
