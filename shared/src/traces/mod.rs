//! Traces: which request, webhook and opening belong together, and how long each part took, told to
//! an OpenTelemetry collector if one is named.
//!
//! Owns: the context that goes from the browser to the video's row and on to webhooks, dead letters
//! and openings; the spans of one request, and the decision whether they are sent; the way to the
//! collector. Does not own: the log (`telemetry`), which has the trace's id on every line of a request.
//!
//! A span has a route's template or an operation for a name, and ids of ours for attributes: nothing
//! else fits through [`note`]. Whether spans are sent is decided at the end of the request, when it is
//! known whether it failed.

mod context;
mod encode;
mod exporter;
mod recording;
mod settings;

pub use self::{
    context::{BROWSER, Context, PARENT, TraceId},
    exporter::{AfterAnswer, Traces},
    recording::{Begun, Operation, Recording, fail, here, join, note, part, record, step},
    settings::Settings,
};
