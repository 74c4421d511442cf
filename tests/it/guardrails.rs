//! Guardrails: what is done when a month costs more than it should, that it is told first, and that a
//! person can undo it.

use reqwest::Client;
use serde_json::{Value, json};
use time::ext::NumericalDuration;

use crate::support::{
    Actor, CRON, Caller, PLENTY, TestApp, Wishes,
    actors::order,
    answer::text,
    viewer::{addresses, claims, clip},
};

/// With so small a budget, in dollars, that a few short videos spend it.
async fn portal(budget: &'static str, guardrails: &'static str) -> TestApp {
    let variables = vec![
        CRON,
        PLENTY,
        ("BUDGETS", budget),
        ("GUARDRAILS", guardrails),
    ];
    TestApp::given(variables).await
}

const ENFORCED: &str = "cap-resolution=enforce,pause-uploads=enforce,pause-links=enforce";

fn dana(test: &TestApp) -> Actor<'_> {
    test.as_caller(Caller::Person("dana"))
}

/// A video that Mux plays, and a link to it.
async fn film(test: &TestApp) -> Value {
    test.clock.advance(1.seconds());
    let upload = test.ada().upload("Filmed").await;
    let put = Client::new().put(text(&upload, "uploadUrl")).body(clip());
    assert!(put.send().await.unwrap().status().is_success());
    test.mux_tells().await;
    test.ada().share(text(&upload, "id"), "for Sam").await
}

/// Somebody watches a link from its beginning to its end; the claims of their token.
async fn watch(test: &TestApp, link: &Value) -> Value {
    test.clock.advance(2.seconds());
    let opened = test.open(link, None).await.ok();
    let url = text(&opened, "playbackUrl");
    let renditions = addresses(url).await;
    for segment in addresses(&renditions[0]).await {
        let sent = Client::new().get(segment).send().await.unwrap();
        assert!(sent.status().is_success());
    }
    claims(url)
}

/// Mux tells what it delivered half a day later; a minute after that everybody knows what follows.
async fn learnt(test: &TestApp) {
    test.clock.advance(1.days());
    let answer = test.woken("usage").await.ok();
    assert_eq!(answer["pass"]["failed"], 0, "{answer}");
    test.clock.advance(1.minutes());
}

async fn state(test: &TestApp) -> Value {
    dana(test).get("/api/ops/guardrails").await.ok()
}

#[tokio::test]
async fn where_nobody_has_a_budget_nothing_is_told_and_nothing_is_read() {
    let test = TestApp::given(vec![CRON]).await;
    let link = film(&test).await;
    watch(&test, &link).await;
    learnt(&test).await;
    assert_eq!(state(&test).await["budgets"], json!({}));
    assert_eq!(test.count_events("budget.reached").await, 0);
}

#[tokio::test]
async fn a_spent_budget_caps_the_picture_and_pauses_uploads_until_an_operator_lifts_it() {
    let test = portal("all=0.0001", ENFORCED).await;
    let link = film(&test).await;
    assert_eq!(watch(&test, &link).await["max_resolution"], Value::Null);
    learnt(&test).await;
    let own = state(&test).await["budgets"]["all"].clone();
    assert_eq!(own["reached"], 120);
    let acting = json!({"cap-resolution": "enforce", "pause-uploads": "enforce"});
    assert_eq!(own["acting"], acting);
    assert_eq!(
        test.count_events("budget.reached").await,
        4,
        "each threshold"
    );
    assert_eq!(watch(&test, &link).await["max_resolution"], "720p");
    let paused = test.ada().post("/api/uploads", order("Too much")).await;
    paused.problem(403, "uploads-paused");
    let alerts = dana(&test).get("/api/ops/alerts").await.ok();
    assert!(alerts["alerts"].to_string().contains("spend-high"));
    let health = dana(&test).get("/api/health/mux-system").await.ok();
    let shown = json!([{
        "of": "all", "reached": 120, "acting": own["acting"], "pausedLinks": 0,
    }]);
    assert_eq!(health["guardrails"], shown);
    // What was learnt again changes nothing.
    learnt(&test).await;
    assert_eq!(test.count_events("budget.reached").await, 4);
    assert_eq!(test.count_events("guardrail.began").await, 2);
    let lift = json!({"of": "all", "rail": "pause-uploads", "reason": "the season"});
    for _ in 0..2 {
        let path = "/api/ops/guardrails/lift";
        let body = dana(&test).post(path, lift.clone()).await.ok();
        assert!(body["budgets"]["all"]["lifted"]["pause-uploads"].is_object());
    }
    assert_eq!(test.count_events("guardrail.lifted").await, 1);
    test.clock.advance(1.minutes());
    test.ada().upload("Allowed").await;
    let restore = json!({"of": "all", "rail": "pause-uploads"});
    let path = "/api/ops/guardrails/restore";
    dana(&test).post(path, restore.clone()).await.ok();
    dana(&test)
        .post(path, restore)
        .await
        .problem(404, "not-found");
    test.clock.advance(1.minutes());
    let paused = test.ada().post("/api/uploads", order("Too much")).await;
    paused.problem(403, "uploads-paused");
    // A month that begins is a budget that begins.
    test.clock.advance(27.days());
    learnt(&test).await;
    assert_eq!(test.count_events("guardrail.ended").await, 2);
    test.ada().upload("A new month").await;
}

