//! What is told of the collector. Nothing here stops a start (S4-001): what is wrong is said in the
//! log, and then nothing is sent.

use std::fmt;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use url::Url;

/// Where traces are sent, and which.
#[derive(Clone, Default)]
pub struct Settings {
    /// The collector's address for traces. Nothing is sent without one.
    pub(super) collector: Option<Url>,
    /// What is sent along, such as a key. They may be secrets: `Debug` shows none.
    pub(super) headers: HeaderMap,
    /// Which share of traces is sent, from 0 to 1; of the others, the parts that failed.
    pub(super) share: f64,
    /// What was not understood, by the names of variables; never a value.
    pub(super) faults: Vec<&'static str>,
}

/// Where a collector takes traces, below its address (the OTLP specification, section OTLP/HTTP Request).
const PATH: [&str; 2] = ["v1", "traces"];

impl Settings {
    /// Reads the values of `OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_EXPORTER_OTLP_HEADERS` and
    /// `OTEL_TRACES_SAMPLER_ARG`, as OpenTelemetry's specification has them.
    pub fn read(endpoint: Option<&str>, headers: Option<&str>, share: Option<&str>) -> Self {
        let mut faults = Vec::new();
        let collector = endpoint.and_then(|text| {
            let collector = collector(text);
            if collector.is_none() {
                faults.push("OTEL_EXPORTER_OTLP_ENDPOINT is not an http or https URL");
            }
            collector
        });
        let headers = pairs(headers.unwrap_or_default()).unwrap_or_else(|| {
            faults.push("OTEL_EXPORTER_OTLP_HEADERS is not a list of name=value");
            HeaderMap::new()
        });
        let share = share.map_or(Some(1.0), |text| {
            let share: Option<f64> = text.trim().parse().ok();
            share.filter(|it| (0.0..=1.0).contains(it))
        });
        let share = share.unwrap_or_else(|| {
            faults.push("OTEL_TRACES_SAMPLER_ARG is not a number from 0 to 1");
            1.0
        });
        Self {
            collector,
            headers,
            share,
            faults,
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&HeaderName> = self.headers.keys().collect();
        // An address may have a key in it, too.
        let host = self.collector.as_ref().and_then(Url::host_str);
        f.debug_struct("Settings")
            .field("collector", &host)
            .field("headers", &names)
            .field("share", &self.share)
            .field("faults", &self.faults)
            .finish()
    }
}

fn collector(text: &str) -> Option<Url> {
    let mut url: Url = text.trim().parse().ok()?;
    if !matches!(url.scheme(), "http" | "https") {
        return None;
    }
    url.path_segments_mut().ok()?.pop_if_empty().extend(PATH);
    Some(url)
}

/// Values are percent-encoded, as in W3C's Baggage, so that one may hold a space or a comma.
fn decoded(value: &str) -> String {
    let form = format!("={}", value.replace('+', "%2B").replace('&', "%26"));
    let mut fields = url::form_urlencoded::parse(form.as_bytes());
    fields.next().map_or_else(String::new, |(_, it)| it.into())
}

/// `name=value`, separated by commas.
fn pairs(text: &str) -> Option<HeaderMap> {
    let parts = text.split(',').map(str::trim).filter(|it| !it.is_empty());
    parts
        .map(|part| {
            let (name, value) = part.split_once('=')?;
            let name: HeaderName = name.trim().parse().ok()?;
            let mut value: HeaderValue = decoded(value.trim()).parse().ok()?;
            value.set_sensitive(true);
            Some((name, value))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_an_address_nothing_is_sent_and_nothing_is_wrong() {
        let settings = Settings::read(None, None, None);
        assert!(settings.collector.is_none() && settings.faults.is_empty());
    }

    #[test]
    fn an_address_is_a_base() {
        for text in ["http://127.0.0.1:4318", "http://127.0.0.1:4318/"] {
            let settings = Settings::read(Some(text), None, Some("0.25"));
            let url = settings.collector.unwrap();
            assert_eq!(url.as_str(), "http://127.0.0.1:4318/v1/traces");
            assert!((settings.share - 0.25).abs() < f64::EPSILON);
        }
    }

    #[test]
    fn what_is_wrong_is_named_and_not_shown_and_all_else_holds() {
        let settings = Settings::read(Some("ftp://hunter2"), Some("hunter2"), Some("hunter2"));
        assert_eq!(settings.faults.len(), 3);
        assert!(settings.collector.is_none());
        let good = Settings::read(
            Some("https://hunter2@collector.example/hunter2"),
            Some("api-key=hunter2, authorization=Basic%20aHVudGVyMg+=="),
            None,
        );
        assert_eq!(good.headers["api-key"], "hunter2");
        assert_eq!(good.headers["authorization"], "Basic aHVudGVyMg+==");
        for shown in [format!("{settings:?}"), format!("{good:?}")] {
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }
}
