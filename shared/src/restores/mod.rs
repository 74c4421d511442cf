//! What follows when a table was restored from its backup: links are held until it is known which of
//! them were taken back since, and drills of restoring leave their record (S2-027).
//!
//! Owns: by which table the portal knows itself, the hold, and what a drill came to. Does not own: the
//! restoring (`infra/scripts/restore-drill`, `dev restore-drill`), nor what Mux has of a link (`reconcile`).

mod error;
mod http;
mod model;
mod service;

pub use self::{
    error::RestoreError,
    http::routes,
    service::{compared, holds, look, not_compared_since},
};
