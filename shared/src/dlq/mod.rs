//! Dead letters: events that were signed and could not be dealt with, kept until they are.
//!
//! Owns: what is kept and where. Does not own: what an event means (`webhooks`).

mod model;
mod service;

pub use self::{
    model::{DeadLetter, RawBody, Reason},
    service::{DeadLetterError, DeadLetters},
};
