//! The stand-in as its users meet it: over HTTP, on loopback, under a clock moved by hand.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod account;
mod api;
mod assets;
mod delivery;
mod inbox;
mod ingest;
mod senders;
mod support;
mod viewer;
mod webhooks;
