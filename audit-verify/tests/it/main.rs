//! Tampering: whatever is done to an export, the check finds it and says where.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod command_line;
mod export;
mod strict;
mod tamper;
