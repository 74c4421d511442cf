//! Messages in flight: hidden for a while, given back, held on to, and let go too late.

use std::time::Duration;

use crate::support::{Account, bodies, code, receives};

#[tokio::test]
async fn a_message_not_deleted_comes_again() {
    let account = Account::new().await;
    let queue = account.queue("orders").await;
    queue.send("v").await;
    assert_eq!(bodies(&queue.receive_hiding(1).await), ["v"]);
    assert!(queue.receive().await.is_empty());
    assert_eq!(queue.in_flight().await, "1");
    account.advance(Duration::from_secs(1));
    assert_eq!(queue.in_flight().await, "0");
    assert_eq!(receives(&queue.receive_one().await), Some("2"));
}

#[tokio::test]
async fn a_message_given_back_is_there_at_once() {
    let account = Account::new().await;
    let queue = account.queue("orders").await;
    queue.send("v").await;
    let message = queue.receive_one().await;
    queue.hide(&message, 0).await;
    assert_eq!(receives(&queue.receive_one().await), Some("2"));
}

#[tokio::test]
async fn a_message_held_longer_stays_hidden_longer() {
    let account = Account::new().await;
    let queue = account.queue("orders").await;
    queue.send("v").await;
    let message = queue.receive_one().await;
    queue.hide(&message, 1).await;
    queue.hide(&message, 4).await;
    account.advance(Duration::from_millis(3999));
    assert!(queue.receive().await.is_empty());
    account.advance(Duration::from_millis(1));
    assert_eq!(bodies(&queue.receive().await), ["v"]);
}

#[tokio::test]
async fn a_message_not_in_flight_cannot_be_held() {
    let account = Account::new().await;
    let queue = account.queue("orders").await;
    queue.send("v").await;
    let message = queue.receive_one().await;
    account.advance(Duration::from_secs(30));
    let change = account.client.change_message_visibility();
    let change = change.queue_url(&queue.url).visibility_timeout(5);
    let change = change.receipt_handle(message.receipt_handle().unwrap());
    let error = change.send().await.unwrap_err().into_service_error();
    assert!(error.is_message_not_inflight(), "{error:?}");
}

#[tokio::test]
async fn a_stale_handle_deletes_nothing() {
    let account = Account::new().await;
    let queue = account.queue("orders").await;
    queue.send("v").await;
    let slow = queue.receive_hiding(0).await.remove(0);
    let holder = queue.receive_one().await;
    queue.delete(&slow).await;
    assert_eq!(queue.in_flight().await, "1");
    queue.delete(&holder).await;
    assert_eq!(queue.in_flight().await, "0");
}

#[tokio::test]
async fn a_handle_that_never_was_one_is_refused() {
    let account = Account::new().await;
    let queue = account.queue("orders").await;
    let delete = account.client.delete_message().queue_url(&queue.url);
    let deleted = delete.receipt_handle("garbage").send().await;
    assert_eq!(code(deleted), "ReceiptHandleIsInvalid");
}
