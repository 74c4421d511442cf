//! What is kept of a webhook.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use crate::{dlq::RawBody, ids::AssetId, store::StoreError};

/// How long a receipt is kept. It must outlive Mux's 24 hours of redelivery (H4); S0-111 says 90 days.
pub(crate) const RECEIPT_LIFE: Duration = Duration::days(90);

/// The largest body that is kept in a receipt: an item of the table holds 400 KB.
const KEPT_MAX: usize = 300 * 1024;

/// The proof that an event was dealt with, and how.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Receipt {
    pub kind: String,
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    pub received_at: OffsetDateTime,
    pub outcome: Outcome,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asset: Option<AssetId>,
    /// Kept for events that changed nothing of ours, so that an operator can look at them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<RawBody>,
}

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Its news are known now.
    Applied,
    /// It was dealt with before.
    Duplicate,
    /// It is of a kind that says nothing of an asset's state; kept.
    Ignored,
    /// It names nothing of ours; kept.
    Unmatched,
    /// It waits in the dead letter queue.
    Queued,
}

/// The body, to be kept in the receipt. What is too large for the table is refused, and so goes where
/// everything goes that the table does not take: to the queue.
pub(super) fn kept(body: &[u8]) -> Result<RawBody, StoreError> {
    if body.len() > KEPT_MAX {
        return Err(StoreError::Refused("the body is too large to keep".into()));
    }
    Ok(RawBody::new(body))
}
