//! Limits: exact under any concurrency, per subject, and told to whom they concern.

use futures::future::join_all;
use shared::limits::{self, LimitError, Rule};
use time::ext::NumericalDuration;

use crate::support::{TestApp, Wishes};

async fn with(limits: &'static str) -> TestApp {
    TestApp::with(Wishes {
        variables: vec![("LIMITS", limits)],
        ..Wishes::default()
    })
    .await
}

#[tokio::test]
async fn a_slot_that_was_given_back_is_free_at_once() {
    let test = with("password-tries-per-link=enforce:1/600").await;
    let take = async || limits::take(&test.app, Rule::PasswordTriesPerLink, "shr", None).await;
    let right = take().await.unwrap();
    assert!(matches!(take().await, Err(LimitError::Limited { .. })));
    limits::give_back(&test.app, right).await.unwrap();
    let wrong = take().await.unwrap();
    test.clock.advance(10.minutes());
    let next = take().await.unwrap();
    limits::give_back(&test.app, wrong).await.unwrap(); // long over: it takes nobody's slot away
    assert!(take().await.is_err());
    assert_eq!(next.left, 0);
}

#[tokio::test]
async fn many_at_once_take_every_slot_and_no_more() {
    let test = with("opens-per-address=enforce:100/60").await;
    let take = async |_| limits::take(&test.app, Rule::OpensPerAddress, "one", None).await;
    let taken = join_all((0..300).map(take)).await;
    assert_eq!(taken.iter().filter(|it| it.is_ok()).count(), 100);
    test.clock.advance(59.seconds());
    let Err(LimitError::Limited { retry_after, .. }) = take(0).await else {
        panic!("more than the limit");
    };
    assert_eq!(retry_after, 1.seconds());
    test.clock.advance(1.seconds());
    assert_eq!(take(0).await.unwrap().left, 99);
}

#[tokio::test]
async fn tags_are_counted_without_another_write() {
    let test = TestApp::new().await;
    for (tag, tags) in [("a", 1), ("b", 2), ("a", 2), ("c", 3)] {
        let taken = limits::take(&test.app, Rule::OpensPerLink, "shr", Some(tag)).await;
        assert_eq!(taken.unwrap().tags, tags);
    }
}
