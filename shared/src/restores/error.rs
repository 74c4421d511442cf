//! How an operator's step after a restore can fail, and what they are told.

use crate::{
    problem::{Kind, Problem},
    store::StoreError,
};

#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    #[error("{0}")]
    Field(&'static str),
    #[error("not everything was compared with mux since the table was restored")]
    NotCompared,
    #[error("by which table the portal knows itself could not be read or written")]
    Store(#[from] StoreError),
}

impl From<RestoreError> for Problem {
    fn from(error: RestoreError) -> Self {
        match error {
            RestoreError::Field(what) => Self::new(Kind::InvalidField, what),
            RestoreError::NotCompared => Self::new(
                Kind::Conflict,
                "everything is compared with Mux first: see comparedAt of GET /api/ops/restores",
            ),
            RestoreError::Store(error) => error.into(),
        }
    }
}
