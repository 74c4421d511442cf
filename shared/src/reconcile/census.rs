//! How many videos there are, by status. Nobody counts for the asking: a run counts those that it walks
//! past anyway, the open ones every five minutes and the others once a day.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{
    app::Parts,
    assets::Status,
    store::{Guard, Later, Reads, keys},
    telemetry,
};

/// Videos by status.
pub type Counts = BTreeMap<Status, u32>;

/// Videos as they were last counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Census {
    pub open: Option<Counted>,
    pub closed: Option<Counted>,
    /// Videos that the last run brought further, of which a webhook should have told.
    pub missed: u32,
}

/// One half of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    pub counts: Counts,
}

impl Census {
    /// Both halves together; a video that moved in between may be missing or there twice.
    pub fn counts(&self) -> Counts {
        let halves = self.open.iter().chain(&self.closed);
        let mut all = Counts::new();
        for (status, count) in halves.flat_map(|it| &it.counts) {
            *all.entry(*status).or_default() += count;
        }
        all
    }
}

/// Videos as they were last counted.
pub fn census<'a>(reads: &mut Reads) -> Later<'a, Census> {
    reads.get(keys::census()).map(Option::unwrap_or_default)
}

/// Keeps what was counted. Health and alerts show it, so nothing else fails for it.
pub(super) async fn keep(app: &Parts, change: impl FnOnce(&mut Census)) {
    let kept = async {
        let census: Option<Census> = app.store.get(&keys::census()).await?;
        let mut census = census.unwrap_or_default();
        change(&mut census);
        // No guard: one run at a time holds the lease.
        app.store.put(&keys::census(), &census, Guard::None).await
    };
    if let Err(error) = kept.await {
        let error = telemetry::chain(&error);
        tracing::warn!(error, "how many videos there are was not kept");
    }
}
