//! All domain logic. `api/` and `functions/` only translate a runtime into calls of this crate.
//!
//! Read in this order: [`boot`] (what is deployed), [`router`] (what can be asked), then a slice.
//! `shared/ARCHITECTURE.md` is the map.

pub mod address;
pub mod alerts;
pub mod app;
pub mod assets;
pub mod audit;
pub mod auth;
pub mod boot;
pub mod clock;
pub mod config;
pub mod costs;
pub mod dlq;
pub mod etag;
pub mod events;
pub mod federation;
pub mod guardrails;
pub mod health;
pub mod http;
pub mod ids;
pub mod incidents;
pub mod jobs;
#[cfg(feature = "lambda")]
pub mod lambda;
pub mod limits;
pub mod mail;
pub mod meter;
pub mod metrics;
pub mod mux;
pub mod origin;
mod outgoing;
pub mod polling;
pub mod problem;
pub mod reconcile;
pub mod resilience;
pub mod restores;
pub mod router;
pub mod secrets;
pub mod shares;
pub mod slo;
pub mod store;
pub mod telemetry;
pub mod traces;
pub mod uploads;
mod variables;
pub mod vendors;
#[cfg(feature = "vercel")]
pub mod vercel;
pub mod webhooks;
