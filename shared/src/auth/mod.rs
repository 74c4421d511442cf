//! Who is asking: session tokens of Clerk, and the extractors that prove a tenant and a right.
//!
//! Owns: checking tokens, the keys they are checked with, roles. Does not own: links of guests (`shares`).

mod claims;
mod extract;
mod keys;
mod model;

pub use self::{
    claims::SessionError,
    extract::{Admin, Auditor, Editor, MaybeOperator, Operator, Reader, SignedIn},
    keys::Sessions,
    model::{Member, Role},
};
