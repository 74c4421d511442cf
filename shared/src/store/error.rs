//! How the table can fail, and whether trying again can help.

use aws_sdk_dynamodb::{
    error::{ProvideErrorMetadata, SdkError},
    operation::transact_write_items::TransactWriteItemsError,
};

/// A failure of the table, classified once, here.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A guard did not hold. `write` is its place in the transaction (0 outside of one).
    #[error("the item changed under write {write}")]
    Conflict { write: usize },
    /// What is stored, or what should be, does not fit its type. Trying again does not help.
    #[error("the item does not encode or decode")]
    Codec(#[source] Box<serde_dynamo::Error>),
    /// The table refuses the request for what it is. Trying again does not help.
    #[error("the table refused the request")]
    Refused(#[source] Source),
    /// Another transaction was at work on the same item: nothing was written.
    #[error("another transaction was at work on the same item")]
    Collision(#[source] Source),
    /// Throttled, unreachable or slow: the write may or may not have happened.
    #[error("the table did not answer")]
    Unavailable(#[source] Source),
}

type Source = Box<dyn std::error::Error + Send + Sync>;

impl StoreError {
    /// Whether the same request may succeed later.
    pub fn is_retryable(&self) -> bool {
        !matches!(self, Self::Codec(_) | Self::Refused(_))
    }

    /// Any call but a transaction.
    pub(super) fn of<E>(error: SdkError<E>) -> Self
    where
        E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
    {
        match error.code() {
            Some("ConditionalCheckFailedException") => Self::Conflict { write: 0 },
            Some("TransactionConflictException") => Self::Collision(error.into()),
            Some("ValidationException" | "AccessDeniedException" | "ResourceNotFoundException") => {
                Self::Refused(error.into())
            }
            _ => Self::Unavailable(error.into()),
        }
    }

    /// A transaction: the first write whose condition failed names the conflict.
    pub(super) fn of_commit(error: SdkError<TransactWriteItemsError>) -> Self {
        let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) =
            error.as_service_error()
        else {
            return Self::of(error);
        };
        let codes: Vec<&str> = cancelled
            .cancellation_reasons()
            .iter()
            .map(|reason| reason.code().unwrap_or_default())
            .collect();
        if let Some(write) = codes.iter().position(|&it| it == "ConditionalCheckFailed") {
            return Self::Conflict { write };
        }
        if codes
            .iter()
            .any(|&it| matches!(it, "ValidationError" | "ItemCollectionSizeLimitExceeded"))
        {
            return Self::Refused(error.into());
        }
        if codes
            .iter()
            .all(|&it| matches!(it, "None" | "TransactionConflict"))
        {
            return Self::Collision(error.into());
        }
        Self::Unavailable(error.into())
    }
}

impl From<serde_dynamo::Error> for StoreError {
    fn from(error: serde_dynamo::Error) -> Self {
        Self::Codec(Box::new(error))
    }
}
