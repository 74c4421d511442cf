//! What is watched: raised once, cleared once, and seen by whoever operates the portal.

use serde_json::{Value, json};
use shared::clock::Clock;
use time::ext::NumericalDuration;

use crate::support::{CRON, Caller, Story, TestApp, Wishes};

async fn watched() -> TestApp {
    TestApp::with(Wishes {
        shaky_table: true,
        variables: vec![CRON],
        ..Wishes::default()
    })
    .await
}

/// The job, and those that every minute has beside it.
async fn woken(test: &TestApp, job: &str) {
    test.woken("retire").await.ok();
    test.woken("watch").await.ok();
    test.woken(job).await.ok();
}

async fn standing(test: &TestApp) -> Vec<String> {
    let dana = test.as_caller(Caller::Person("dana"));
    let body = dana.get("/api/ops/alerts").await.ok();
    let alerts = body["alerts"].as_array().unwrap().iter();
    alerts
        .map(|it| it["alert"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_job_that_sleeps_is_noticed_by_the_other_one() {
    let test = watched().await;
    woken(&test, "dlq-replay").await;
    woken(&test, "reconcile").await;
    assert_eq!(standing(&test).await, Vec::<String>::new());
    for _ in 0..2 {
        test.clock.advance(3.minutes());
        woken(&test, "reconcile").await;
    }
    assert_eq!(standing(&test).await, ["replay-late"]);
    test.clock.advance(1.minutes());
    woken(&test, "reconcile").await;
    assert_eq!(test.count_events("alert.raised").await, 1, "once");
    woken(&test, "dlq-replay").await;
    assert_eq!(standing(&test).await, Vec::<String>::new());
    assert_eq!(test.count_events("alert.cleared").await, 1);
    test.clock.advance(16.minutes());
    woken(&test, "dlq-replay").await;
    assert_eq!(standing(&test).await, ["reconcile-late"]);
    test.clock.advance(8.minutes());
    woken(&test, "dlq-replay").await;
    woken(&test, "reconcile").await;
    assert_eq!(standing(&test).await, ["audit-late"], "it never ran");
    woken(&test, "audit-seal").await;
    assert_eq!(standing(&test).await, Vec::<String>::new());
}

#[tokio::test]
async fn spoofed_webhooks_are_counted_and_alerted_of() {
    let test = watched().await;
    for _ in 0..10 {
        test.post_webhook(Some("t=1,v1=00"), "{}")
            .await
            .problem(401, "invalid-signature");
        test.clock.advance(10.seconds());
    }
    woken(&test, "dlq-replay").await;
    assert_eq!(standing(&test).await, ["webhooks-spoofed"]);
    test.clock.advance(2.hours());
    for job in ["dlq-replay", "reconcile", "audit-seal"] {
        woken(&test, job).await;
    }
    assert_eq!(standing(&test).await, Vec::<String>::new());
}

#[tokio::test]
async fn an_event_that_matches_nothing_is_alerted_of() {
    let test = watched().await;
    let story = Story::new("ast_01KE6P4YM00000000000000000", test.clock.now());
    test.webhook(&story.happy()[3]).await.ok();
    woken(&test, "dlq-replay").await;
    assert_eq!(standing(&test).await, ["events-unmatched"]);
}

#[tokio::test]
async fn webhooks_that_cannot_be_dealt_with_and_letters_that_pile_up_are_alerted_of() {
    let test = watched().await;
    let story = Story::new("ast_01KE6P4YM00000000000000000", test.clock.now());
    let numbered = |n: usize| {
        let mut event = story.happy()[3].clone();
        event["id"] = format!("event-{n}").into();
        event
    };
    test.table.down(true);
    for n in 0..101 {
        assert_eq!(test.webhook(&numbered(n)).await.ok()["outcome"], "queued");
    }
    test.table.down(false);
    for n in 101..221 {
        test.webhook(&numbered(n)).await.ok();
    }
    test.clock.advance(1.minutes());
    woken(&test, "reconcile").await;
    assert_eq!(
        standing(&test).await,
        ["letters-waiting", "webhooks-failing", "events-unmatched"]
    );
    woken(&test, "dlq-replay").await;
    assert_eq!(
        standing(&test).await,
        ["webhooks-failing", "events-unmatched"]
    );
}

#[tokio::test]
async fn an_ordinary_webhook_is_counted_without_a_call_of_its_own() {
    let test = watched().await;
    test.ada().video("Counted").await;
    let dana = test.as_caller(Caller::Person("dana"));
    let tally = async || dana.get("/api/ops/alerts").await.ok()["webhooks"].clone();
    let none = json!({"taken": 0, "failed": 0, "spoofed": 0, "unmatched": 0});
    assert_eq!(tally().await, none, "five of twenty");
    for n in 0..3 {
        test.ada().video(&format!("Counted {n}")).await;
    }
    let counted: Value = tally().await;
    assert_eq!(counted["taken"], 20, "{counted}");
}

#[tokio::test]
async fn health_says_when_the_jobs_last_went_well() {
    let test = watched().await;
    let jobs = async || {
        test.clock.advance(2.seconds());
        let dana = test.as_caller(Caller::Person("dana"));
        dana.get("/api/health/mux-system").await.body["jobs"].clone()
    };
    assert_eq!(jobs().await[0]["ageSeconds"], Value::Null);
    woken(&test, "dlq-replay").await;
    test.clock.advance(88.seconds());
    let told = jobs().await;
    assert_eq!(told[0]["name"], "dlq-replay");
    assert_eq!(told[0]["ageSeconds"], 90);
    assert_eq!(told[1]["name"], "reconcile");
    test.table.down(true);
    assert_eq!(
        jobs().await[0]["ageSeconds"],
        Value::Null,
        "and still answers"
    );
    test.table.down(false);
}
