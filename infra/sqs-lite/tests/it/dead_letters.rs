//! Messages received too often, and their way back.

use std::time::Duration;

use aws_sdk_sqs::types::{MessageAttributeValue, MessageSystemAttributeName, QueueAttributeName};

use crate::support::{Account, Queue, bodies, code, receives, system};

fn policy(dead_letters: &str, count: &str) -> String {
    format!(r#"{{"deadLetterTargetArn":"{dead_letters}","maxReceiveCount":{count}}}"#)
}

/// A queue whose messages go to the other one after two receives.
async fn pair(account: &Account, count: &str) -> (Queue, Queue) {
    let dead = account.queue("dead").await;
    let policy = policy(&dead.arn().await, count);
    let redrive = [(QueueAttributeName::RedrivePolicy, policy.as_str())];
    (account.queue_with("orders", &redrive).await, dead)
}

async fn fail_twice(queue: &Queue) {
    for _ in 0..2 {
        assert_eq!(queue.receive_hiding(0).await.len(), 1);
    }
    assert!(queue.receive_hiding(0).await.is_empty());
}

#[tokio::test]
async fn a_message_received_too_often_is_a_dead_letter() {
    for count in ["2", "\"2\""] {
        let account = Account::new().await;
        let (queue, dead) = pair(&account, count).await;
        let id = queue.send("poison").await;
        fail_twice(&queue).await;
        let letter = dead.receive_one().await;
        assert_eq!(letter.body(), Some("poison"));
        assert_eq!(letter.message_id(), Some(id.as_str()));
        let source = system(
            &letter,
            &MessageSystemAttributeName::DeadLetterQueueSourceArn,
        );
        assert_eq!(source, Some(queue.arn().await.as_str()));
    }
}

#[tokio::test]
async fn a_policy_may_be_set_later() {
    let account = Account::new().await;
    let (queue, dead) = (account.queue("orders").await, account.queue("dead").await);
    let policy = policy(&dead.arn().await, "2");
    let set = account.client.set_queue_attributes().queue_url(&queue.url);
    let set = set.attributes(QueueAttributeName::RedrivePolicy, &policy);
    set.send().await.unwrap();
    let kept = queue.attribute(QueueAttributeName::RedrivePolicy).await;
    assert_eq!(kept, policy);
    let list = account.client.list_dead_letter_source_queues();
    let listed = list.queue_url(&dead.url).send().await.unwrap();
    assert_eq!(listed.queue_urls(), [queue.url.as_str()]);
    queue.send("poison").await;
    fail_twice(&queue).await;
    assert_eq!(bodies(&dead.receive().await), ["poison"]);
}

#[tokio::test]
async fn a_poll_of_dead_letters_wakes_when_one_arrives() {
    let account = Account::new().await;
    let (queue, dead) = pair(&account, "2").await;
    queue.send("poison").await;
    let poll = dead.poll(10);
    account.a_poll_waits().await;
    fail_twice(&queue).await;
    assert_eq!(bodies(&poll.await.unwrap()), ["poison"]);
}

#[tokio::test]
async fn a_dead_letter_goes_back_whole_and_as_new() {
    let account = Account::new().await;
    let (queue, dead) = pair(&account, "2").await;
    let kind = MessageAttributeValue::builder().data_type("String");
    let kind = kind.string_value("v").build().unwrap();
    let send = account.client.send_message().queue_url(&queue.url);
    let send = send.message_body("poison").message_attributes("k", kind);
    send.send().await.unwrap();
    fail_twice(&queue).await;

    let arn = dead.arn().await;
    let start = account.client.start_message_move_task().source_arn(&arn);
    assert!(start.send().await.unwrap().task_handle().is_some());
    let back = queue.receive_one().await;
    assert_eq!(back.body(), Some("poison"));
    assert_eq!(receives(&back), Some("1"));
    assert!(back.message_attributes().unwrap().contains_key("k"));
    assert_eq!(dead.visible().await, "0");
    let list = account.client.list_message_move_tasks().source_arn(&arn);
    let listed = list.send().await.unwrap();
    assert_eq!(listed.results().len(), 1);
    assert_eq!(listed.results()[0].status(), Some("COMPLETED"));
    assert_eq!(
        listed.results()[0].approximate_number_of_messages_moved(),
        1
    );
}

#[tokio::test]
async fn dead_letters_may_be_moved_elsewhere() {
    let account = Account::new().await;
    let (_, dead) = pair(&account, "3").await;
    let other = account.queue("other").await;
    for number in 0..5 {
        dead.send(&number.to_string()).await;
    }
    let start = account.client.start_message_move_task();
    let start = start.source_arn(dead.arn().await);
    let start = start.destination_arn(other.arn().await);
    let start = start.max_number_of_messages_per_second(100);
    start.send().await.unwrap();
    assert_eq!(other.visible().await, "5");
    assert_eq!(dead.visible().await, "0");
}

#[tokio::test]
async fn only_dead_letters_can_be_moved() {
    let account = Account::new().await;
    let arn = account.queue("orders").await.arn().await;
    let start = account.client.start_message_move_task().source_arn(&arn);
    assert_eq!(code(start.send().await), "InvalidParameterValue");
    let nowhere = arn.replace("orders", "nope");
    let start = account.client.start_message_move_task().source_arn(nowhere);
    let error = start.send().await.unwrap_err().into_service_error();
    assert!(error.is_resource_not_found_exception(), "{error:?}");
}

#[tokio::test]
async fn a_dead_letter_is_kept_as_long_as_its_new_queue_says() {
    let account = Account::new().await;
    let (queue, dead) = pair(&account, "2").await;
    let set = account.client.set_queue_attributes().queue_url(&dead.url);
    let fortnight = QueueAttributeName::MessageRetentionPeriod;
    set.attributes(fortnight, "1209600").send().await.unwrap();
    queue.send("poison").await;
    fail_twice(&queue).await;
    account.advance(Duration::from_hours(13 * 24));
    assert_eq!(dead.visible().await, "1");
    account.advance(Duration::from_hours(24));
    assert_eq!(dead.visible().await, "0");
}

#[tokio::test]
async fn a_message_stays_if_its_dead_letter_queue_is_gone() {
    let account = Account::new().await;
    let (queue, dead) = pair(&account, "2").await;
    let delete = account.client.delete_queue().queue_url(&dead.url);
    delete.send().await.unwrap();
    queue.send("poison").await;
    for _ in 0..4 {
        assert_eq!(bodies(&queue.receive_hiding(0).await), ["poison"]);
    }
}
