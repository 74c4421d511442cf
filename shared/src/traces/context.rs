//! The context that goes along: which trace, and which span of it. As W3C's Trace Context spells it
//! (<https://www.w3.org/TR/trace-context/>). Pure.

use std::{fmt, str::FromStr};

use axum::http::{HeaderMap, HeaderName};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};
use ulid::Ulid;

/// Which span of which trace asks.
pub const PARENT: HeaderName = HeaderName::from_static("traceparent");
/// What else is known of that span: here, only our own pages' entry is read.
pub const BROWSER: HeaderName = HeaderName::from_static("tracestate");

/// The name of our own entry in `tracestate`: our page asks, and began to at this time, in milliseconds
/// since 1970. It has no collector, so its span is told by whoever is asked.
const OURS: &str = "portal=";

/// A call of our page that is older than this has a clock that is wrong.
const CALL_MAX: Duration = Duration::minutes(1);

/// A trace, by 128 bits that are not all zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceId([u8; 16]);

/// A span, by 64 bits that are not all zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpanId([u8; 8]);

/// A span of a trace: what goes along with a request, and stands in a video's row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Context {
    pub trace: TraceId,
    pub span: SpanId,
}

/// Who asks, as far as the request says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asking {
    pub(super) context: Context,
    /// Our own page does, since this time by its clock.
    pub(super) page_since: Option<OffsetDateTime>,
}

impl TraceId {
    pub fn bytes(self) -> [u8; 16] {
        self.0
    }

    /// Whether a share of all traces, from 0 to 1, has this one among them. The same answer in every
    /// function that meets it: the lower 63 bits decide, as in OpenTelemetry's `TraceIdRatioBased`.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "a share need not be exact to the last bit, and casts of floats saturate"
    )]
    pub fn is_among(self, share: f64) -> bool {
        let mut lower = [0; 8];
        lower.copy_from_slice(&self.0[8..]);
        let bound = (share.clamp(0.0, 1.0) * (1_u64 << 63) as f64) as u64;
        u64::from_be_bytes(lower) >> 1 < bound
    }
}

impl SpanId {
    pub fn bytes(self) -> [u8; 8] {
        self.0
    }

    /// The n-th span below this one: as far from all others as this one is.
    pub fn child(self, n: u64) -> Self {
        // An odd factor: no two numbers fall on the same place.
        let number = u64::from_be_bytes(self.0).wrapping_add(n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        Self(number.max(1).to_be_bytes())
    }
}

impl Context {
    /// The first span of a trace that begins here: named by an id that was minted for it, whose last
    /// 80 bits are random.
    pub fn begin(id: Ulid) -> Self {
        let bytes = id.to_bytes();
        let mut span = [0; 8];
        span.copy_from_slice(&bytes[8..]);
        Self {
            trace: TraceId(bytes),
            span: SpanId(u64::from_be_bytes(span).max(1).to_be_bytes()),
        }
    }

    /// As `traceparent` has it. A version that is not known is read like the first (section 3.2.2); the
    /// flags are not believed: what is sent is decided here.
    fn of_header(text: &str) -> Option<Self> {
        let mut parts = text.splitn(4, '-');
        let (version, trace, span) = (parts.next()?, parts.next()?, parts.next()?);
        let rest = parts.next()?;
        let flags = rest.split('-').next()?;
        hex::<1>(version).filter(|it| *it != [0xff])?;
        hex::<1>(flags)?;
        if version == "00" && rest != flags {
            return None;
        }
        Self::of_parts(trace, span)
    }

