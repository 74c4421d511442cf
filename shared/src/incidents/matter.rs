//! What an incident can be about, how bad it can be, and by what it is noticed. No I/O.

use serde::{Deserialize, Serialize};

use crate::{resilience::Vendor, slo::Objective};

/// What an incident is about: its kind, and of whom. Names are stored and never change. More kinds go to
/// the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "subject", rename_all = "kebab-case")]
pub enum Matter {
    /// Somebody whom we call does not work.
    VendorOutage(Vendor),
    /// Of what was promised, more was broken than may be (S2-028).
    ErrorBudget(Objective),
    /// The table was restored from its backup, or it was tried and failed (S2-027).
    Restore(Restore),
}

/// What about restoring a table wants somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Restore {
    /// This table was restored: which links were taken back since its backup is not known.
    Table,
    /// A drill failed: nobody knows whether the backups are good for anything.
    Drill,
}

impl Restore {
    pub const ALL: [Self; 2] = [Self::Table, Self::Drill];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Drill => "drill",
        }
    }
}

impl Matter {
    /// Every kind.
    pub fn all() -> Vec<Self> {
        let vendors = Vendor::ALL.into_iter().map(Self::VendorOutage);
        let budgets = Objective::ALL.into_iter().map(Self::ErrorBudget);
        let restores = Restore::ALL.into_iter().map(Self::Restore);
        vendors.chain(budgets).chain(restores).collect()
    }

    pub const fn kind(self) -> &'static str {
        match self {
            Self::VendorOutage(_) => "vendor-outage",
            Self::ErrorBudget(_) => "error-budget",
            Self::Restore(_) => "restore",
        }
    }

    /// Whether it says how things are now. What was broken within thirty days says nothing of that.
    pub const fn is_of_now(self) -> bool {
        matches!(self, Self::VendorOutage(_) | Self::Restore(Restore::Table))
    }

    pub const fn subject(self) -> &'static str {
        match self {
            Self::VendorOutage(vendor) => vendor.name(),
            Self::ErrorBudget(objective) => objective.name(),
            Self::Restore(restore) => restore.name(),
        }
    }

    /// What to do, by a path in this project and a heading in it.
    pub const fn runbook(self) -> &'static str {
        match self {
            Self::VendorOutage(Vendor::Mux) => {
                "docs/playbook/operations/vendor-outage-runbooks.md#mux"
            }
            Self::VendorOutage(Vendor::Mail) => {
                "docs/playbook/operations/vendor-outage-runbooks.md#mail"
            }
            Self::ErrorBudget(Objective::Playback) => {
                "docs/playbook/operations/slo-and-incident-response.md#playback"
            }
            Self::ErrorBudget(Objective::PlaybackErrors) => {
                "docs/playbook/operations/slo-and-incident-response.md#playback-errors"
            }
            Self::ErrorBudget(Objective::Webhooks) => {
                "docs/playbook/operations/slo-and-incident-response.md#webhooks"
            }
            Self::ErrorBudget(Objective::Uploads) => {
                "docs/playbook/operations/slo-and-incident-response.md#uploads"
            }
            Self::ErrorBudget(Objective::Latency) => {
                "docs/playbook/operations/slo-and-incident-response.md#latency"
            }
            Self::Restore(Restore::Table) => {
                "docs/playbook/operations/backup-and-restore.md#after-a-restore"
            }
            Self::Restore(Restore::Drill) => {
                "docs/playbook/operations/backup-and-restore.md#a-drill-that-fails"
            }
        }
    }
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Somebody notices.
    Minor,
    /// Something does not work for everybody.
    Major,
    /// Nothing works.
    Critical,
}

/// By what it was noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// The vendor says so.
    StatusPage,
    /// Our own calls say so.
    OwnRates,
    Both,
    /// Somebody told of it.
    Told,
}

impl Cause {
    /// Noticed by this, too.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        if self == other { self } else { Self::Both }
    }
}
