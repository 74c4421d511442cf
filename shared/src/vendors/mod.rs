//! Those whom the portal depends on: whether they work, by what they say of themselves and by what
//! becomes of our calls.
//!
//! Owns: the job `watch`, and what is an outage. Does not own: what is done about a single call
//! (`resilience`), what is counted (`meter`), what people do about an outage (`incidents`).

mod http;
mod model;
mod page;
mod service;

pub use self::{
    http::routes,
    model::{Indicator, Outage, Said, Watched},
    page::StatusPage,
    service::{Pass, WatchError, known, watch},
};
