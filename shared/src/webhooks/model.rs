//! What is kept of a webhook.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use crate::{
    assets::{Asset, Stamp},
    dlq::RawBody,
    ids::AssetId,
    mux::{MuxEvent, MuxEventId, Subject},
};

/// How long a receipt is kept. It must outlive Mux's 24 hours of redelivery (H4); S0-111 says 90 days.
pub(crate) const RECEIPT_LIFE: Duration = Duration::days(90);

/// The largest body that is kept in an item, in bytes: an item of the table holds 400 KB. What is
/// larger stands in parts beside it.
pub(crate) const KEPT_MAX: usize = 300 * 1024;

/// The proof that an event was dealt with, and how.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Receipt {
    pub event: MuxEventId,
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

/// What an event did, or would do.
#[derive(Debug)]
pub(crate) struct Effect {
    pub outcome: Outcome,
    /// The asset that it is about, if there is one of ours.
    pub asset: Option<AssetId>,
    /// The asset before and after, if it changed.
    pub change: Option<Box<(Asset, Asset)>>,
}

impl Effect {
    pub(crate) fn duplicate() -> Self {
        Self {
            outcome: Outcome::Duplicate,
            asset: None,
            change: None,
        }
    }
}

/// Mux delivers so much that it tells of it: a sign of spending
/// (mux.com/docs/core/listen-for-webhooks).
pub(super) const MUCH_TRAFFIC: &str = "video.delivery.high_traffic";

/// What an event makes of what is known: the same for a webhook, a replay and a rehearsal. The asset
/// is the next one, if there is anything new.
pub(super) fn plan(before: Option<&Asset>, event: &MuxEvent) -> (Outcome, Option<Asset>) {
    if event.kind == MUCH_TRAFFIC {
        return (Outcome::Ignored, None); // it is about no video of its own
    }
    let Some(before) = before else {
        return (Outcome::Unmatched, None);
    };
    if matches!(event.subject, Subject::Part { .. } | Subject::Other) {
        return (Outcome::Ignored, None);
    }
    let news = Stamp {
        at: event.at,
        by: event.id.clone(),
    };
    let mut next = before.apply(&news, &event.subject);
    if next == *before {
        return (Outcome::Applied, None); // it was known already
    }
    next.version += 1;
    (Outcome::Applied, Some(next))
}
