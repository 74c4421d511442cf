//! How an operator's step can fail, and what they are told.

use super::model::Standing;
use crate::{
    ids::IncidentId,
    problem::{Kind, Problem},
    store::StoreError,
};

#[derive(Debug, thiserror::Error)]
pub enum IncidentError {
    #[error("there is no incident {0}")]
    Unknown(IncidentId),
    #[error("the incident is {}", .0.name())]
    Standing(Standing),
    #[error("{0}")]
    Field(&'static str),
    #[error("incidents could not be read or written")]
    Store(#[from] StoreError),
}

impl From<IncidentError> for Problem {
    fn from(error: IncidentError) -> Self {
        match error {
            IncidentError::Unknown(id) => Self::new(Kind::NotFound, format!("no incident {id}")),
            IncidentError::Standing(state) => {
                Self::new(Kind::IncidentState, format!("it is {}", state.name()))
            }
            IncidentError::Field(what) => Self::new(Kind::InvalidField, what),
            IncidentError::Store(error) => error.into(),
        }
    }
}
