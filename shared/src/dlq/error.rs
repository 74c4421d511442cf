//! How an operator's act can fail, and what they are told.

use super::ReplayError;
use crate::{
    ids::DeadLetterId,
    problem::{Kind, Problem},
    store::StoreError,
};

#[derive(Debug, thiserror::Error)]
pub enum OperateError {
    #[error("there is no dead letter {0}")]
    Unknown(DeadLetterId),
    #[error("the dead letter is still tried by itself")]
    Waiting,
    #[error("{0}")]
    Field(&'static str),
    #[error("dead letters could not be read or written")]
    Store(#[from] StoreError),
}

impl From<OperateError> for Problem {
    fn from(error: OperateError) -> Self {
        match error {
            OperateError::Unknown(id) => Self::new(Kind::NotFound, format!("no dead letter {id}")),
            OperateError::Waiting => Self::new(
                Kind::LetterWaiting,
                "replay it, or wait until it is settled or parked",
            ),
            OperateError::Field(what) => Self::new(Kind::InvalidField, what),
            OperateError::Store(error) => error.into(),
        }
    }
}

impl From<ReplayError> for Problem {
    fn from(error: ReplayError) -> Self {
        Self::internal(error)
    }
}
