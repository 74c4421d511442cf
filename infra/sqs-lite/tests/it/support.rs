//! The actors of these tests: an account with a clock of its own, and its queues.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::retry::RetryConfig;
use aws_sdk_sqs::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName, QueueAttributeName};
use sqs_lite::Sqs;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

const NEW_YEAR_2026_MS: i64 = 1_767_225_600_000;

pub(crate) struct Account {
    pub(crate) client: Client,
    pub(crate) endpoint: String,
    clock: Arc<HandClock>,
    server: JoinHandle<()>,
}

struct HandClock {
    looks: AtomicUsize,
    now: AtomicI64,
}

impl HandClock {
    fn look(&self) -> i64 {
        self.looks.fetch_add(1, Ordering::SeqCst);
        self.now.load(Ordering::SeqCst)
    }
}

impl Account {
    pub(crate) async fn new() -> Self {
        Self::open(None).await
    }

    pub(crate) async fn kept_in(path: &Path) -> Self {
        Self::open(Some(path)).await
    }

    async fn open(path: Option<&Path>) -> Self {
        let clock = Arc::new(HandClock {
            looks: AtomicUsize::new(0),
            now: AtomicI64::new(NEW_YEAR_2026_MS),
        });
        let hands = Arc::clone(&clock);
        let sqs = Sqs::open(path).unwrap().with_clock(move || hands.look());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(async move {
            axum::serve(listener, sqs.router()).await.unwrap();
        });
        Self {
            client: client(&endpoint),
            clock,
            endpoint,
            server,
        }
    }

    pub(crate) async fn queue(&self, name: &str) -> Queue {
        self.queue_with(name, &[]).await
    }

    pub(crate) async fn queue_with(
        &self,
        name: &str,
        attributes: &[(QueueAttributeName, &str)],
    ) -> Queue {
        let mut create = self.client.create_queue().queue_name(name);
        for (attribute, value) in attributes {
            create = create.attributes(attribute.clone(), *value);
        }
        let created = create.send().await.unwrap();
        Queue {
            client: self.client.clone(),
            url: created.queue_url.unwrap(),
        }
    }

    pub(crate) fn advance(&self, duration: Duration) {
        let millis = i64::try_from(duration.as_millis()).unwrap();
        self.clock.now.fetch_add(millis, Ordering::SeqCst);
    }

    /// Returns once a poll has looked at the clock three times more: one that ended because of
    /// what the clock shows now would have looked twice and not again.
    pub(crate) async fn a_poll_waits(&self) {
        let seen = self.clock.looks.load(Ordering::SeqCst);
        let looks = async {
            while self.clock.looks.load(Ordering::SeqCst) < seen + 3 {
                sleep(Duration::from_millis(1)).await;
            }
        };
        let looked = timeout(Duration::from_secs(2), looks).await;
        assert!(looked.is_ok(), "no poll waits");
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn client(endpoint: &str) -> Client {
    let config = aws_sdk_sqs::Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("id", "secret", None, None, "tests"))
        .retry_config(RetryConfig::disabled())
        .endpoint_url(endpoint)
        .build();
    Client::from_conf(config)
}

#[derive(Clone)]
pub(crate) struct Queue {
    pub(crate) client: Client,
    pub(crate) url: String,
}

impl Queue {
    /// Returns the message's id.
    pub(crate) async fn send(&self, body: &str) -> String {
        let request = self.client.send_message().queue_url(&self.url);
        let sent = request.message_body(body).send().await.unwrap();
        sent.message_id.unwrap()
    }

    /// Sends to a group of a FIFO queue.
    pub(crate) async fn send_to(&self, group: &str, body: &str) {
        let request = self.client.send_message().queue_url(&self.url);
        let request = request.message_body(body).message_group_id(group);
        request.send().await.unwrap();
    }

    /// Takes up to ten messages that are there now, and hides them as long as the queue says.
    pub(crate) async fn receive(&self) -> Vec<Message> {
        self.take(10, 0, None).await
    }

    pub(crate) async fn receive_hiding(&self, seconds: i32) -> Vec<Message> {
        self.take(10, 0, Some(seconds)).await
    }

    pub(crate) async fn receive_one(&self) -> Message {
        let mut messages = self.take(1, 0, None).await;
        assert_eq!(messages.len(), 1, "{messages:?}");
        messages.remove(0)
    }

    pub(crate) fn poll(&self, seconds: i32) -> JoinHandle<Vec<Message>> {
        let queue = self.clone();
        tokio::spawn(async move { queue.take(10, seconds, None).await })
    }

    async fn take(&self, most: i32, wait: i32, hidden: Option<i32>) -> Vec<Message> {
        let receive = self.client.receive_message().queue_url(&self.url);
        let received = receive
            .max_number_of_messages(most)
            .wait_time_seconds(wait)
            .set_visibility_timeout(hidden)
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .message_attribute_names("All")
            .send()
            .await;
        received.unwrap().messages.unwrap_or_default()
    }

    pub(crate) async fn delete(&self, message: &Message) {
        let delete = self.client.delete_message().queue_url(&self.url);
        let delete = delete.receipt_handle(message.receipt_handle().unwrap());
        delete.send().await.unwrap();
    }

    pub(crate) async fn hide(&self, message: &Message, seconds: i32) {
        let change = self.client.change_message_visibility();
        let change = change.queue_url(&self.url).visibility_timeout(seconds);
        let change = change.receipt_handle(message.receipt_handle().unwrap());
        change.send().await.unwrap();
    }

    pub(crate) async fn attribute(&self, name: QueueAttributeName) -> String {
        let get = self.client.get_queue_attributes().queue_url(&self.url);
        let got = get.attribute_names(name.clone()).send().await.unwrap();
        got.attributes.unwrap().remove(&name).unwrap()
    }

    pub(crate) async fn visible(&self) -> String {
        self.attribute(QueueAttributeName::ApproximateNumberOfMessages)
            .await
    }

    pub(crate) async fn in_flight(&self) -> String {
        self.attribute(QueueAttributeName::ApproximateNumberOfMessagesNotVisible)
            .await
    }

    pub(crate) async fn arn(&self) -> String {
        self.attribute(QueueAttributeName::QueueArn).await
    }
}

pub(crate) fn bodies(messages: &[Message]) -> Vec<&str> {
    messages.iter().filter_map(Message::body).collect()
}

pub(crate) fn system<'a>(
    message: &'a Message,
    name: &MessageSystemAttributeName,
) -> Option<&'a str> {
    message.attributes()?.get(name).map(String::as_str)
}

pub(crate) fn receives(message: &Message) -> Option<&str> {
    system(
        message,
        &MessageSystemAttributeName::ApproximateReceiveCount,
    )
}

/// The error's code, which for SQS is the one it had before it spoke JSON.
pub(crate) fn code<T, E, R>(result: Result<T, SdkError<E, R>>) -> String
where
    E: ProvideErrorMetadata,
{
    let error = result.err().unwrap();
    error.code().unwrap_or("none").to_owned()
}
