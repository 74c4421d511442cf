//! Metrics, as log lines in CloudWatch's embedded format: the platform reads them out of the log, and
//! no call is made
//! (`CloudWatch_Embedded_Metric_Format_Specification.html` of the CloudWatch user guide).

use std::{fmt, io};

use serde_json::json;
use time::OffsetDateTime;
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::layer::{Context, Layer};

/// The target of metrics among what is traced: the log leaves them to [`Embedded`].
pub const TARGET: &str = "metric";

/// Where CloudWatch shows them.
const NAMESPACE: &str = "MotionMavericks";

/// Writes one value down. The unit is one of CloudWatch's.
pub fn emit(at: OffsetDateTime, name: &str, unit: &str, value: u64) {
    let millis = i64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX);
    tracing::info!(target: TARGET, name, unit, value, at = millis);
}

/// Turns metrics into lines of the embedded format, and writes them there.
pub struct Embedded<F>(pub F);

impl<S: Subscriber, W: io::Write, F: Fn() -> W + 'static> Layer<S> for Embedded<F> {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() != TARGET {
            return;
        }
        let mut metric = Metric::default();
        event.record(&mut metric);
        let mut line = metric.line();
        line.push('\n');
        // A log that nobody reads is no reason to fail.
        let _ = (self.0)().write_all(line.as_bytes());
    }
}

#[derive(Default)]
struct Metric {
    name: String,
    unit: String,
    value: u64,
    at: i64,
}

impl Metric {
    fn line(&self) -> String {
        json!({
            "_aws": {
                "Timestamp": self.at,
                "CloudWatchMetrics": [{
                    "Namespace": NAMESPACE,
                    "Dimensions": [[]],
                    "Metrics": [{"Name": self.name, "Unit": self.unit}],
                }],
            },
            self.name.as_str(): self.value,
        })
        .to_string()
    }
}

impl Visit for Metric {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "name" => value.clone_into(&mut self.name),
            "unit" => value.clone_into(&mut self.unit),
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
    use super::Metric;

    #[test]
    fn a_metric_is_one_line_that_cloudwatch_reads() {
        let metric = Metric {
            name: "DeadLetters".to_owned(),
            unit: "Count".to_owned(),
            value: 7,
            at: 1_767_607_200_000,
        };
        assert_eq!(
            metric.line(),
            r#"{"DeadLetters":7,"_aws":{"CloudWatchMetrics":[{"Dimensions":[[]],"Metrics":[{"Name":"DeadLetters","Unit":"Count"}],"Namespace":"MotionMavericks"}],"Timestamp":1767607200000}}"#
        );
    }
}
