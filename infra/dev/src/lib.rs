//! The local stack: every function in one process on one port, with a table, a queue, Mux and a
//! sign-in service beside them, all on loopback. No account, no docker, no network.
//!
//! Owns: putting the pieces together. The pieces are public, so that tests put them together their way.

pub mod aws;
pub mod chaos;
mod client;
mod collector;
pub mod console;
pub mod cost_explorer;
pub mod demo;
pub mod issuer;
pub mod mail;
pub mod permissions;
mod proxy;
pub mod replay;
pub mod restore;
pub mod rotate;
pub mod secrets;
pub mod settings;
pub mod simulation;
pub mod smoke;
pub mod stack;
pub mod sts;

/// A variable of the environment; an empty one is one that is not set.
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|it| !it.is_empty())
}