#[tokio::test]
async fn what_was_begun_before_uploads_were_paused_is_answered_all_the_same() {
    let test = portal("all=0.0001", ENFORCED).await;
    let link = film(&test).await;
    let ada = || test.ada().with("idempotency-key", "begun-before");
    let first = ada().post("/api/uploads", order("Begun")).await.created();
    watch(&test, &link).await;
    learnt(&test).await;
    let new = test.ada().post("/api/uploads", order("New")).await;
    new.problem(403, "uploads-paused");
    let again = ada().post("/api/uploads", order("Begun")).await;
    assert_eq!(again.body["id"], first["id"]);
}

#[tokio::test]
async fn a_dry_run_tells_everything_and_does_nothing() {
    let test = portal("all=0.0001", "").await;
    let link = film(&test).await;
    watch(&test, &link).await;
    learnt(&test).await;
    assert_eq!(state(&test).await["modes"]["pause-uploads"], "dry-run");
    let began = test.event_data("guardrail.began").await;
    assert!(began.iter().all(|it| it["mode"] == "dry-run"), "{began:?}");
    assert_eq!(began.len(), 2);
    assert_eq!(watch(&test, &link).await["max_resolution"], Value::Null);
    test.ada().upload("Still").await;
}

#[tokio::test]
async fn much_traffic_at_mux_has_budgets_looked_at_within_a_minute() {
    let test = portal("all=0.0001", ENFORCED).await;
    let link = film(&test).await;
    learnt(&test).await; // nothing was delivered yet
    test.clock.advance(10.minutes());
    watch(&test, &link).await;
    let body = json!({
        "type": "video.delivery.high_traffic", "id": "much-traffic",
        "created_at": "2026-01-06T09:20:00.000000Z",
        "object": {"type": "delivery", "id": "much"},
        "environment": {"name": "Development", "id": "muxsim"},
        "data": {"id": "much", "threshold": 1, "timeframe": [0, 1], "data": []},
        "request_id": null, "accessor": null, "accessor_source": null, "attempts": [],
    });
    assert_eq!(test.webhook(&body).await.ok()["outcome"], "ignored");
    let before = test.count_events("budget.reached").await;
    test.woken("watch").await.ok();
    // It was looked at what is known; a schedule that sleeps is overtaken, and nothing is told twice.
    assert_eq!(test.count_events("budget.reached").await, before);
    test.woken("watch").await.ok();
    assert_eq!(test.count_events("webhook.unmatched").await, 0);
}

#[tokio::test]
async fn what_could_not_be_done_within_the_hour_is_done_when_mux_tells_of_much_traffic() {
    let variables = vec![
        CRON,
        PLENTY,
        ("BUDGETS", "all=0.0001"),
        ("GUARDRAILS", ENFORCED),
    ];
    let test = TestApp::with(Wishes {
        shaky_table: true,
        variables,
        ..Wishes::default()
    })
    .await;
    let link = film(&test).await;
    watch(&test, &link).await;
    test.clock.advance(1.days());
    test.table.never(Some("GUARDRAILS"));
    let _ = test.woken("usage").await;
    test.table.never(None);
    assert_eq!(test.count_events("guardrail.began").await, 0);
    let body = json!({
        "type": "video.delivery.high_traffic", "id": "much-more-traffic",
        "created_at": "2026-01-06T09:20:00.000000Z",
        "object": {"type": "delivery", "id": "much"},
        "environment": {"name": "Development", "id": "muxsim"},
        "data": {"id": "much", "threshold": 1, "timeframe": [0, 1], "data": []},
        "request_id": null, "accessor": null, "accessor_source": null, "attempts": [],
    });
    assert_eq!(test.webhook(&body).await.ok()["outcome"], "ignored");
    test.woken("watch").await.ok();
    assert!(test.count_events("guardrail.began").await > 0);
}
