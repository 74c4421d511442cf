//! A stand-in for Mux Video: direct uploads, processing, signed webhooks with retry, signed HLS. Offline.
//!
//! Owns: what Mux does, as its documentation and its own clients show it. Does not own: any of the
//! portal's rules; it never sees the portal's code. Read in this order: `sim` (the whole), `api`
//! (what can be asked), `ingest` (where files go), `delivery` (what viewers fetch), `webhooks`.

mod api;
mod control;
mod cors;
mod delivery;
mod documents;
mod endpoints;
mod error;
pub mod events;
mod examples;
mod faults;
mod fetch;
mod ids;
mod ingest;
mod jobs;
mod keys;
mod limits;
mod media;
mod options;
mod restrictions;
mod signed;
mod sim;
mod state;
mod status;
mod trouble;
mod underway;
mod usage;
mod webhooks;

pub use self::{
    faults::{BadFaults, Fault, Faults, Mishap, UnknownFault},
    keys::{KeyError, SigningKey},
    limits::RateLimit,
    media::find_ffmpeg,
    options::{Clock, Endpoint, Options, Post},
    sim::{OpenError, Sim},
    state::StateError,
    status::{Indicator, Status},
    webhooks::{Delivered, sign},
};
