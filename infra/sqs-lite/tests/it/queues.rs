//! Queues as such: found, made again, described, tagged, emptied, deleted.

use aws_sdk_sqs::types::QueueAttributeName;

use crate::support::{Account, code};

const NO_QUEUE: &str = "AWS.SimpleQueueService.NonExistentQueue";

#[tokio::test]
async fn a_queue_url_is_on_the_address_it_was_asked_at() {
    let account = Account::new().await;
    let queue = account.queue("orders").await;
    let find = account.client.get_queue_url().queue_name("orders");
    let found = find.send().await.unwrap();
    assert_eq!(found.queue_url(), Some(queue.url.as_str()));
    assert!(queue.url.starts_with(&account.endpoint), "{}", queue.url);
}

#[tokio::test]
async fn a_queue_made_again_is_the_same_unless_it_differs() {
    let account = Account::new().await;
    let thirty = [(QueueAttributeName::VisibilityTimeout, "30")];
    let first = account.queue_with("orders", &thirty).await;
    let again = account.queue_with("orders", &thirty).await;
    assert_eq!(first.url, again.url);
    let other = account
        .client
        .create_queue()
        .queue_name("orders")
        .attributes(QueueAttributeName::VisibilityTimeout, "31")
        .send()
        .await;
    let error = other.unwrap_err().into_service_error();
    assert!(error.is_queue_name_exists(), "{error:?}");
}

#[tokio::test]
async fn a_queue_that_is_not_there_is_a_typed_error() {
    let account = Account::new().await;
    let url = account.queue("orders").await.url.replace("orders", "nope");
    let client = &account.client;
    let found = client.get_queue_url().queue_name("nope").send().await;
    let error = found.unwrap_err().into_service_error();
    assert!(error.is_queue_does_not_exist(), "{error:?}");
    let send = client.send_message().queue_url(&url).message_body("x");
    let error = send.send().await.unwrap_err().into_service_error();
    assert!(error.is_queue_does_not_exist(), "{error:?}");
    let received = client.receive_message().queue_url(&url).send().await;
    assert_eq!(code(received), NO_QUEUE);
}

#[tokio::test]
async fn a_queue_describes_itself_in_full() {
    use QueueAttributeName as Name;
    let account = Account::new().await;
    let queue = account.queue("orders").await;
    let get = account.client.get_queue_attributes().queue_url(&queue.url);
    let got = get.attribute_names(Name::All).send().await.unwrap();
    let attributes = got.attributes.unwrap();
    for (name, value) in [
        (Name::ApproximateNumberOfMessages, "0"),
        (Name::ApproximateNumberOfMessagesDelayed, "0"),
        (Name::ApproximateNumberOfMessagesNotVisible, "0"),
        (Name::CreatedTimestamp, "1767225600"),
        (Name::DelaySeconds, "0"),
        (Name::LastModifiedTimestamp, "1767225600"),
        (Name::MaximumMessageSize, "1048576"),
        (Name::MessageRetentionPeriod, "345600"),
        (Name::QueueArn, "arn:aws:sqs:us-east-1:000000000000:orders"),
        (Name::ReceiveMessageWaitTimeSeconds, "0"),
        (Name::VisibilityTimeout, "30"),
    ] {
        assert_eq!(
            attributes.get(&name).map(String::as_str),
            Some(value),
            "{name}"
        );
    }
}

#[tokio::test]
async fn an_attribute_out_of_its_range_or_unknown_is_refused() {
    let account = Account::new().await;
    let set = |name: &str, value: &str| {
        let create = account.client.create_queue().queue_name("orders");
        create
            .attributes(QueueAttributeName::from(name), value)
            .send()
    };
    let long = set("VisibilityTimeout", "43201").await;
    assert_eq!(code(long), "InvalidAttributeValue");
    let unknown = set("Colour", "red").await;
    assert_eq!(code(unknown), "InvalidAttributeName");
    let nowhere =
        r#"{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:nope","maxReceiveCount":2}"#;
    let redrive = set("RedrivePolicy", nowhere).await;
    assert_eq!(code(redrive), "InvalidParameterValue");
}

#[tokio::test]
async fn a_purged_queue_is_empty() {
    let account = Account::new().await;
    let queue = account.queue("orders").await;
    for body in ["1", "2", "3"] {
        queue.send(body).await;
    }
    assert_eq!(queue.visible().await, "3");
    let purge = account.client.purge_queue().queue_url(&queue.url);
    purge.send().await.unwrap();
    assert_eq!(queue.visible().await, "0");
}

#[tokio::test]
async fn tags_are_added_and_removed() {
    let account = Account::new().await;
    let queue = account.queue("orders").await;
    let tag = account.client.tag_queue().queue_url(&queue.url);
    tag.tags("a", "1").tags("b", "2").send().await.unwrap();
    let untag = account.client.untag_queue().queue_url(&queue.url);
    untag.tag_keys("b").send().await.unwrap();
    let list = account.client.list_queue_tags().queue_url(&queue.url);
    let tags = list.send().await.unwrap().tags.unwrap();
    assert_eq!(tags.len(), 1);
    assert_eq!(tags["a"], "1");
}

#[tokio::test]
async fn a_deleted_queue_is_listed_no_more() {
    let account = Account::new().await;
    let queue = account.queue("orders").await;
    account.queue("other").await;
    let list = account.client.list_queues().queue_name_prefix("ord");
    let listed = list.clone().send().await.unwrap();
    assert_eq!(listed.queue_urls(), [queue.url.as_str()]);
    let delete = account.client.delete_queue().queue_url(&queue.url);
    delete.send().await.unwrap();
    assert!(list.send().await.unwrap().queue_urls().is_empty());
    let found = account.client.get_queue_url().queue_name("orders");
    assert_eq!(code(found.send().await), NO_QUEUE);
}
