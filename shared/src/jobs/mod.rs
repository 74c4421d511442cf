//! Jobs that a schedule wakes: one run at a time, wherever it was woken, and when the last one went
//! well.
//!
//! Owns: the lease and the heartbeat. Does not own: what a job does (`dlq`).

mod http;
mod model;
mod service;

pub use self::{
    http::{OperatorOrSchedule, RunBody, Scheduled},
    model::{Job, Lease},
    service::{alone, last_successes},
};
