//! What is done when a month costs more than it should (S0-002, S0-013): told of at every threshold,
//! and, where that is switched on, fewer lines of picture, no new uploads, no links that run away.
//!
//! Owns: at which part of a budget what is done, what is done now, and what an operator has lifted. Does
//! not own: budgets and what is spent of them (`costs`).

mod error;
mod http;
mod model;
mod rails;
mod service;

pub use self::{
    error::GuardError,
    http::routes,
    model::{State, Whose},
    rails::{CAP, Mode, Rail, Rails},
    service::{Acting, kept_among, known, look, look_if_told, much_traffic},
};
