//! Secrets while they change: what is made of them, where they are kept, and how a running function learns
//! of new ones. Owns `Keys` and when they are renewed; which secrets there are is in `config.rs`, how one is
//! replaced by another in `infra/scripts/rotate`.
//!
//! A function reads them once when it starts. Where `SECRETS_ID` names a secret of AWS Secrets Manager it
//! looks again after five minutes, with the next request, and goes on with what it has if nobody answers. So
//! a new secret has to be accepted by everybody before anybody uses it, and the old one for as long as
//! something lives that was made with it: that is why most of them are lists.

mod error;
mod keys;
mod service;
mod source;

pub use self::{
    error::SecretsError,
    keys::{Keys, Pseudonyms},
    service::{LOOK_AGAIN, Secrets, renew},
    source::{Fetched, Source},
};
