//! What one request, or one part of a job, did: collected where it happens, decided on at its end.
//!
//! A use case has no span at hand and should not carry one. So each request collects, as it does for
//! its limits (`limits::told`).

use std::{cell::RefCell, fmt::Display, future::Future, time::Instant};

use axum::http::HeaderMap;
use time::{Duration, OffsetDateTime};
use tracing::Instrument;
use ulid::Ulid;

use super::context::{Asking, Context, SpanId, TraceId};
use crate::app::Parts;

/// How many steps of one request are kept. A request has a dozen; a long run of a job has too many.
const STEPS_MAX: usize = 128;

/// How long a video's trace goes on: what happens later begins a trace of its own, with a link. Whoever
/// stores traces ends them at some time, and one that goes on for months shows nothing.
const TRACE_LIFE: Duration = Duration::hours(24);

/// What is done, and where.
#[derive(Debug, Clone)]
pub struct Operation {
    /// The function, or the job.
    pub service: &'static str,
    /// A route's template, or an operation.
    pub name: String,
    /// Whether somebody outside asks.
    pub asked: bool,
}

/// The spans of one request.
#[derive(Debug)]
pub struct Recording {
    pub(super) operation: Operation,
    pub(super) context: Context,
    pub(super) parent: Option<SpanId>,
    /// Our own page's call, which has no other way to be told: its span, below which one, since when.
    pub(super) page: Option<(SpanId, Option<SpanId>, OffsetDateTime)>,
    pub(super) links: Vec<Context>,
    pub(super) attributes: Vec<(&'static str, String)>,
    pub(super) began: OffsetDateTime,
    pub(super) steps: Vec<Step>,
    pub(super) failed: bool,
    /// Whether anybody will be told: else only the trace's id matters.
    told: bool,
    asked_by: Option<Context>,
    joined: bool,
    begun: u64,
    clock: Instant,
    line: tracing::Span,
}

/// One step of a request: a call of something else.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) name: String,
    pub(super) span: SpanId,
    pub(super) from: Duration,
    pub(super) until: Duration,
    pub(super) failed: bool,
}

tokio::task_local! {
    static AT_HAND: RefCell<Option<Recording>>;
}

impl Recording {
    /// Of a request: in the trace that it names, or in a new one, named after it.
    pub fn of_request(app: &Parts, operation: Operation, id: Ulid, headers: &HeaderMap) -> Self {
        let began = app.clock.now();
        let own = Context::begin(id);
        let mut recording = Self::new(app, operation, own, began);
        if let Some(asking) = Asking::of(headers, began) {
            let asked_by = asking.context;
            recording.context.trace = asked_by.trace;
            recording.parent = Some(asked_by.span);
            recording.page = asking.page_since.map(|since| (asked_by.span, None, since));
            recording.asked_by = Some(asked_by);
        }
        recording
    }

    /// Of a part of a job, named by an id that was minted for it.
    fn of_part(app: &Parts, operation: Operation, id: Ulid, parent: Option<Context>) -> Self {
        let mut recording = Self::new(app, operation, Context::begin(id), app.clock.now());
        if let Some(parent) = parent {
            recording.context.trace = parent.trace;
            recording.parent = Some(parent.span);
            recording.asked_by = Some(parent);
        }
        recording
    }

    fn new(app: &Parts, operation: Operation, context: Context, began: OffsetDateTime) -> Self {
        Self {
            operation,
            context,
            parent: None,
            page: None,
            links: Vec::new(),
            attributes: Vec::new(),
            began,
            steps: Vec::new(),
            failed: false,
            told: app.traces.are_sent(),
            asked_by: None,
            joined: false,
            begun: 0,
            clock: Instant::now(),
            line: tracing::Span::none(),
        }
    }

    /// Which trace it is in.
    pub fn trace(&self) -> TraceId {
        self.context.trace
    }

    /// The span of the log that has the trace's id.
    #[must_use]
    pub fn logged_in(self, line: tracing::Span) -> Self {
        Self { line, ..self }
    }

    /// How long it has taken.
    pub(super) fn elapsed(&self) -> Duration {
        let elapsed = self.clock.elapsed();
        Duration::try_from(elapsed).unwrap_or(Duration::MAX)
    }

