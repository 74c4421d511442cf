//! One message: what goes in comes out, and what may not go in is refused.

use std::time::Duration;

use aws_sdk_sqs::primitives::Blob;
use aws_sdk_sqs::types::{
    MessageAttributeValue, MessageSystemAttributeName, MessageSystemAttributeNameForSends,
    MessageSystemAttributeValue,
};

use crate::support::{Account, code, receives, system};

const TRACE: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";

fn text(data_type: &str, value: &str) -> MessageAttributeValue {
    let attribute = MessageAttributeValue::builder().data_type(data_type);
    attribute.string_value(value).build().unwrap()
}

fn binary(value: &[u8]) -> MessageAttributeValue {
    let attribute = MessageAttributeValue::builder().data_type("Binary");
    attribute.binary_value(Blob::new(value)).build().unwrap()
}

#[tokio::test]
async fn a_message_arrives_as_it_was_sent() {
    let account = Account::new().await;
    let queue = account.queue("orders").await;
    let body = "héllo {\"a\":1} <x>&";
    let trace = MessageSystemAttributeValue::builder().data_type("String");
    let trace = trace.string_value(TRACE).build().unwrap();
    let request = account.client.send_message().queue_url(&queue.url);
    let sent = request
        .message_body(body)
        .message_attributes("trace", text("String", "t-1"))
        .message_attributes("num", text("Number", "42"))
        .message_attributes("bin", binary(&[1, 0, 255]))
        .message_system_attributes(MessageSystemAttributeNameForSends::AwsTraceHeader, trace)
        .send()
        .await
        .unwrap();
    let message = queue.receive_one().await;

    assert_eq!(message.body(), Some(body));
    assert_eq!(message.message_id(), sent.message_id());
    assert_eq!(message.md5_of_body(), sent.md5_of_message_body());
    let digest = "eeec186db5fc3e86a1c640e14bde5649";
    assert_eq!(sent.md5_of_message_attributes(), Some(digest));
    assert_eq!(message.md5_of_message_attributes(), Some(digest));
    let header = system(&message, &MessageSystemAttributeName::AwsTraceHeader);
    assert_eq!(header, Some(TRACE));
    let attributes = message.message_attributes().unwrap();
    assert_eq!(attributes["trace"].string_value(), Some("t-1"));
    assert_eq!(attributes["num"].string_value(), Some("42"));
    assert_eq!(
        attributes["bin"].binary_value(),
        Some(&Blob::new([1, 0, 255]))
    );
}

#[tokio::test]
async fn a_message_tells_its_history() {
    use MessageSystemAttributeName as Name;
    let account = Account::new().await;
    let queue = account.queue("orders").await;
    queue.send("x").await;
    let message = queue.receive_one().await;
    assert_eq!(receives(&message), Some("1"));
    assert_eq!(
        system(&message, &Name::SentTimestamp),
        Some("1767225600000")
    );
    let first = system(&message, &Name::ApproximateFirstReceiveTimestamp);
    assert_eq!(first, Some("1767225600000"));
    assert!(system(&message, &Name::SenderId).is_some());
}

#[tokio::test]
async fn only_the_attributes_asked_for_are_handed_out() {
    let account = Account::new().await;
    let queue = account.queue("orders").await;
    let request = account.client.send_message().queue_url(&queue.url);
    let request = request.message_body("x");
    let request = request.message_attributes("order.id", text("String", "1"));
    let request = request.message_attributes("trace", text("String", "2"));
    request.send().await.unwrap();
    let receive = account.client.receive_message().queue_url(&queue.url);
    let receive = receive.message_attribute_names("order.*");
    let message = receive.send().await.unwrap().messages.unwrap().remove(0);
    let names: Vec<_> = message.message_attributes().unwrap().keys().collect();
    assert_eq!(names, ["order.id"]);
    assert!(message.attributes().is_none(), "{message:?}");
}

/// The digest is what SQS itself answered for this attribute, as moto's tests have kept it.
#[tokio::test]
async fn the_digest_of_attributes_is_the_one_sqs_computes() {
    let account = Account::new().await;
    let queue = account.queue("orders").await;
    let request = account.client.send_message().queue_url(&queue.url);
    let request = request.message_body("x");
    let request = request.message_attributes("timestamp", text("Number", "1493147359900"));
    let sent = request.send().await.unwrap();
    let digest = "235c5c510d26fb653d073faed50ae77c";
    assert_eq!(sent.md5_of_message_attributes(), Some(digest));
}

#[tokio::test]
async fn a_body_has_its_limits() {
    let account = Account::new().await;
    let queue = account.queue("orders").await;
    queue.send(&"x".repeat(1024 * 1024)).await;
    let send = |body: String| {
        let request = account.client.send_message().queue_url(&queue.url);
        request.message_body(body).send()
    };
    let over = send("x".repeat(1024 * 1024 + 1)).await;
    assert_eq!(code(over), "InvalidParameterValue");
    let empty = send(String::new()).await;
    assert_eq!(code(empty), "MissingParameter");
    let nul = send("a\u{0}b".to_owned()).await;
    let error = nul.unwrap_err().into_service_error();
    assert!(error.is_invalid_message_contents(), "{error:?}");
}

#[tokio::test]
async fn a_number_out_of_its_range_is_refused() {
    let account = Account::new().await;
    let queue = account.queue("orders").await;
    let receive = account.client.receive_message().queue_url(&queue.url);
    let eleven = receive.max_number_of_messages(11).send().await;
    assert_eq!(code(eleven), "InvalidParameterValue");
    let request = account.client.send_message().queue_url(&queue.url);
    let late = request.message_body("x").delay_seconds(901).send().await;
    assert_eq!(code(late), "InvalidParameterValue");
}

#[tokio::test]
async fn a_message_expires_with_its_retention() {
    let account = Account::new().await;
    let queue = account.queue("orders").await;
    queue.send("x").await;
    account.advance(Duration::from_millis(345_599_999));
    assert_eq!(queue.visible().await, "1");
    account.advance(Duration::from_millis(1));
    assert_eq!(queue.visible().await, "0");
    assert!(queue.receive().await.is_empty());
}

#[tokio::test]
async fn a_standard_queue_keeps_the_group_of_a_message() {
    let account = Account::new().await;
    let queue = account.queue("orders").await;
    queue.send_to("tenant-1", "first").await;
    queue.send_to("tenant-1", "second").await;
    let first = queue.receive_one().await;
    let group = system(&first, &MessageSystemAttributeName::MessageGroupId);
    assert_eq!(group, Some("tenant-1"));
    let second = queue.receive_one().await;
    assert_eq!(
        second.body(),
        Some("second"),
        "a standard queue blocks no group"
    );
}

#[tokio::test]
async fn eight_consumers_never_get_the_same_message() {
    let account = Account::new().await;
    let queue = account.queue("orders").await;
    for number in 0..40 {
        queue.send(&number.to_string()).await;
    }
    let consumers: Vec<_> = (0..8)
        .map(|_| {
            let queue = queue.clone();
            tokio::spawn(async move { [queue.receive().await, queue.receive().await].concat() })
        })
        .collect();
    let mut bodies = Vec::new();
    for consumer in consumers {
        let messages = consumer.await.unwrap();
        bodies.extend(messages.into_iter().filter_map(|message| message.body));
    }
    bodies.sort();
    assert_eq!(bodies.len(), 40);
    bodies.dedup();
    assert_eq!(bodies.len(), 40);
}
