//! Share links: made, changed, opened, taken back; and what they ask of a viewer.
//!
//! Owns: the link, its token, who may pass its gate, its own playback ids, and what has to be done
//! about it when. Does not own: the video it leads to (`assets`), how a token of Mux is signed (`mux`).

mod bodies;
mod create;
mod cut;
mod error;
mod fields;
mod gate;
mod grant;
mod guests;
mod http;
mod manage;
mod model;
mod open;
mod own;
mod password;
mod policy;
mod retire;
mod rows;
mod token;
mod unlock;
mod watched;

pub use self::{
    error::ShareError,
    grant::Grants,
    guests::{GRANT, routes as guest_routes},
    http::{asset_routes, retire_routes, tenant_routes},
    manage::{end, withdraw},
    model::{Cut, ShareLink},
    policy::Policy,
    retire::{RetireError, Retired, retire},
    rows::{Agenda, Due, all_of_asset},
    watched::Players,
};
