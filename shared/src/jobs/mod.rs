//! Jobs that a schedule wakes: one run at a time, wherever it was woken, and when the last one went
//! well.
//!
//! Owns: the lease and the heartbeat. Does not own: what a job does (`dlq`).

mod model;
mod service;

pub use self::{
    model::{Job, Lease},
    service::{Scheduled, alone, last_success},
};
