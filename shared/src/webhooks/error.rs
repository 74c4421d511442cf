//! How a webhook can fail, and what Mux is told: 2xx means durable, anything else means send it again.

use crate::{
    dlq::DeadLetterError,
    mux::{NotAnEvent, SignatureError},
    problem::{Kind, Problem},
    store::StoreError,
};

#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    #[error("the webhook does not prove its sender")]
    Spoofed(#[from] SignatureError),
    #[error("the webhook is no event")]
    NotAnEvent(#[from] NotAnEvent),
    #[error("the event could not be stored")]
    Store(#[from] StoreError),
    #[error("the event could not be stored in time")]
    Late,
    #[error("the event could be neither stored nor queued")]
    Queue(#[from] DeadLetterError),
    #[error("the event could be neither stored nor queued in time")]
    QueueLate,
}

impl From<WebhookError> for Problem {
    fn from(error: WebhookError) -> Self {
        match error {
            WebhookError::Spoofed(_) => Self::new(
                Kind::InvalidSignature,
                "sign the raw body with the endpoint's secret",
            )
            .because(error),
            WebhookError::NotAnEvent(_) => {
                Self::new(Kind::NotAnEvent, "it was kept for an operator to look at").because(error)
            }
            WebhookError::Store(_)
            | WebhookError::Late
            | WebhookError::Queue(_)
            | WebhookError::QueueLate => Self::internal(error),
        }
    }
}
