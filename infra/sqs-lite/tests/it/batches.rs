//! Batches: ten at most, ids distinct, and each entry on its own.

use aws_sdk_sqs::operation::send_message_batch::SendMessageBatchError;
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, Message,
    SendMessageBatchRequestEntry,
};

use crate::support::{Account, Queue};

fn entry(id: usize, body: &str) -> SendMessageBatchRequestEntry {
    let entry = SendMessageBatchRequestEntry::builder().id(format!("m{id}"));
    entry.message_body(body).build().unwrap()
}

async fn send_ten(queue: &Queue) -> Vec<Message> {
    let entries = (0..10).map(|id| entry(id, "x")).collect();
    let request = queue.client.send_message_batch().queue_url(&queue.url);
    let sent = request.set_entries(Some(entries)).send().await.unwrap();
    assert_eq!(sent.successful().len(), 10);
    assert_eq!(sent.successful()[3].id(), "m3");
    assert!(sent.failed().is_empty(), "{:?}", sent.failed());
    assert_eq!(queue.visible().await, "10");
    let messages = queue.receive().await;
    assert_eq!(messages.len(), 10);
    messages
}

#[tokio::test]
async fn a_batch_has_its_limits() {
    let account = Account::new().await;
    let queue = account.queue("orders").await;
    let refused = async |entries: Vec<SendMessageBatchRequestEntry>| {
        let request = account.client.send_message_batch().queue_url(&queue.url);
        let sent = request.set_entries(Some(entries)).send().await;
        sent.unwrap_err().into_service_error()
    };
    let eleven = (0..11).map(|id| entry(id, "x")).collect();
    let error = refused(eleven).await;
    assert!(error.is_too_many_entries_in_batch_request(), "{error:?}");
    let error = refused(vec![entry(1, "x"), entry(1, "y")]).await;
    assert!(error.is_batch_entry_ids_not_distinct(), "{error:?}");
    let error = refused(Vec::new()).await;
    assert!(error.is_empty_batch_request(), "{error:?}");
    let half = "x".repeat(600 * 1024);
    let error: SendMessageBatchError = refused(vec![entry(1, &half), entry(2, &half)]).await;
    assert!(error.is_batch_request_too_long(), "{error:?}");
    assert_eq!(queue.visible().await, "0");
}

#[tokio::test]
async fn an_entry_that_fails_does_not_fail_the_others() {
    let account = Account::new().await;
    let queue = account.queue("orders").await;
    let messages = send_ten(&queue).await;
    let mut handles: Vec<_> = messages
        .iter()
        .filter_map(Message::receipt_handle)
        .collect();
    handles.push("garbage");
    let entries = handles[5..].iter().enumerate().map(|(id, handle)| {
        let entry = DeleteMessageBatchRequestEntry::builder().id(format!("d{id}"));
        entry.receipt_handle(*handle).build().unwrap()
    });
    let delete = account.client.delete_message_batch().queue_url(&queue.url);
    let delete = delete.set_entries(Some(entries.collect()));
    let deleted = delete.send().await.unwrap();
    assert_eq!(deleted.successful().len(), 5);
    assert_eq!(deleted.failed().len(), 1);
    assert_eq!(deleted.failed()[0].id(), "d5");
    assert_eq!(deleted.failed()[0].code(), "ReceiptHandleIsInvalid");
    assert!(deleted.failed()[0].sender_fault());
    assert_eq!(queue.in_flight().await, "5");
}

#[tokio::test]
async fn a_batch_of_messages_is_given_back() {
    let account = Account::new().await;
    let queue = account.queue("orders").await;
    let messages = send_ten(&queue).await;
    let entries = messages[..5].iter().enumerate().map(|(id, message)| {
        let entry = ChangeMessageVisibilityBatchRequestEntry::builder().id(format!("c{id}"));
        let entry = entry.receipt_handle(message.receipt_handle().unwrap());
        entry.visibility_timeout(0).build().unwrap()
    });
    let change = account.client.change_message_visibility_batch();
    let change = change.queue_url(&queue.url);
    let change = change.set_entries(Some(entries.collect()));
    let changed = change.send().await.unwrap();
    assert_eq!(changed.successful().len(), 5);
    assert_eq!(queue.visible().await, "5");
    assert_eq!(queue.in_flight().await, "5");
}
