//! The audit log: every domain event is an entry, sealed in checkpoints that an outsider can check.
//!
//! Owns: sealing, reading, exporting, and erasing what is about a person. Does not own: what an entry
//! is and when it is written (`events`, in the transaction of each change), nor the form of what is
//! sealed (the crate `audit-verify`, which auditors check with).

mod archive;
mod erase;
mod error;
mod export;
mod http;
mod model;
mod read;
mod seal;
mod waiting;

pub use self::{
    error::{AuditError, SealError},
    http::{NEXT_PAGE, routes, schedule_routes},
    model::Pass,
    seal::{HEADS, seal},
};
