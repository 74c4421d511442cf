//! How an asset can fail its caller, and what the caller is told.

use crate::{
    problem::{Kind, Problem},
    store::StoreError,
};

#[derive(Debug, thiserror::Error)]
pub enum AssetError {
    #[error("asset is unknown")]
    Unknown,
    #[error("asset is deleted")]
    Deleted,
    #[error("{0}")]
    Field(&'static str),
    #[error("asset could not be read or written")]
    Store(#[from] StoreError),
}

impl From<AssetError> for Problem {
    fn from(error: AssetError) -> Self {
        match error {
            AssetError::Unknown => Self::new(Kind::NotFound, "no such video"),
            AssetError::Deleted => Self::new(Kind::AssetDeleted, "it can no longer be changed"),
            AssetError::Field(what) => Self::new(Kind::InvalidField, what),
            AssetError::Store(error) => error.into(),
        }
    }
}

/// What every slice says when the table fails it.
impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict { .. } => {
                Self::new(Kind::Conflict, "read it again and try again").because(error)
            }
            StoreError::Collision(_) | StoreError::Unavailable(_) => Self::unavailable(error),
            StoreError::Codec(_) | StoreError::Refused(_) => Self::internal(error),
        }
    }
}
