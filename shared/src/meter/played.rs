//! What players say that they played, and whose it is laid to. No I/O.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use time::Date;

use crate::{
    costs::{self, Amounts, PlayedRow, What},
    ids::{AssetId, ShareId, TenantId},
};

/// So many are kept apart between two writes of a process: with their rows, a record fits one transaction
/// (100 writes). What is more is laid to nobody; Mux's total does not depend on it.
pub(super) const APART: usize = 60;

/// By which link which video was watched, on a day in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Played {
    #[serde(with = "costs::iso")]
    pub day: Date,
    pub tenant: TenantId,
    pub asset: AssetId,
    pub share: ShareId,
}

/// How much of it, in seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Watched {
    #[serde(flatten)]
    pub played: Played,
    pub seconds: u64,
}

impl Played {
    fn what(&self) -> What {
        What::played(self.asset, self.share)
    }

    pub(super) fn row(&self) -> PlayedRow {
        PlayedRow::of(self.tenant, self.day, &self.what())
    }
}

/// What some records add to rows of usage.
pub(super) type PlayedSums = BTreeMap<PlayedRow, Amounts>;

/// Adds one of them.
pub(super) fn add(sums: &mut PlayedSums, watched: &Watched) {
    let micros = watched.seconds.saturating_mul(1_000_000);
    let row = sums.entry(watched.played.row()).or_default();
    let amount = row.entry(watched.played.what()).or_default();
    *amount = amount.saturating_add(micros);
}
