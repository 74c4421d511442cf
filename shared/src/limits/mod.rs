//! Limits: how often somebody may do something, exactly, over all instances together.
//!
//! Owns: the rules, their slots in the table, what clients and operators are told of them. Does not
//! own: who the client is (`address`), and what is limited: each slice asks where it matters.
//!
//! A rule in shadow mode counts what passes and takes no slot for what would have been refused, just
//! as if it had been: so what is reported is what enforcing would refuse.

mod error;
mod http;
mod model;
mod opening;
mod refusals;
mod service;
mod slots;
mod told;

pub use self::{
    error::{LimitError, seconds},
    http::routes,
    model::{Limit, Limits, Mode, Rule},
    opening::{notes_refusal, open_from, open_link, unknown_token},
    refusals::Refusing,
    service::{Allowance, give_back, take, used},
    told::{LEFT, POLICY, headers},
};
