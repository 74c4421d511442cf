//! Delays and long polls, which end when the clock says so.

use std::time::{Duration, Instant};

use aws_sdk_sqs::types::QueueAttributeName;

use crate::support::{Account, Queue, bodies};

const MILLI: Duration = Duration::from_millis(1);

async fn send_late(queue: &Queue, seconds: i32) {
    let send = queue.client.send_message().queue_url(&queue.url);
    let send = send.message_body("late").delay_seconds(seconds);
    send.send().await.unwrap();
}

#[tokio::test]
async fn a_delayed_message_shows_up_when_its_delay_is_over() {
    let account = Account::new().await;
    let queue = account.queue("orders").await;
    send_late(&queue, 2).await;
    let delayed = QueueAttributeName::ApproximateNumberOfMessagesDelayed;
    assert_eq!(queue.attribute(delayed.clone()).await, "1");
    account.advance(Duration::from_millis(1999));
    assert!(queue.receive().await.is_empty());
    account.advance(MILLI);
    assert_eq!(queue.attribute(delayed).await, "0");
    assert_eq!(bodies(&queue.receive().await), ["late"]);
}

#[tokio::test]
async fn a_long_poll_gets_a_delayed_message_on_time() {
    let account = Account::new().await;
    let queue = account.queue("orders").await;
    send_late(&queue, 2).await;
    let poll = queue.poll(6);
    account.a_poll_waits().await;
    account.advance(Duration::from_millis(1999));
    account.a_poll_waits().await;
    account.advance(MILLI);
    assert_eq!(bodies(&poll.await.unwrap()), ["late"]);
}

#[tokio::test]
async fn a_long_poll_of_an_empty_queue_ends_with_its_wait() {
    for (seconds, almost) in [(2, 1999), (12, 11_999)] {
        let account = Account::new().await;
        let start = Instant::now();
        let poll = account.queue("orders").await.poll(seconds);
        account.a_poll_waits().await;
        account.advance(Duration::from_millis(almost));
        account.a_poll_waits().await;
        account.advance(MILLI);
        assert!(poll.await.unwrap().is_empty());
        assert!(
            start.elapsed() < Duration::from_secs(2),
            "not ended by the clock"
        );
    }
}

#[tokio::test]
async fn a_queue_may_make_every_receive_a_long_poll() {
    let account = Account::new().await;
    let wait = [(QueueAttributeName::ReceiveMessageWaitTimeSeconds, "20")];
    let queue = account.queue_with("orders", &wait).await;
    let receive = account.client.receive_message().queue_url(&queue.url);
    let poll = tokio::spawn(receive.send());
    account.a_poll_waits().await;
    queue.send("x").await;
    assert_eq!(bodies(poll.await.unwrap().unwrap().messages()), ["x"]);
}

#[tokio::test]
async fn a_long_poll_wakes_when_a_message_is_sent() {
    let account = Account::new().await;
    let queue = account.queue("orders").await;
    let poll = queue.poll(10);
    account.a_poll_waits().await;
    let start = Instant::now();
    queue.send("wake").await;
    assert_eq!(bodies(&poll.await.unwrap()), ["wake"]);
    assert!(
        start.elapsed() < Duration::from_secs(2),
        "woken by nothing but its end"
    );
}

#[tokio::test]
async fn a_long_poll_ends_under_a_clock_that_stands_still() {
    let account = Account::new().await;
    let queue = account.queue("orders").await;
    let start = Instant::now();
    assert!(queue.poll(1).await.unwrap().is_empty());
    assert!(start.elapsed() >= Duration::from_millis(900));
}
