//! Every way a request can be refused, with the names by which SDKs know it.

use std::fmt::{Display, Formatter, Result};

use crate::setting::MAX_BYTES;

#[derive(Debug)]
pub(crate) enum Fault {
    BatchEntryIdsNotDistinct,
    BatchRequestTooLong { bytes: usize },
    EmptyBatchRequest,
    InvalidAction(String),
    InvalidAttributeName(String),
    InvalidAttributeValue(String),
    InvalidMessageContents,
    InvalidParameterValue(String),
    Malformed(serde_json::Error),
    MessageNotInflight,
    MissingParameter(&'static str),
    QueueDoesNotExist,
    QueueNameExists { attribute: String },
    ReceiptHandleIsInvalid(String),
    ResourceNotFound { arn: String },
    Store(rusqlite::Error),
    TooManyEntriesInBatchRequest { entries: usize },
}

impl Fault {
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::InvalidParameterValue(message.into())
    }

    /// The name of the error's shape in SQS's model; SDKs pick their error type by it.
    pub(crate) fn shape(&self) -> &'static str {
        self.names().0
    }

    /// The name from the time when SQS spoke `awsQuery`; SDKs report it as the error's code.
    pub(crate) fn query_code(&self) -> &'static str {
        self.names().1
    }

    fn names(&self) -> (&'static str, &'static str) {
        match self {
            Self::BatchEntryIdsNotDistinct => (
                "BatchEntryIdsNotDistinct",
                "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
            ),
            Self::BatchRequestTooLong { .. } => (
                "BatchRequestTooLong",
                "AWS.SimpleQueueService.BatchRequestTooLong",
            ),
            Self::EmptyBatchRequest => (
                "EmptyBatchRequest",
                "AWS.SimpleQueueService.EmptyBatchRequest",
            ),
            Self::InvalidAction(_) => ("InvalidAction", "InvalidAction"),
            Self::InvalidAttributeName(_) => ("InvalidAttributeName", "InvalidAttributeName"),
            Self::InvalidAttributeValue(_) => ("InvalidAttributeValue", "InvalidAttributeValue"),
            Self::InvalidMessageContents => ("InvalidMessageContents", "InvalidMessageContents"),
            Self::InvalidParameterValue(_) => ("InvalidParameterValue", "InvalidParameterValue"),
            Self::Malformed(_) => ("SerializationException", "MalformedInput"),
            Self::MessageNotInflight => (
                "MessageNotInflight",
                "AWS.SimpleQueueService.MessageNotInflight",
            ),
            Self::MissingParameter(_) => ("MissingParameter", "MissingParameter"),
            Self::QueueDoesNotExist => (
                "QueueDoesNotExist",
                "AWS.SimpleQueueService.NonExistentQueue",
            ),
            Self::QueueNameExists { .. } => ("QueueNameExists", "QueueAlreadyExists"),
            Self::ReceiptHandleIsInvalid(_) => ("ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid"),
            Self::ResourceNotFound { .. } => {
                ("ResourceNotFoundException", "ResourceNotFoundException")
            }
            Self::Store(_) => ("InternalFailure", "InternalFailure"),
            Self::TooManyEntriesInBatchRequest { .. } => (
                "TooManyEntriesInBatchRequest",
                "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
            ),
        }
    }
}

impl Display for Fault {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        match self {
            Self::BatchEntryIdsNotDistinct => {
                out.write_str("Two or more batch entries in the request have the same Id.")
            }
            Self::BatchRequestTooLong { bytes } => write!(
                out,
                "Batch requests cannot be longer than {MAX_BYTES} bytes. You have sent {bytes} bytes."
            ),
            Self::EmptyBatchRequest => {
                out.write_str("There should be at least one entry in the request.")
            }
            Self::InvalidAction(action) => {
                write!(out, "The action {action} is not valid for this endpoint.")
            }
            Self::InvalidAttributeName(name) => write!(out, "Unknown Attribute {name}."),
            Self::InvalidAttributeValue(name) => {
                write!(out, "Invalid value for the parameter {name}.")
            }
            Self::InvalidMessageContents => out.write_str("Invalid characters found."),
            Self::InvalidParameterValue(message) => out.write_str(message),
            Self::Malformed(error) => write!(out, "The request is not JSON: {error}"),
            Self::MessageNotInflight => out.write_str("The specified message isn't in flight."),
            Self::MissingParameter(name) => {
                write!(out, "The request must contain the parameter {name}.")
            }
            Self::QueueDoesNotExist => out.write_str("The specified queue does not exist."),
            Self::QueueNameExists { attribute } => write!(
                out,
                "A queue already exists with the same name and a different value for attribute {attribute}"
            ),
            Self::ReceiptHandleIsInvalid(handle) => write!(
                out,
                "The input receipt handle \"{handle}\" is not a valid receipt handle."
            ),
            Self::ResourceNotFound { arn } => write!(
                out,
                "The resource that you specified for the SourceArn parameter doesn't exist: {arn}"
            ),
            Self::Store(error) => write!(out, "The queue store failed: {error}"),
            Self::TooManyEntriesInBatchRequest { entries } => write!(
                out,
                "Maximum number of entries per request are 10. You have sent {entries}."
            ),
        }
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error)
    }
}
