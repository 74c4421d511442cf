//! How costs can fail.

use super::{money::TooMuch, report::ReportError};
use crate::{
    problem::{Kind, Problem},
    store::StoreError,
};

/// A report could not be made or kept.
#[derive(Debug, thiserror::Error)]
pub enum CostsError {
    #[error("{0}")]
    Field(&'static str),
    #[error("only operators see what others cost")]
    NotYours,
    #[error("what was used could not be read or written")]
    Store(#[from] StoreError),
    #[error(transparent)]
    Report(#[from] ReportError),
    #[error(transparent)]
    TooMuch(#[from] TooMuch),
    #[error("a report has no written form")]
    Form(#[from] serde_json::Error),
    #[error("a report has no table")]
    Sheet(#[from] csv::Error),
    #[error("a report has no page")]
    Page(#[from] std::fmt::Error),
    #[error("a closed report is not what was written")]
    Unproved,
}

impl From<CostsError> for Problem {
    fn from(error: CostsError) -> Self {
        match error {
            CostsError::Field(rule) => Self::new(Kind::InvalidField, rule),
            // Another organisation's id is as unknown as one that never was.
            CostsError::NotYours => Self::new(Kind::NotFound, "no such organisation"),
            CostsError::Store(ref cause) if cause.is_retryable() => Self::unavailable(error),
            CostsError::Store(_)
            | CostsError::Report(_)
            | CostsError::TooMuch(_)
            | CostsError::Form(_)
            | CostsError::Sheet(_)
            | CostsError::Page(_)
            | CostsError::Unproved => Self::internal(error),
        }
    }
}
