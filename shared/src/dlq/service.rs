//! The queue of dead letters (DC-4: SQS).

use aws_sdk_sqs::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
};

use super::model::DeadLetter;

/// The queue, as far as a webhook needs it.
pub struct DeadLetters {
    client: Client,
    url: String,
}

/// The letter is in no queue.
#[derive(Debug, thiserror::Error)]
pub enum DeadLetterError {
    #[error("the dead letter does not encode")]
    Encode(#[from] serde_json::Error),
    #[error("the dead letter queue did not take it ({code})")]
    Send {
        code: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl DeadLetters {
    pub fn new(client: Client, url: String) -> Self {
        Self { client, url }
    }

    /// Keeps a letter. When this returns, it is durable.
    pub async fn send(&self, letter: &DeadLetter) -> Result<(), DeadLetterError> {
        self.client
            .send_message()
            .queue_url(&self.url)
            .message_body(serde_json::to_string(letter)?)
            .send()
            .await
            .map_err(refused)?;
        Ok(())
    }
}

fn refused<E>(error: SdkError<E>) -> DeadLetterError
where
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    DeadLetterError::Send {
        code: error.code().unwrap_or("no answer").to_owned(),
        source: error.into(),
    }
}
