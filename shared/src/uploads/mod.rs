//! Uploads: from the wish to upload a video until the file has arrived, or will not.
//!
//! Owns: the request to Mux for an upload, its idempotency, calling it off. Does not own: the row
//! (`assets`), and what happens after the file arrived (`webhooks`).

mod error;
mod http;
mod model;
mod service;

pub use self::{error::UploadError, http::routes};
