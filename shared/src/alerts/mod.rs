//! Alerts: what a person should know of before anybody calls, raised once and cleared once.
//!
//! Owns: what is watched, from which value on it is an alert, and which alerts stand. Does not own:
//! what is counted (`webhooks::tally`), who is told (events and metrics lead there).

mod http;
mod model;
mod service;

pub use self::{
    http::routes,
    model::{Alert, Raised, Reading, Standing},
    service::{depth, standing, watch},
};
