//! FIFO queues: in order within a group, and nothing twice within five minutes.

use std::time::Duration;

use aws_sdk_sqs::types::{MessageSystemAttributeName, QueueAttributeName};

use crate::support::{Account, Queue, bodies, code, system};

async fn fifo(account: &Account) -> Queue {
    let attributes = [
        (QueueAttributeName::FifoQueue, "true"),
        (QueueAttributeName::ContentBasedDeduplication, "true"),
    ];
    account.queue_with("orders.fifo", &attributes).await
}

#[tokio::test]
async fn a_group_waits_for_its_message_in_flight() {
    let account = Account::new().await;
    let queue = fifo(&account).await;
    for (group, body) in [("a", "a1"), ("a", "a2"), ("b", "b1")] {
        queue.send_to(group, body).await;
    }
    let first = queue.receive_one().await;
    assert_eq!(first.body(), Some("a1"));
    assert_eq!(bodies(&queue.receive().await), ["b1"]);
    queue.delete(&first).await;
    assert_eq!(bodies(&queue.receive().await), ["a2"]);
}

#[tokio::test]
async fn one_receive_takes_a_group_in_order_and_once() {
    let account = Account::new().await;
    let queue = fifo(&account).await;
    for body in ["a1", "a2", "a3"] {
        queue.send_to("a", body).await;
    }
    let messages = queue.receive_hiding(0).await;
    assert_eq!(bodies(&messages), ["a1", "a2", "a3"]);
    let numbers: Vec<_> = messages
        .iter()
        .filter_map(|it| system(it, &MessageSystemAttributeName::SequenceNumber))
        .collect();
    assert_eq!(numbers.len(), 3);
    assert!(numbers.is_sorted(), "{numbers:?}");
}

#[tokio::test]
async fn a_message_sent_twice_arrives_once_in_five_minutes() {
    let account = Account::new().await;
    let queue = fifo(&account).await;
    queue.send_to("a", "a1").await;
    queue.send_to("a", "a1").await;
    assert_eq!(queue.visible().await, "1");
    account.advance(Duration::from_mins(5));
    queue.send_to("a", "a1").await;
    assert_eq!(queue.visible().await, "1");
    account.advance(Duration::from_millis(1));
    queue.send_to("a", "a1").await;
    assert_eq!(queue.visible().await, "2");
}

#[tokio::test]
async fn a_new_queue_of_an_old_name_remembers_nothing() {
    let account = Account::new().await;
    let queue = fifo(&account).await;
    queue.send_to("a", "a1").await;
    let delete = account.client.delete_queue().queue_url(&queue.url);
    delete.send().await.unwrap();
    let queue = fifo(&account).await;
    queue.send_to("a", "a1").await;
    assert_eq!(queue.visible().await, "1");
}

#[tokio::test]
async fn a_message_without_group_or_key_is_refused() {
    let account = Account::new().await;
    let queue = account.queue("bare.fifo").await;
    let send = account.client.send_message().queue_url(&queue.url);
    let send = send.message_body("x");
    assert_eq!(code(send.clone().send().await), "MissingParameter");
    let without_key = send.message_group_id("a");
    let refused = without_key.clone().send().await;
    assert_eq!(code(refused), "InvalidParameterValue");
    let with_key = without_key.message_deduplication_id("k");
    assert!(with_key.send().await.unwrap().sequence_number().is_some());
}
