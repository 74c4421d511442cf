//! Those whom the portal depends on: whether they work, by what they say of themselves and by what
//! becomes of our calls.
//!
//! Owns: the job `watch`. Does not own: what is done about a single call (`resilience`), what is counted
//! (`meter`).

mod http;
mod service;

pub use self::{
    http::routes,
    service::{Pass, WatchError, watch},
};