    fn of_parts(trace: &str, span: &str) -> Option<Self> {
        let (trace, span) = (hex::<16>(trace)?, hex::<8>(span)?);
        (trace != [0; 16] && span != [0; 8]).then_some(Self {
            trace: TraceId(trace),
            span: SpanId(span),
        })
    }
}

impl Asking {
    /// What a request says. What is not well formed is as if it were not said, and so is what is said
    /// twice.
    pub(super) fn of(headers: &HeaderMap, now: OffsetDateTime) -> Option<Self> {
        let mut parents = headers.get_all(PARENT).iter();
        let (Some(parent), None) = (parents.next(), parents.next()) else {
            return None;
        };
        let context = Context::of_header(parent.to_str().ok()?)?;
        let states = headers.get_all(BROWSER).iter();
        let mut entries = states
            .filter_map(|it| it.to_str().ok())
            .flat_map(|it| it.split(','));
        let page_since =
            entries.find_map(|it| it.trim().strip_prefix(OURS).map(|it| since(it, now)));
        Some(Self {
            context,
            page_since,
        })
    }
}

/// When the page began to ask. A clock that cannot be right is taken for ours.
fn since(text: &str, now: OffsetDateTime) -> OffsetDateTime {
    let millis = text.parse::<i64>().ok();
    let nanos = millis.map(|it| i128::from(it) * 1_000_000);
    let at = nanos.and_then(|it| OffsetDateTime::from_unix_timestamp_nanos(it).ok());
    at.filter(|at| (now - CALL_MAX..=now).contains(at))
        .unwrap_or(now)
}

/// Exactly so many bytes, in lower case: the specification allows no other.
fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let lower = !text.bytes().any(|it| it.is_ascii_uppercase());
    (lower && hex::decode_to_slice(text, &mut bytes).is_ok()).then_some(bytes)
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Display for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.trace, hex::encode(self.span.0))
    }
}

/// The text is not a trace and a span.
#[derive(Debug, thiserror::Error)]
#[error("not the context of a trace")]
pub struct NotAContext;

impl FromStr for Context {
    type Err = NotAContext;

    fn from_str(text: &str) -> Result<Self, NotAContext> {
        text.split_once('-')
            .and_then(|(trace, span)| Self::of_parts(trace, span))
            .ok_or(NotAContext)
    }
}

impl TryFrom<String> for Context {
    type Error = NotAContext;

    fn try_from(text: String) -> Result<Self, NotAContext> {
        text.parse()
    }
}

impl From<Context> for String {
    fn from(context: Context) -> Self {
        context.to_string()
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use time::macros::datetime;

    use super::*;

    const NOON: OffsetDateTime = datetime!(2026-01-05 12:00 UTC);
    const PARENT_OF_W3C: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn said(parents: &[&'static str], state: &'static str) -> Option<Asking> {
        let mut headers = HeaderMap::new();
        for parent in parents {
            headers.append(PARENT, HeaderValue::from_static(parent));
        }
        headers.append(BROWSER, HeaderValue::from_static(state));
        Asking::of(&headers, NOON)
    }

    #[test]
    fn the_specifications_own_example_is_read() {
        let asking = said(&[PARENT_OF_W3C], "congo=t61rcWkgMzE").unwrap();
        assert_eq!(
            asking.context.to_string(),
            "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7"
        );
        assert_eq!(asking.page_since, None);
        let later = "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-comes";
        assert_eq!(said(&[later], "").unwrap().context, asking.context);
    }

    #[test]
    fn what_is_not_well_formed_is_as_if_it_were_not_said() {
        for bad in [
            "",
            "00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
        ] {
            assert_eq!(said(&[bad], ""), None, "{bad}");
        }
        assert_eq!(said(&[PARENT_OF_W3C, PARENT_OF_W3C], ""), None);
    }

    #[test]
    fn our_page_says_since_when_it_asks_and_no_other_time_is_believed() {
        let since = |state| said(&[PARENT_OF_W3C], state).unwrap().page_since;
        let second = NOON - Duration::SECOND;
        assert_eq!(since("congo=x, portal=1767614399000"), Some(second));
        for wrong in ["portal=1767614401000", "portal=0", "portal=x", "portal="] {
            assert_eq!(since(wrong), Some(NOON), "{wrong}");
        }
    }

    #[test]
    fn a_share_of_traces_is_that_share_and_nothing_more() {
        let trace = |lower: u64| {
            let mut bytes = [1; 16];
            bytes[8..].copy_from_slice(&lower.to_be_bytes());
            TraceId(bytes)
        };
        assert!(!trace(0).is_among(0.0));
        assert!(trace(u64::MAX).is_among(1.0));
        let quarter = u64::MAX / 4;
        assert!(trace(quarter - 2).is_among(0.25));
        assert!(!trace(quarter + 2).is_among(0.25));
        assert!(!trace(0).is_among(f64::NAN));
    }

    #[test]
    fn the_stored_form_is_stable() {
        let context = Context::begin(Ulid::from_bytes([7; 16]));
        let text = r#""07070707070707070707070707070707-0707070707070707""#;
        assert_eq!(serde_json::to_string(&context).unwrap(), text);
        assert_eq!(serde_json::from_str::<Context>(text).unwrap(), context);
    }
}
