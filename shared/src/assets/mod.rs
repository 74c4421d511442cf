//! Assets: one row per video, from the request to upload it until it is deleted.
//!
//! Owns: the row, what Mux's news make of it, and what a person may change. Does not own: how an
//! upload is begun (`uploads`), how news arrive (`webhooks`), who may watch (`shares`).

mod error;
mod http;
mod lifecycle;
mod measure;
mod model;
mod operators;
#[cfg(test)]
mod orders;
mod service;

pub use self::{
    error::AssetError,
    http::{ErrorBody, PageQuery, routes},
    lifecycle::{Lifecycle, Stamp, Verdict},
    measure::{begun, moved},
    model::{Asset, ContentType, Ending, Status, Title, UPLOAD_LIFE, Way},
    operators::operators_routes,
    service::{Pointer, find, row, step, update},
};
