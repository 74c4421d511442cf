//! Dead letters: events that were signed and could not be dealt with, kept until they are.
//!
//! Owns: what is kept and where, when it is tried again and when no more, and what operators do about
//! it. Does not own: what an event means and how it is applied (`webhooks`).

mod cases;
mod error;
mod hidden;
mod http;
mod model;
mod operate;
mod operators;
mod replay;
mod service;

pub(crate) use self::service::keep;
pub use self::{
    error::OperateError,
    http::routes,
    model::{Attempt, Case, Class, DeadLetter, HEADERS, Note, RawBody, Reason, State},
    operators::operators_routes,
    replay::{Pass, ReplayError, replay},
    service::{DeadLetterError, DeadLetters, Depth},
};
