//! What is kept of a job.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use crate::ids::RunId;

/// Every job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Job {
    /// Deals with dead letters.
    DlqReplay,
    /// Asks Mux what webhooks have not told.
    Reconcile,
    /// Does what is due about links.
    Retire,
    /// Seals the audit log.
    AuditSeal,
    /// Learns what was used.
    Usage,
    /// Adds up what was counted, and looks after vendors.
    Watch,
}

impl Job {
    pub const ALL: [Self; 6] = [
        Self::DlqReplay,
        Self::Reconcile,
        Self::Retire,
        Self::AuditSeal,
        Self::Usage,
        Self::Watch,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::DlqReplay => "dlq-replay",
            Self::Reconcile => "reconcile",
            Self::Retire => "retire",
            Self::AuditSeal => "audit-seal",
            Self::Usage => "usage",
            Self::Watch => "watch",
        }
    }
}

/// Who runs a job, until when nobody else may, and when it last went well.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Lease {
    pub version: u64,
    pub run: Option<RunId>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub until: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub last_success: Option<OffsetDateTime>,
}

impl Lease {
    /// The lease of a new run; `None` while another one holds it.
    pub(super) fn taken(&self, run: RunId, now: OffsetDateTime, life: Duration) -> Option<Self> {
        if self.until.is_some_and(|until| now < until) {
            return None;
        }
        Some(Self {
            version: self.version + 1,
            run: Some(run),
            until: Some(now + life),
            last_success: self.last_success,
        })
    }

    /// The lease after its run.
    pub(super) fn released(&self, now: OffsetDateTime, well: bool) -> Self {
        Self {
            version: self.version + 1,
            run: None,
            until: None,
            last_success: if well { Some(now) } else { self.last_success },
        }
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;
    use ulid::Ulid;

    use super::*;

    #[test]
    fn a_lease_is_held_by_one_until_it_is_given_back_or_runs_out() {
        let now = datetime!(2026-01-05 09:00 UTC);
        let (life, run) = (Duration::seconds(90), Ulid::from_bytes([1; 16]).into());
        let held = Lease::default().taken(run, now, life).unwrap();
        assert_eq!(held.taken(run, now + life - Duration::SECOND, life), None);
        assert!(held.taken(run, now + life, life).is_some());
        let back = held.released(now, true);
        assert_eq!(back.last_success, Some(now));
        let next = back.taken(run, now, life).unwrap();
        assert_eq!(next.version, 3);
        let failed = next.released(now + life, false);
        assert_eq!(failed.last_success, Some(now));
    }
}
