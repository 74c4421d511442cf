//! The form of the audit log: what is digested, how it is sealed, and how an export is checked.
//!
//! The portal writes with this crate and an auditor checks with it, so both mean the same. It knows
//! nothing of the portal: no table, no network, no clock.
//!
//! An export is JSON Lines. Every line is canonical JSON (RFC 8785), byte for byte, and one of three:
//! `{"entry":…}`, `{"checkpoint":…,"signature":…}` after the entries that it seals, and
//! `{"end":…,"signature":…}` at the end of each page.

mod canonical;
mod chain;
mod compare;
mod entry;
mod erasures;
mod heads;
mod keys;
mod line;
mod merkle;
mod outcome;
mod reading;
mod seal;
mod times;
mod verify;

pub use self::{
    canonical::{canonical, digest_of},
    compare::Damage,
    entry::{CLEAR, Clear, PERSONAL, SEALED, commitment, digested, leaf},
    erasures::Erased,
    heads::{HEAD, Head, Heads},
    keys::{KeyError, KeyRing, SigningKey, public_pems},
    line::{Line, entry_line},
    merkle::{Hash, leaf_hash, root},
    outcome::{Finding, Outcome, Verified},
    reading::verify,
    seal::{Before, Body, Checkpoint, End, Signed, ZEROS},
    verify::Verifier,
};
