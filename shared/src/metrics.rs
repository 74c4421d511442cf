//! Metrics, as log lines in CloudWatch's embedded format: the platform reads them out of the log, and
//! no call is made
//! (`CloudWatch_Embedded_Metric_Format_Specification.html` of the CloudWatch user guide).
//!
//! Every metric there is stands in [`Metric`]; what each means to an operator is in the playbook
//! `observability/upload-telemetry.md`, and a test compares the two.

use std::{fmt, io};

use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::layer::{Context, Layer};

/// The target of metrics among what is traced: the log leaves them to [`Embedded`].
pub const TARGET: &str = "metric";

/// Where CloudWatch shows them.
const NAMESPACE: &str = "MotionMavericks";

macro_rules! metrics {
    ($($(#[$doc:meta])* $name:ident in $unit:ident;)*) => {
        /// Everything that is measured. The name of a variant is the metric's name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Metric {
            $($(#[$doc])* $name,)*
        }

        impl Metric {
            /// All of them, in the order in which they are documented.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The metric's name, and its unit as CloudWatch spells it.
            pub const fn row(self) -> (&'static str, &'static str) {
                match self {
                    $(Self::$name => (stringify!($name), stringify!($unit)),)*
                }
            }
        }
    };
}

metrics! {
    /// An upload was begun: its row is written, and Mux is asked next.
    UploadsBegun in Count;
    /// The size of a file that is to be uploaded, as the uploader says it.
    UploadBytes in Bytes;
    /// Mux did nothing about an upload that was begun.
    UploadsRefused in Count;
    /// A file has arrived at Mux.
    UploadsReceived in Count;
    /// A video can be played.
    UploadsReady in Count;
    /// From the wish to upload until it was known here that the video can be played.
    UploadToReady in Milliseconds;
    /// A file could not be made a video.
    UploadsFailed in Count;
    /// An upload was called off.
    UploadsCancelled in Count;
    /// No file came in time.
    UploadsExpired in Count;

    /// A webhook that proved its sender.
    WebhooksReceived in Count;
    /// One of those whose event had been dealt with before.
    WebhooksDuplicate in Count;
    /// One of those that went into the queue of dead letters.
    WebhooksQueued in Count;
    /// One of those that was sent back to Mux.
    WebhooksFailed in Count;
    /// A webhook that did not prove its sender.
    WebhooksRefused in Count;
    /// From the time of the event, as Mux says it, until it was stored.
    WebhookLag in Milliseconds;

    /// Dead letters that one run, or one operator's request, dealt with.
    LettersReplayed in Count;
    /// The age of the oldest of them.
    LetterAge in Seconds;
    /// A letter failed more often than by chance (S0-103).
    LettersStuck in Count;
    /// A letter is tried no more.
    LettersParked in Count;

    /// Playback tokens that were signed.
    TokensSigned in Count;
    /// Playback tokens that were given out again, instead of being signed.
    TokensRemembered in Count;
    /// A public playback id was given out.
    UnsignedPlayback in Count;

    /// A function went on with the secrets it had: new ones could not be had, or not be used.
    SecretsNotRenewed in Count;

    /// Requests that a limit refused; sampled, so right on average.
    RequestsLimited in Count;
    /// Requests that a limit would have refused, were it enforced; sampled.
    RequestsShadowed in Count;
    /// A link in many hands, or somebody who guesses tokens.
    AbuseNoted in Count;

    /// A try of a call that said that its vendor does not work.
    CallsFailed in Count;
    /// A call that was tried again.
    CallsRetried in Count;
    /// A call that was not made: the breaker is open, or too many wait for their places.
    CallsHeldBack in Count;
    /// A vendor failed too often and is called no more, but for a few trials.
    BreakerOpened in Count;
    /// It works again: for so long it was not called.
    BreakerOpenFor in Seconds;

    /// A run of a job: 1 when it went well, 0 when it did not. Its average is the share that did.
    JobSuccess in Count;
    /// How long a run of a job took.
    JobDuration in Milliseconds;

    /// Time since dead letters were last replayed.
    ReplayAge in Seconds;
    /// Time since Mux was last asked.
    ReconcileAge in Seconds;
    /// Letters in the queue.
    DeadLetters in Count;
    /// Webhooks of this hour and the last that did not prove their sender.
    WebhooksSpoofed in Count;
    /// Webhooks of this hour and the last that could not be dealt with when they came.
    WebhooksFailedOfTenThousand in Count;
    /// Time since everything was last compared with Mux.
    CompareAge in Seconds;
    /// Events of this hour and the last that name nothing of ours.
    EventsUnmatched in Count;
    /// Time since links that are over were last cut.
    RetireAge in Seconds;
    /// Time since the audit log was last sealed.
    AuditSealAge in Seconds;
    /// Videos that the last run of `reconcile` brought further, of which a webhook should have told.
    WebhooksMissed in Count;
    /// Time since it was last learnt what was used.
    UsageAge in Seconds;
    /// Time since what was counted was last added up, and vendors looked after.
    WatchAge in Seconds;
    /// Objectives whose error budget burns so fast that somebody has to look now.
    BudgetsBurningFast in Count;
    /// Objectives whose error budget burns so fast that somebody has to look in the morning.
    BudgetsBurning in Count;
    /// Objectives whose error budget of thirty days is spent.
    BudgetsSpent in Count;
    /// The highest part of a month's budget that any has reached, in percent.
    SpendReached in Percent;
    /// Incidents that are not over.
    IncidentsOpen in Count;
    /// An incident that nobody took care of for a quarter of an hour (S0-045).
    IncidentsEscalated in Count;

    /// Spans of traces that were not sent: their collector did not take them.
    SpansDropped in Count;
}

/// Writes one value down.
pub fn emit(at: OffsetDateTime, metric: Metric, value: u64) {
    emit_of(at, metric, value, ("", ""));
}

/// The same, and once more under a dimension: its name, and one of few values.
pub fn emit_of(
    at: OffsetDateTime,
    metric: Metric,
    value: u64,
    (dimension, of): (&'static str, &str),
) {
    let millis = i64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX);
    let (name, unit) = metric.row();
    tracing::info!(target: TARGET, name, unit, value, at = millis, dimension, of);
}

/// A time as a value. What is before it began took no time: clocks differ.
pub fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.whole_milliseconds()).unwrap_or_default()
}

/// Turns metrics into lines of the embedded format, and writes them there.
pub struct Embedded<F>(pub F);

impl<S: Subscriber, W: io::Write, F: Fn() -> W + 'static> Layer<S> for Embedded<F> {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() != TARGET {
            return;
        }
        let mut measured = Measured::default();
        event.record(&mut measured);
        let mut line = measured.line();
        line.push('\n');
        // A log that nobody reads is no reason to fail.
        let _ = (self.0)().write_all(line.as_bytes());
    }
}

