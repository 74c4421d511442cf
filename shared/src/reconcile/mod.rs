//! Reconciliation: what webhooks have not told, Mux is asked.
//!
//! Owns: who is asked about, and how fast; the daily comparison with what Mux has. Does not own: what
//! the answers mean (`assets`).

mod asking;
mod census;
mod compare;
mod http;
mod model;
mod playback;
mod restored;
mod service;

pub use self::{
    census::{Census, Counts, census},
    compare::last_comparison,
    http::{operators_routes, routes},
    model::{Findings, Pass},
    service::{ReconcileError, reconcile},
};
