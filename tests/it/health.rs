//! Health: what everybody is told, what operators are told, and what changes it.

use serde_json::{Value, json};
use time::ext::NumericalDuration;

use crate::support::{Answer, CRON, Caller, TestApp, Wishes, actors::order};

const PATH: &str = "/api/health/mux-system";

async fn watched() -> TestApp {
    TestApp::with(Wishes {
        shaky_table: true,
        variables: vec![CRON],
        ..Wishes::default()
    })
    .await
}

/// What operators see now: two seconds later, so that nobody is shown the last look.
async fn seen(test: &TestApp) -> Answer {
    test.clock.advance(2.seconds());
    test.as_caller(Caller::Person("dana")).get(PATH).await
}

/// The same without what depends on how fast this machine is.
fn steady(mut body: Value) -> Value {
    for time in ["/responseTime", "/database/responseTime"] {
        let millis = body.pointer_mut(time).unwrap();
        assert!(millis.is_u64(), "{time}");
        *millis = 1.into();
    }
    body
}

async fn all_jobs(test: &TestApp) {
    for job in [
        "dlq-replay",
        "reconcile",
        "retire",
        "audit-seal",
        "usage",
        "watch",
    ] {
        test.woken(job).await.ok();
    }
}

#[tokio::test]
async fn operators_are_told_in_the_founding_documents_words_and_a_little_more() {
    let test = watched().await;
    test.ada().video("Ready").await;
    test.ada().upload("Waiting").await;
    all_jobs(&test).await;
    // Of those that nothing more is expected of, the daily comparison tells.
    test.clock.advance(24.hours());
    all_jobs(&test).await;
    let body = steady(seen(&test).await.ok());
    let job =
        |name: &str, at: &str, age: u8| json!({"name": name, "lastSuccess": at, "ageSeconds": age});
    // Mux was asked four times a second: of usage five times the first day, then three times by the
    // comparison, and six times of usage again.
    let asked = "2026-01-06T09:00:02Z";
    let breaker = json!({"state": "CLOSED", "failureCount": 0, "successCount": 0});
    assert_eq!(
        body,
        json!({
            "status": "healthy",
            "timestamp": "2026-01-06T09:00:05.5Z",
            "responseTime": 1,
            "resilience": {
                "systemHealth": "healthy",
                "circuitBreaker": breaker,
                "retryBudget": {"retryCount": 0, "budgetLimit": 10, "remainingBudget": 10},
            },
            "database": {
                "connected": true,
                "responseTime": 1,
                "statusCounts": {"EXPIRED": 1, "READY": 1},
                "countedAt": "2026-01-06T09:00:01.5Z",
            },
            "processing": {
                "recentlyProcessed": 0,
                "currentlyProcessing": 0,
                "recentErrors": 0,
                "errorRate": 0.0,
            },
            "jobs": [
                job("dlq-replay", "2026-01-06T09:00:01.25Z", 4),
                job("reconcile", asked, 3),
                job("retire", asked, 3),
                job("audit-seal", asked, 3),
                job("usage", "2026-01-06T09:00:03.5Z", 2),
                job("watch", "2026-01-06T09:00:03.5Z", 2),
            ],
            "deadLetters": {"due": 0, "hidden": 0},
            "flags": {"signedPlaybackEnforced": true, "muxWebhookDlqEnabled": true, "mail": false},
            "vendors": [
                {
                    "name": "mux", "health": "healthy", "circuitBreaker": breaker,
                    "calls": 16, "heldBack": 0, "attempts": 16, "retries": 0, "failures": 0,
                    "statusPage": {
                        "indicator": "none", "since": "2026-01-05T09:00:01.25Z", "readAt": "2026-01-06T09:00:03.5Z",
                    },
                },
                {
                    "name": "mail", "health": "healthy", "circuitBreaker": breaker,
                    "calls": 0, "heldBack": 0, "attempts": 0, "retries": 0, "failures": 0,
                    "statusPage": null,
                },
            ],
            "alerts": [],
            "incidents": [],
            "guardrails": [],
            "warnings": [],
        })
    );
}

#[tokio::test]
async fn everybody_else_is_told_how_it_is_and_nothing_about_anybody() {
    let test = watched().await;
    for caller in [
        test.anonymous(),
        test.ada(),
        test.as_caller(Caller::Token("made up".into())),
    ] {
        let body = caller.get(PATH).await.ok();
        let names: Vec<&String> = body.as_object().unwrap().keys().collect();
        assert_eq!(names, ["responseTime", "status", "timestamp"]);
    }
}