#[derive(Default)]
struct Measured {
    name: String,
    unit: String,
    value: u64,
    at: i64,
    dimension: String,
    of: String,
}

impl Measured {
    fn line(&self) -> String {
        // Without its dimension, too: an alarm looks at all of it.
        let dimensions = if self.dimension.is_empty() {
            json!([[]])
        } else {
            json!([[], [self.dimension]])
        };
        let mut line = json!({
            "_aws": {
                "Timestamp": self.at,
                "CloudWatchMetrics": [{
                    "Namespace": NAMESPACE,
                    "Dimensions": dimensions,
                    "Metrics": [{"Name": self.name, "Unit": self.unit}],
                }],
            },
            self.name.as_str(): self.value,
        });
        if !self.dimension.is_empty() {
            line[&self.dimension] = Value::from(self.of.as_str());
        }
        line.to_string()
    }
}

impl Visit for Measured {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "name" => value.clone_into(&mut self.name),
            "unit" => value.clone_into(&mut self.unit),
            "dimension" => value.clone_into(&mut self.dimension),
            "of" => value.clone_into(&mut self.of),
            _ => {}
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "value" {
            self.value = value;
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        if field.name() == "at" {
            self.at = value;
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}

#[cfg(test)]
mod tests {
    use super::Measured;

    #[test]
    fn a_metric_is_one_line_that_cloudwatch_reads() {
        let mut measured = Measured {
            name: "DeadLetters".to_owned(),
            unit: "Count".to_owned(),
            value: 7,
            at: 1_767_607_200_000,
            ..Measured::default()
        };
        assert_eq!(
            measured.line(),
            r#"{"DeadLetters":7,"_aws":{"CloudWatchMetrics":[{"Dimensions":[[]],"Metrics":[{"Name":"DeadLetters","Unit":"Count"}],"Namespace":"MotionMavericks"}],"Timestamp":1767607200000}}"#
        );
        (measured.dimension, measured.of) = ("job".to_owned(), "retire".to_owned());
        assert_eq!(
            measured.line(),
            r#"{"DeadLetters":7,"_aws":{"CloudWatchMetrics":[{"Dimensions":[[],["job"]],"Metrics":[{"Name":"DeadLetters","Unit":"Count"}],"Namespace":"MotionMavericks"}],"Timestamp":1767607200000},"job":"retire"}"#
        );
    }
}
