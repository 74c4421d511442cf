//! Why a guardrail was not looked at or lifted.

use crate::{
    costs::CostsError,
    problem::{Kind, Problem},
    store::StoreError,
};

/// A failure of looking, or of what an operator wanted.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    #[error("guardrails could not be read or written")]
    Store(#[from] StoreError),
    #[error("what was spent could not be told")]
    Costs(#[from] CostsError),
    #[error("there is nothing to lift or to restore")]
    Nothing,
}

impl From<GuardError> for Problem {
    fn from(error: GuardError) -> Self {
        match error {
            GuardError::Nothing => Self::new(
                Kind::NotFound,
                "no such guardrail acts: GET /api/ops/guardrails says which do",
            ),
            GuardError::Store(error) => error.into(),
            GuardError::Costs(error) => error.into(),
        }
    }
}
