//! What is promised to those who use the portal, whether it is kept, and what follows when it is not.
//!
//! Owns: the objectives, their budgets of thirty days, how fast they burn, and the freeze of changes
//! that a spent budget brings (S2-028, S2-031). Does not own: how anything is counted (`meter`), nor
//! what becomes of an incident (`incidents`).

mod freeze;
mod http;
mod model;
mod service;
mod state;

pub use self::{
    freeze::{Frozen, refuse_if_frozen},
    http::routes,
    model::{Objective, SLOW},
    service::{answered, count, kept_among, tell, watch},
    state::State,
};