#[tokio::test]
async fn mux_out_degrades_health_and_back_it_heals_by_itself() {
    let test = watched().await;
    all_jobs(&test).await;
    assert_eq!(seen(&test).await.ok()["status"], "healthy");
    test.faults.out(true);
    for n in 0..5 {
        let ada = test.ada();
        let busy = ada.post("/api/uploads", order(&format!("{n}")));
        busy.await.problem(503, "video-service-busy");
    }
    let out = seen(&test).await.ok();
    assert_eq!(out["status"], "degraded");
    assert_eq!(out["resilience"]["systemHealth"], "unhealthy");
    assert_eq!(out["resilience"]["circuitBreaker"]["state"], "OPEN");
    // Refused at once, and nothing is begun.
    let before = test.ada().get("/api/assets").await.ok();
    let refused = test.ada().post("/api/uploads", order("6")).await;
    assert!(refused.retry_after().unwrap().parse::<u32>().unwrap() > 20);
    refused.problem(503, "video-service-busy");
    assert_eq!(test.ada().get("/api/assets").await.ok(), before);
    test.faults.out(false);
    test.clock.advance(30.seconds());
    test.ada().upload("One").await;
    let trying = seen(&test).await.ok();
    assert_eq!(
        trying["resilience"]["circuitBreaker"],
        json!({"state": "HALF_OPEN", "failureCount": 0, "successCount": 1})
    );
    assert_eq!(trying["resilience"]["systemHealth"], "degraded");
    test.ada().upload("Two").await;
    test.ada().upload("Three").await;
    assert_eq!(
        seen(&test).await.ok()["resilience"]["circuitBreaker"]["state"],
        "CLOSED"
    );
    assert_eq!(test.count_events("breaker.opened").await, 1);
    assert_eq!(test.count_events("breaker.closed").await, 1);
}

#[tokio::test]
async fn without_the_table_it_is_unhealthy_and_a_monitor_sees_503() {
    let test = watched().await;
    all_jobs(&test).await;
    test.table.down(true);
    let lost = seen(&test).await;
    assert_eq!(lost.status.as_u16(), 503);
    assert_eq!(lost.body["status"], "unhealthy");
    assert_eq!(lost.body["database"]["connected"], false);
    let plain = test.anonymous().get("/api/health").await.ok();
    assert_eq!(plain["status"], "healthy", "the process itself is well");
    test.table.down(false);
    let back = seen(&test).await.ok();
    assert_eq!(back["status"], "degraded", "a moment ago it was away");
    assert_eq!(back["database"]["connected"], true);
    test.clock.advance(1.minutes());
    assert_eq!(seen(&test).await.ok()["status"], "healthy");
}

#[tokio::test]
async fn a_new_look_is_one_read_and_one_list() {
    let test = watched().await;
    all_jobs(&test).await;
    test.clock.advance(10.seconds());
    test.table.calls();
    seen(&test).await.ok();
    let calls = [("BatchGetItem", 1), ("Query", 1)];
    let calls = calls.map(|(name, count)| (name.to_owned(), count));
    assert_eq!(test.table.calls(), calls.into());
}

#[tokio::test]
async fn who_asks_every_moment_is_shown_the_same_look_and_costs_the_table_nothing() {
    let test = watched().await;
    all_jobs(&test).await;
    let somebody = test.anonymous().from("203.0.113.7");
    somebody.get(PATH).await.ok();
    test.table.calls();
    for _ in 0..119 {
        somebody.get(PATH).await.ok();
    }
    assert!(test.table.calls().is_empty());
    let refused = somebody.get(PATH).await;
    // The jobs paused for parts of a second.
    assert!(matches!(refused.retry_after(), Some("59" | "60")));
    refused.problem(429, "rate-limited");
    test.anonymous().from("203.0.113.8").get(PATH).await.ok();
    test.clock.advance(1.minutes());
    somebody.get(PATH).await.ok();
}

#[tokio::test]
async fn where_the_breaker_cannot_be_read_each_process_has_its_own() {
    let test = watched().await;
    test.table.without(Some("VENDOR#"));
    test.faults.out(true);
    let begin = async |title| test.ada().post("/api/uploads", order(title)).await;
    for _ in 0..5 {
        begin("In vain").await.problem(503, "video-service-busy");
    }
    let refused = begin("Not asked").await;
    assert!(refused.retry_after().unwrap().parse::<u32>().unwrap() > 20);
    test.table.without(None);
    test.faults.out(false);
    test.clock.advance(5.seconds());
    // Nobody else saw an outage.
    begin("Together again").await.created();
}
