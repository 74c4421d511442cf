//! The stand-in as its users meet it: over HTTP, on loopback, under a clock moved by hand.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod account;
mod api;
mod assets;
mod clock;
mod command_line;
mod control;
mod delivery;
mod endpoints;
mod event_stream;
mod faults;
mod flood;
mod from_address;
mod inbox;
mod ingest;
mod keys;
mod memory;
mod origin;
mod pictures;
mod playlists;
mod renditions;
mod restrictions;
mod senders;
mod status;
mod support;
mod tracks;
mod usage;
mod viewer;
mod webhooks;
