//! Share links: a secret address that plays one video until it expires or is taken back.
//!
//! Owns: making, opening and revoking links. Does not own: signing playback (`mux::PlaybackSigner`).

mod error;
mod http;
mod manage;
mod model;
mod service;

pub use self::{
    error::ShareError,
    http::{asset_routes, guest_routes, tenant_routes},
    manage::end,
    model::{ShareLink, ShareToken},
};
