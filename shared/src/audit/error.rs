//! How the audit log can fail.

use crate::{
    ids::TenantId,
    problem::{Kind, Problem},
    store::StoreError,
};

/// Something could not be read, written or sealed.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    #[error("{0}")]
    Field(&'static str),
    #[error("no such audit entry")]
    Unknown,
    #[error("the audit log could not be read or written")]
    Store(#[from] StoreError),
    #[error("an audit entry has no canonical form")]
    Form(#[from] serde_json::Error),
    /// What is there is not what was sealed, or what was packed does not come back.
    #[error("the entries of checkpoint {number} of {tenant} are not those that were sealed")]
    Unproved { tenant: TenantId, number: u64 },
    /// Somebody wrote a checkpoint that the place of sealing does not know of.
    #[error("checkpoint {number} of {tenant} is there already")]
    Forked { tenant: TenantId, number: u64 },
    /// Somebody set the place of sealing back, or took it away.
    #[error("there are checkpoints of {tenant} after {number}, where its sealing stands")]
    SetBack { tenant: TenantId, number: u64 },
}

impl From<AuditError> for Problem {
    fn from(error: AuditError) -> Self {
        match error {
            AuditError::Field(rule) => Self::new(Kind::InvalidField, rule),
            AuditError::Unknown => Self::new(Kind::NotFound, "no such audit entry"),
            AuditError::Store(ref cause) if cause.is_retryable() => Self::unavailable(error),
            AuditError::Store(_)
            | AuditError::Form(_)
            | AuditError::Unproved { .. }
            | AuditError::Forked { .. }
            | AuditError::SetBack { .. } => Self::internal(error),
        }
    }
}

/// A run did not seal what it should have.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    #[error("the entries to be sealed or the lease could not be read or written")]
    Store(#[from] StoreError),
    #[error("{failed} organisations could not be sealed, and {late} entries are late")]
    Behind { failed: u32, late: u32 },
}

impl From<SealError> for Problem {
    fn from(error: SealError) -> Self {
        Self::internal(error)
    }
}
