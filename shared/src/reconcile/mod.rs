//! Reconciliation: what webhooks have not told, Mux is asked.
//!
//! Owns: who is asked about, and how fast. Does not own: what the answers mean (`assets`).

mod http;
mod service;

pub use self::{
    http::routes,
    service::{Pass, ReconcileError, reconcile},
};
