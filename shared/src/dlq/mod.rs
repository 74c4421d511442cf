//! Dead letters: events that were signed and could not be dealt with, kept until they are.
//!
//! Owns: what is kept and where, when it is tried again, and when no more. Does not own: what an event
//! means and how it is applied (`webhooks`).

mod http;
mod model;
mod replay;
mod service;

pub use self::{
    http::routes,
    model::{Class, DeadLetter, Parked, RawBody, Reason},
    replay::{Pass, ReplayError, replay},
    service::{DeadLetterError, DeadLetters},
};
