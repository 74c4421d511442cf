//! Incidents: what went wrong, who took care of it and when, until somebody has looked back at it.
//!
//! Owns: one open incident for each matter, its steps, and that somebody hears of one that nobody takes
//! (S0-045). Does not own: what is an outage (`vendors`), nor what is out of bounds right now (`alerts`).

mod error;
mod http;
mod matter;
mod model;
mod service;

pub use self::{
    error::IncidentError,
    http::routes,
    matter::{Cause, Matter, Restore, Severity},
    model::{By, Incident, Mark, Standing, Step},
    service::{Found, clear, look_after, open, raise},
};
