//! What a check says.

use serde::Serialize;

use crate::{compare::Damage, erasures::Erased};

/// The first thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    pub damage: Damage,
    /// From 1.
    pub line: u64,
    /// The entry, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// In words.
    pub what: String,
}

/// What was found to be true.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verified {
    pub tenant: String,
    pub lines: u64,
    pub entries: u64,
    pub first_checkpoint: u64,
    pub last_checkpoint: u64,
    /// SHA-256 of the last checkpoint's line.
    pub head: String,
    /// When the portal gave out the last page, and how many entries were not sealed then.
    pub at: String,
    pub unsealed: u64,
    /// The personal fields that are gone.
    pub erased: Erased,
    /// How many checkpoints were compared with a head.
    pub heads: u64,
}

/// What became of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Verified(Box<Verified>),
    Damaged(Finding),
    /// No line of it is of an export.
    Unusable,
    /// It holds by itself, and none of the heads that were given is of it.
    Uncompared,
}
