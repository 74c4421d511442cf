//! The way to the collector. A collector that is away, slow or hostile costs a request a short wait
//! at the most, and that once in a while; the memory for what waits is bounded.

use std::{
    fmt, mem,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::http::{StatusCode, header};
use prost::Message;
use reqwest::redirect::Policy;

use super::{
    Settings,
    encode::{self, Told},
    recording::Recording,
};
use crate::{
    app::{App, Parts},
    metrics::{self, Metric},
    telemetry,
};

/// How long a request waits for the collector before it is answered, where nothing can be done after
/// the answer: Lambda freezes the process with it. A webhook has four seconds for its work and Mux
/// waits for five, so this fits in between.
const WAIT: Duration = Duration::from_millis(250);

/// After a failure, the collector is left alone for this long.
const PAUSE: Duration = Duration::from_secs(30);

/// A collector that takes longer than this is left alone for ten times as long as it took: waiting for
/// it costs a process a tenth of its time at the most.
const SLOW: Duration = Duration::from_millis(50);

/// How many spans wait for the collector: some hundred kilobytes.
const QUEUE: usize = 1_000;

/// What a collector answers that takes the same another time (the OTLP specification, section Failures).
const AGAIN: [StatusCode; 4] = [
    StatusCode::TOO_MANY_REQUESTS,
    StatusCode::BAD_GATEWAY,
    StatusCode::SERVICE_UNAVAILABLE,
    StatusCode::GATEWAY_TIMEOUT,
];

/// Sends traces, if a collector is named.
#[derive(Debug)]
pub struct Traces(Option<Sender>);

#[derive(Debug)]
struct Sender {
    settings: Settings,
    http: reqwest::Client,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    spans: Vec<Told>,
    dropped: u64,
    paused_until: Option<Instant>,
}

/// What the host of a function does after the answer, without keeping anybody waiting. A request that
/// has this in its extensions is answered before its spans are sent.
#[derive(Clone)]
pub struct AfterAnswer(pub Arc<dyn Fn(Work) + Send + Sync>);

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

impl fmt::Debug for AfterAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AfterAnswer")
    }
}

impl Traces {
    /// Whatever is wrong with the settings is said in the log; all else goes on without traces (S4-001).
    pub fn new(settings: &Settings) -> Self {
        for fault in &settings.faults {
            tracing::warn!(fault, "a setting of telemetry is left out");
        }
        if settings.collector.is_none() {
            return Self(None);
        }
        let http = reqwest::Client::builder()
            .timeout(WAIT)
            .pool_max_idle_per_host(0) // a frozen Lambda thaws with connections that are long closed
            .redirect(Policy::none()) // a collector sends our spans, and its key, nowhere else
            .build();
        let http = http.inspect_err(|error| {
            let error = telemetry::chain(error);
            tracing::warn!(error, "traces are not sent");
        });
        Self(http.ok().map(|http| Sender {
            settings: settings.clone(),
            http,
            waiting: Mutex::default(),
        }))
    }

    /// Whether anybody is told anything.
    pub fn are_sent(&self) -> bool {
        self.0.is_some()
    }

    /// Whether so many spans wait that a job should not put them off to its end.
    pub fn are_many(&self) -> bool {
        let sender = self.0.as_ref();
        sender.is_some_and(|it| !it.is_idle() && it.with(|it| it.spans.len() > QUEUE / 4))
    }

    /// A request, or a part of a job, has ended. Its spans are sent if its trace is among those that
    /// are, or if it failed.
    pub fn end(&self, app: &Parts, recording: &Recording, failed: bool) {
        let Some(sender) = &self.0 else { return };
        let failed = failed || recording.failed;
        if failed || recording.trace().is_among(sender.settings.share) {
            sender.queue(encode::spans(recording, failed));
            sender.tell_of_dropped(app);
        }
    }

    /// Sends what waits, before the answer or after it. The wait is short in any case.
    pub async fn flush(&self, app: &App, after: Option<&AfterAnswer>) {
        if self.0.as_ref().is_none_or(Sender::is_idle) {
            return;
        }
        let Some(after) = after else {
            return self.send(app).await;
        };
        let app = Arc::clone(app);
        after.0(Box::pin(async move { app.traces.send(&app).await }));
    }

    /// The same where there is no answer to give: at the end of a job.
    pub async fn send(&self, app: &Parts) {
        if let Some(sender) = &self.0 {
            sender.send().await;
            sender.tell_of_dropped(app);
        }
    }
}

impl Sender {
    fn with<T>(&self, work: impl FnOnce(&mut Waiting) -> T) -> T {
        work(&mut self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether there is nothing to do.
    fn is_idle(&self) -> bool {
        self.with(|it| it.spans.is_empty() || it.is_paused())
    }

    fn queue(&self, spans: Vec<Told>) {
        self.with(|it| {
            if it.spans.len() + spans.len() > QUEUE {
                it.dropped += count(&spans);
            } else {
                it.spans.extend(spans);
            }
        });
    }

    /// What a collector does not take now waits for the next time; what it refuses for good is gone.
    async fn send(&self) {
        let taken = self.with(|it| {
            if it.is_paused() {
                return Vec::new();
            }
            mem::take(&mut it.spans)
        });
        if taken.is_empty() {
            return;
        }
        let started = Instant::now();
        let sending = self.post(encode::request(&taken).encode_to_vec());
        // The client's own timeout ends a call; this one ends whatever else may take its time.
        let sent = tokio::time::timeout(WAIT, sending).await;
        let (error, again) = match sent {
            Ok(Ok(())) => {
                let took = started.elapsed();
                if took > SLOW {
                    self.with(|it| it.paused_until = Some(Instant::now() + 10 * took));
                }
                return;
            }
            Ok(Err(NotSent { error, again })) => (error, again),
            Err(_) => ("the collector did not answer in time".to_owned(), true),
        };
        tracing::warn!(error, "traces were not sent");
        if again {
            self.queue(taken);
        } else {
            self.with(|it| it.dropped += count(&taken));
        }
        self.with(|it| it.paused_until = Some(Instant::now() + PAUSE));
    }

    /// The answer's body is not read: nothing in it would change anything.
    async fn post(&self, body: Vec<u8>) -> Result<(), NotSent> {
        let Some(collector) = self.settings.collector.clone() else {
            return Ok(());
        };
        let call = self
            .http
            .post(collector)
            .headers(self.settings.headers.clone())
            .header(header::CONTENT_TYPE, "application/x-protobuf")
            .body(body);
        let answer = call.send().await;
        // The address may have a key in it.
        let answer = answer.map_err(|error| NotSent {
            error: telemetry::chain(&error.without_url()),
            again: true,
        })?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        Err(NotSent {
            error: format!("the collector answered {}", status.as_u16()),
            again: AGAIN.contains(&status),
        })
    }

    fn tell_of_dropped(&self, app: &Parts) {
        let dropped = self.with(|it| mem::take(&mut it.dropped));
        if dropped > 0 {
            metrics::emit(app.clock.now(), Metric::SpansDropped, dropped);
        }
    }
}

/// Why a collector has not taken what was sent, and whether it may another time.
struct NotSent {
    error: String,
    again: bool,
}

impl Waiting {
    fn is_paused(&self) -> bool {
        self.paused_until
            .is_some_and(|until| Instant::now() < until)
    }
}

fn count(spans: &[Told]) -> u64 {
    u64::try_from(spans.len()).unwrap_or(u64::MAX)
}
