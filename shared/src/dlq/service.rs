//! The queue of dead letters (DC-4: SQS).

use std::sync::atomic::{AtomicU64, Ordering};

use aws_sdk_sqs::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    types::{MessageSystemAttributeName, QueueAttributeName},
};

use super::model::{DeadLetter, RawBody};
use crate::{
    app::Parts,
    store::{StoreError, keys},
    traces,
};

/// How many messages one call may bring or settle, by the service's own bound.
const BATCH: i32 = 10;

/// How long nobody else is given a message that was received. A run ends before (`replay::LAST`).
const HIDDEN: i32 = 120;

/// A message of the queue, while nobody else is given it.
pub(super) struct Message {
    pub(super) body: String,
    /// How often it has been received, this time included.
    pub(super) tries: u32,
    /// What settles it.
    pub(super) handle: String,
}

/// The queue.
pub struct DeadLetters {
    client: Client,
    url: String,
    /// What the queue charges for and nobody has taken yet.
    requests: AtomicU64,
}

/// The letter is in no queue.
#[derive(Debug, thiserror::Error)]
pub enum DeadLetterError {
    #[error("the dead letter does not encode")]
    Encode(#[from] serde_json::Error),
    #[error("the dead letter is too large for the queue, and could not be kept beside it")]
    Parts(#[from] StoreError),
    #[error("the dead letter queue did not do it ({code})")]
    Queue {
        code: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// The largest message that the queue takes, in bytes (`SendMessage` of the SQS reference).
const MESSAGE_MAX: usize = 1024 * 1024;

/// Bytes that are one request: each 64 KB of what a call carries is charged as one
/// (aws.amazon.com/sqs/pricing).
const CHUNK: usize = 64 * 1024;

/// How long parts are kept. Their letter is in the queue for 14 days at the most; a parked one has
/// waited for a person for more than a year when they go.
pub(super) const PARTS_LIFE: time::Duration = time::Duration::days(400);

/// Keeps a letter. When this returns, it is durable. What is too large for the queue is kept beside
/// it in the table, and the letter says so.
pub(crate) async fn keep(app: &Parts, mut letter: DeadLetter) -> Result<(), DeadLetterError> {
    let text = serde_json::to_string(&letter)?;
    if text.len() <= MESSAGE_MAX {
        return app.dead_letters.send(text).await;
    }
    if let Some(bytes) = letter.body.bytes() {
        let key = keys::case(letter.id).expiring(letter.received_at + PARTS_LIFE);
        let (count, digest) = app.store.put_parts(&key, &bytes).await?;
        letter.body = RawBody::Parts { count, digest };
    }
    app.dead_letters.send(serde_json::to_string(&letter)?).await
}

/// How many letters there are, about: the service counts them now and then.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Depth {
    /// Those that may be received.
    pub due: u64,
    /// Those that wait for their next try, or are being dealt with.
    pub hidden: u64,
}

impl DeadLetters {
    pub fn new(client: Client, url: String) -> Self {
        Self {
            client,
            url,
            requests: AtomicU64::new(0),
        }
    }

    /// How many requests of the queue were made since the last time somebody took them. What the SDK sends
    /// again is not seen here.
    pub fn take_requests(&self) -> u64 {
        self.requests.swap(0, Ordering::Relaxed)
    }

    /// A call that carries this many bytes.
    fn charged(&self, bytes: usize) {
        let requests = u64::try_from(bytes.div_ceil(CHUNK)).unwrap_or(u64::MAX);
        self.requests.fetch_add(requests.max(1), Ordering::Relaxed);
    }

    async fn send(&self, letter: String) -> Result<(), DeadLetterError> {
        self.charged(letter.len());
        let call = self.client.send_message();
        let call = call.queue_url(&self.url).message_body(letter);
        let step = traces::step("SQS.SendMessage");
        step.of(call.send().await).map_err(refused)?;
        Ok(())
    }

    /// How much is in the queue.
    pub async fn depth(&self) -> Result<Depth, DeadLetterError> {
        let wanted = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
        ];
        self.charged(0);
        let output = self
            .client
            .get_queue_attributes()
            .queue_url(&self.url)
            .set_attribute_names(Some(wanted.to_vec()))
            .send()
            .await
            .map_err(refused)?;
        let all = output.attributes.unwrap_or_default();
        let [due, hidden] = wanted.map(|name| {
            let count = all.get(&name).and_then(|it| it.parse().ok());
            count.unwrap_or_default()
        });
        Ok(Depth { due, hidden })
    }

    /// What is due, at most ten of it. None of it is gone before it is settled.
    pub(super) async fn receive(&self) -> Result<Vec<Message>, DeadLetterError> {
        let received = self
            .client
            .receive_message()
            .queue_url(&self.url)
            .max_number_of_messages(BATCH)
            .visibility_timeout(HIDDEN)
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
            .send()
            .await;
        let messages = received.as_ref().map_or(&[][..], |it| it.messages());
        let bytes = messages.iter().filter_map(|it| it.body()).map(str::len);
        self.charged(bytes.sum());
        let messages = received.map_err(refused)?.messages.unwrap_or_default();
        Ok(messages.into_iter().filter_map(message).collect())
    }

    /// The message has been dealt with.
    pub(super) async fn delete(&self, message: &Message) -> Result<(), DeadLetterError> {
        self.charged(0);
        self.client
            .delete_message()
            .queue_url(&self.url)
            .receipt_handle(&message.handle)
            .send()
            .await
            .map_err(refused)?;
        Ok(())
    }

    /// The message is to come again after a while.
    pub(super) async fn hide(
        &self,
        message: &Message,
        wait: time::Duration,
    ) -> Result<(), DeadLetterError> {
        self.charged(0);
        self.client
            .change_message_visibility()
            .queue_url(&self.url)
            .receipt_handle(&message.handle)
            .visibility_timeout(seconds(wait))
            .send()
            .await
            .map_err(refused)?;
        Ok(())
    }
}

fn message(it: aws_sdk_sqs::types::Message) -> Option<Message> {
    let tries = it.attributes.as_ref().and_then(|all| {
        all.get(&MessageSystemAttributeName::ApproximateReceiveCount)?
            .parse()
            .ok()
    });
    Some(Message {
        body: it.body.unwrap_or_default(),
        tries: tries.unwrap_or(1),
        handle: it.receipt_handle?,
    })
}

/// A number that a queue takes: its bounds are far from where this could matter.
fn seconds(wait: time::Duration) -> i32 {
    i32::try_from(wait.whole_seconds()).unwrap_or(i32::MAX)
}

fn refused<E>(error: SdkError<E>) -> DeadLetterError
where
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    DeadLetterError::Queue {
        code: error.code().unwrap_or("no answer").to_owned(),
        source: error.into(),
    }
}
