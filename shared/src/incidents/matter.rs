//! What an incident can be about, how bad it can be, and by what it is noticed. No I/O.

use serde::{Deserialize, Serialize};

use crate::resilience::Vendor;

/// What an incident is about: its kind, and of whom. Names are stored and never change. More kinds go to
/// the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "subject", rename_all = "kebab-case")]
pub enum Matter {
    /// Somebody whom we call does not work.
    VendorOutage(Vendor),
}

impl Matter {
    /// Every kind.
    pub fn all() -> Vec<Self> {
        Vendor::ALL.map(Self::VendorOutage).into()
    }

    pub const fn kind(self) -> &'static str {
        match self {
            Self::VendorOutage(_) => "vendor-outage",
        }
    }

    pub const fn subject(self) -> &'static str {
        match self {
            Self::VendorOutage(vendor) => vendor.name(),
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
}

impl Cause {
    /// Noticed by this, too.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        if self == other { self } else { Self::Both }
    }
}
