//! What a person may be. No I/O.

use crate::{
    address::ClientAddress,
    events::{Act, Actor},
    ids::{RequestId, TenantId, UserId},
};

/// What a person is in their organisation (S2-004). A name we do not know is nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Runs the workspace.
    Admin,
    /// Uploads and shares.
    Agency,
    /// Watches.
    Client,
    /// Reads the audit log.
    Compliance,
}

impl Role {
    /// Reads the role of a session token: `admin` (claims version 2) or `org:admin` (version 1).
    /// `member` is what Clerk calls somebody without a role of their own: the least of ours.
    pub fn parse(text: &str) -> Option<Self> {
        match text.strip_prefix("org:").unwrap_or(text) {
            "admin" => Some(Self::Admin),
            "agency" => Some(Self::Agency),
            "client" | "member" => Some(Self::Client),
            "compliance" => Some(Self::Compliance),
            _ => None,
        }
    }

    /// May see the tenant's videos and links.
    pub fn reads(self) -> bool {
        matches!(self, Self::Admin | Self::Agency | Self::Client)
    }

    /// May do what concerns everybody of the workspace.
    pub fn administers(self) -> bool {
        self == Self::Admin
    }

    /// May operate the portal, in the organisation that does.
    pub fn operates(self) -> bool {
        self == Self::Admin
    }

    /// May read the audit log, and erase what in it is about a person.
    pub fn audits(self) -> bool {
        matches!(self, Self::Admin | Self::Compliance)
    }

    /// May upload, change, share and take back.
    pub fn edits(self) -> bool {
        matches!(self, Self::Admin | Self::Agency)
    }
}

/// Somebody who is signed in, in the organisation that their token speaks for.
#[derive(Debug, Clone)]
pub struct Member {
    pub tenant: TenantId,
    pub user: UserId,
    pub role: Role,
    pub request: Option<RequestId>,
    pub address: Option<ClientAddress>,
}

impl Member {
    /// What is written into events that this person causes.
    pub fn act(&self) -> Act {
        Act {
            actor: Actor::User { id: self.user },
            request: self.request,
            address: self.address,
        }
    }
}
