//! Why secrets cannot be had. None of it shows one.

use aws_sdk_secretsmanager::error::BoxError;

/// What is kept in the store cannot be had or cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    /// Refused, away, or too slow: its own words are in the chain.
    #[error("the secrets could not be fetched")]
    Unavailable(#[source] BoxError),
    #[error("the secrets did not come in time")]
    Late,
    /// The parser's words are left out, because they quote what it read.
    #[error("what SECRETS_ID names is not a JSON object of texts")]
    NotAnObject,
}
