//! Webhooks of Mux: proof of the sender, receipt, and the change that the event makes, in one transaction.
//!
//! Owns: the receipt and the answer. An event is acknowledged only after it is durable, in the table or
//! in the dead letter queue. Does not own: what news make of an asset (`assets`), replay (`dlq`).

mod error;
mod http;
mod model;
mod operators;
mod service;
mod tally;

pub use self::{
    error::WebhookError,
    http::routes,
    model::Outcome,
    operators::operators_routes,
    tally::{Counting, Tally},
};
pub(crate) use self::{
    model::{Effect, KEPT_MAX, RECEIPT_LIFE},
    service::{Rehearsed, Told, about, apply, rehearse},
    tally::tally_of_late,
};