    fn join(&mut self, context: Context, since: OffsetDateTime) {
        if context.trace == self.context.trace {
            return;
        }
        if self.joined || self.began - since > TRACE_LIFE {
            self.links.push(context);
            return;
        }
        self.joined = true;
        self.context.trace = context.trace;
        if let Some((_, below, _)) = &mut self.page {
            // Nobody else tells of the page's call: it comes along.
            *below = Some(context.span);
        } else {
            self.links.extend(self.asked_by);
            self.parent = Some(context.span);
        }
        self.line
            .record("trace.id", tracing::field::display(context.trace));
    }
}

/// Does the work of a request or of a part of a job, and gives what was recorded back with its result.
pub async fn record<T>(
    recording: Recording,
    work: impl Future<Output = T>,
) -> (T, Option<Recording>) {
    let recorded = async {
        let done = work.await;
        (done, AT_HAND.with(RefCell::take))
    };
    AT_HAND.scope(RefCell::new(Some(recording)), recorded).await
}

/// A part of a job that belongs to another trace than the job's own, such as one dead letter: recorded
/// by itself, below `parent`. `id` was minted for it.
pub async fn part<T, E>(
    app: &Parts,
    operation: Operation,
    id: Ulid,
    parent: Option<Context>,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let recording = Recording::of_part(app, operation, id, parent);
    let line = tracing::info_span!(
        "part",
        trace.id = %recording.trace(),
        function = recording.operation.service,
        operation = recording.operation.name
    );
    let recording = recording.logged_in(line.clone());
    let (done, recording) = record(recording, work.instrument(line)).await;
    if let Some(recording) = recording {
        app.traces.end(app, &recording, done.is_err());
        // A long run has more parts than there is room for.
        if app.traces.are_many() {
            app.traces.send(app).await;
        }
    }
    done
}

/// The span at hand; what is begun now and goes on elsewhere keeps it. Nothing outside of any request.
pub fn here() -> Option<Context> {
    at_hand(|it| it.context)
}

/// What is at hand turns out to be about something that has a trace already, since this time: it goes on
/// there, with a link to where it came from. If that trace is old, or the request has joined another
/// one, there is only a link.
pub fn join(context: Option<Context>, since: OffsetDateTime) {
    if let Some(context) = context {
        at_hand(|it| it.join(context, since));
    }
}

/// Adds an id of ours. Whatever is not one has no business in a span.
pub fn note(name: &'static str, id: impl Display) {
    at_hand(|it| {
        if it.told && !it.attributes.iter().any(|(known, _)| *known == name) {
            it.attributes.push((name, id.to_string()));
        }
    });
}

/// What is at hand failed, whatever is answered: its spans are sent in any case.
pub fn fail() {
    at_hand(|it| it.failed = true);
}

/// Begins a step: a call of something else. It ends with [`Begun::of`]; one that does not come so far
/// was cut off, and has failed.
pub fn step(name: impl Into<String>) -> Begun {
    let begun = at_hand(|it| {
        it.told.then(|| {
            it.begun += 1;
            (name.into(), it.context.span.child(it.begun), it.elapsed())
        })
    });
    Begun(begun.flatten())
}

/// A step that is under way.
#[must_use]
#[derive(Debug)]
pub struct Begun(Option<(String, SpanId, Duration)>);

impl Begun {
    /// Ends the step with its result.
    pub fn of<T, E>(mut self, result: Result<T, E>) -> Result<T, E> {
        self.end(result.is_err());
        result
    }

    /// Ends the step, well or not.
    pub fn ends(mut self, failed: bool) {
        self.end(failed);
    }

    fn end(&mut self, failed: bool) {
        let Some((name, span, from)) = self.0.take() else {
            return;
        };
        at_hand(|it| {
            if it.steps.len() < STEPS_MAX {
                let until = it.elapsed();
                it.steps.push(Step {
                    name,
                    span,
                    from,
                    until,
                    failed,
                });
            }
        });
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.end(true);
    }
}

fn at_hand<T>(work: impl FnOnce(&mut Recording) -> T) -> Option<T> {
    let done = AT_HAND.try_with(|it| it.try_borrow_mut().ok()?.as_mut().map(work));
    done.ok().flatten()
}
