//! A stand-in for Mux Video: direct uploads, processing, signed webhooks with retry, signed HLS. Offline.
//!
//! Owns: what Mux does, as its documentation and its own clients show it. Does not own: any of the
//! portal's rules; it never sees the portal's code. Read in this order: [`sim`] (the whole), `api`
//! (what can be asked), `ingest` (where files go), `delivery` (what viewers fetch), `webhooks`.

mod api;
mod cors;
mod delivery;
mod documents;
mod error;
mod ids;
mod ingest;
mod jobs;
mod keys;
mod limits;
pub mod media;
mod options;
mod signed;
pub mod sim;
mod state;
mod webhooks;

pub use self::{
    keys::SigningKey,
    limits::RateLimit,
    options::{Clock, Endpoint, Options},
    sim::{OpenError, Sim},
    state::StateError,
    webhooks::Delivered,
};
