//! What is promised: counted from what is answered, spent to the minute, and what follows when a budget
//! is spent.

use std::{
    env,
    process::{Command, Output},
};

use serde_json::{Value, json};
use time::ext::NumericalDuration;

use crate::{
    deploy,
    support::{Actor, CRON, Caller, ORIGIN, PLENTY, TestApp, Wishes, actors::order, answer::text},
};

async fn promising() -> TestApp {
    TestApp::with(Wishes {
        shaky_table: true,
        variables: vec![CRON, PLENTY],
        ..Wishes::default()
    })
    .await
}

/// Somebody wishes to upload every ten minutes for so long.
async fn uploads(test: &TestApp, wishes: u32) {
    for _ in 0..wishes {
        test.clock.advance(10.minutes());
        let answer = test.ada().post("/api/uploads", order("Wished for")).await;
        assert!([201, 503].contains(&answer.status.as_u16()));
    }
}

/// What was counted is written by the next request after a minute, and added up by the job.
async fn watched(test: &TestApp) {
    test.clock.advance(1.minutes());
    test.anonymous().get("/api/health").await.ok();
    test.clock.advance(20.seconds());
    test.woken("watch").await.ok();
}

fn dana(test: &TestApp) -> Actor<'_> {
    test.as_caller(Caller::Person("dana"))
}

async fn slo(test: &TestApp, objective: &str) -> Value {
    let body = dana(test).get("/api/slo").await.ok();
    let all = body["objectives"].as_array().unwrap().iter();
    let found = all.clone().find(|it| it["objective"] == objective);
    found.unwrap().clone()
}

async fn alerts(test: &TestApp) -> Vec<String> {
    let body = dana(test).get("/api/ops/alerts").await.ok();
    let alerts = body["alerts"].as_array().unwrap().iter();
    let alerts = alerts.map(|it| it["alert"].as_str().unwrap().to_owned());
    alerts.filter(|it| it.starts_with("budget")).collect()
}

/// The address of a new link to a video.
async fn open(test: &TestApp, video: &str) -> String {
    let link = test.ada().share(video, "Promised").await;
    format!("/api/share/{}", text(&link, "token"))
}

/// A day of uploads, in which Mux was out for so many wishes.
async fn day_with_an_outage(test: &TestApp, wishes: u32) {
    uploads(test, 72).await;
    test.faults.out(true);
    uploads(test, wishes).await;
    test.faults.out(false);
    uploads(test, 72 - wishes).await;
    watched(test).await;
}

#[tokio::test]
async fn an_outage_spends_what_it_should_to_the_minute() {
    let test = promising().await;
    day_with_an_outage(&test, 6).await;
    let uploads = slo(&test, "uploads").await;
    // The breaker lets the first wish after Mux's return through: an hour without Mux is six wishes.
    let (bad, all) = (6_u64, 144_u64);
    assert_eq!(uploads["budget"]["bad"], bad);
    assert_eq!(uploads["budget"]["good"], all - bad);
    assert_eq!(uploads["targetMillionths"], 999_000);
    assert_eq!(uploads["budget"]["allowedMinutes"], 43);
    // As large a part of thirty days as of what was wished for.
    assert_eq!(uploads["budget"]["spentMinutes"], 30 * 24 * 60 * bad / all);
    let spent = 1_000_000 * bad * 1_000_000 / (all * 1_000);
    assert_eq!(uploads["budget"]["spentMillionths"], spent);
    for kept in ["playback", "playback-errors", "webhooks"] {
        assert_eq!(slo(&test, kept).await["budget"]["spentMillionths"], 0);
    }
}

#[tokio::test]
async fn what_was_the_clients_mistake_breaks_no_promise() {
    let test = promising().await;
    let nobody = test.anonymous().get("/api/share/nonsense").await;
    nobody.problem(404, "not-found");
    let wrong = test.ada().post("/api/uploads", json!({"title": 7})).await;
    wrong.problem(400, "invalid-request");
    let spoofed = test.post_webhook(Some("t=1,v1=00"), "{}");
    spoofed.await.problem(401, "invalid-signature");
    watched(&test).await;
    for objective in ["playback", "uploads", "webhooks"] {
        let budget = &slo(&test, objective).await["budget"];
        assert_eq!((&budget["good"], &budget["bad"]), (&json!(0), &json!(0)));
    }
}

#[tokio::test]
async fn playback_and_webhooks_that_fail_are_counted_and_those_that_do_not_too() {
    let test = promising().await;
    let video = test.ada().video("Promised").await; // Mux sends five webhooks
    let open = open(&test, &video).await;
    test.anonymous().get(&open).await.ok();
    test.table.down(true);
    test.anonymous()
        .get(&open)
        .await
        .problem(503, "unavailable");
    test.table.down(false);
    watched(&test).await;
    let playback = &slo(&test, "playback").await["budget"];
    assert_eq!(
        (&playback["good"], &playback["bad"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(slo(&test, "webhooks").await["budget"]["good"], 5);
}

#[tokio::test]
async fn a_budget_that_burns_is_alerted_of_and_calm_when_it_is_over() {
    let test = promising().await;
    test.faults.out(true);
    for minute in 1..=5 {
        test.clock.advance(1.minutes());
        let busy = test.ada().post("/api/uploads", order("In vain")).await;
        busy.problem(503, "video-service-busy");
        if minute == 4 {
            watched(&test).await;
            assert_eq!(alerts(&test).await, Vec::<String>::new(), "four are few");
        }
    }
    watched(&test).await;
    let standing = ["budget-burning-fast", "budget-burning", "budget-spent"];
    assert_eq!(alerts(&test).await, standing);
    test.faults.out(false);
    for _ in 0..6 {
        test.clock.advance(5.hours());
        test.ada().upload("Again").await;
        watched(&test).await;
    }
    assert_eq!(
        alerts(&test).await,
        ["budget-spent"],
        "it burns no more, and is gone"
    );
    test.clock.advance(30.days());
    watched(&test).await;
    assert_eq!(alerts(&test).await, Vec::<String>::new());
    assert_eq!(test.count_events("error-budget.breached").await, 1);
    assert_eq!(test.count_events("error-budget.restored").await, 1);
    let incidents = dana(&test).get("/api/ops/incidents").await.ok();
    let incidents = incidents["incidents"].as_array().unwrap().iter();
    let spent: Vec<&Value> = incidents
        .filter(|it| it["kind"] == "error-budget")
        .collect();
    assert_eq!(spent.len(), 1, "{spent:?}");
    assert_eq!(
        (&spent[0]["subject"], &spent[0]["state"]),
        (&json!("uploads"), &json!("closed"))
    );
}

#[tokio::test]
async fn a_spent_budget_freezes_what_can_wait_until_an_operator_answers_for_it() {
    let test = promising().await;
    let discard = "/api/ops/dead-letters/dlq_01KE6P4YM00000000000000000/discard";
    let reason = json!({"reason": "looked at"});
    dana(&test)
        .post(discard, reason.clone())
        .await
        .problem(404, "not-found");
    day_with_an_outage(&test, 6).await;
    let frozen = dana(&test).get("/api/ops/freeze").await.ok();
    assert_eq!(frozen["frozen"], true);
    assert_eq!(frozen["breached"][0]["objective"], "uploads");
    let refused = dana(&test).post(discard, reason.clone()).await;
    refused.problem(423, "changes-frozen");
    // What takes back, and what people came for, goes on.
    let video = test.ada().video("Goes on").await;
    let open = open(&test, &video).await;
    test.anonymous().get(&open).await.ok();
    let lift = "/api/ops/freeze/lift";
    for wrong in [
        json!({"reason": "", "hours": 1}),
        json!({"reason": "x", "hours": 0}),
        json!({"reason": "x", "hours": 73}),
    ] {
        dana(&test)
            .post(lift, wrong)
            .await
            .problem(422, "invalid-field");
    }
    let fix = json!({"reason": "it is the fix", "hours": 2});
    let lifted = dana(&test).post(lift, fix).await.ok();
    assert_eq!(
        (&lifted["frozen"], &lifted["lifted"]["reason"]),
        (&json!(false), &json!("it is the fix"))
    );
    dana(&test)
        .post(discard, reason.clone())
        .await
        .problem(404, "not-found");
    test.clock.advance(2.hours());
    let over = dana(&test).get("/api/ops/freeze").await.ok();
    assert_eq!(
        (&over["frozen"], &over["lifted"]),
        (&json!(true), &Value::Null)
    );
    dana(&test)
        .post(lift, json!({"reason": "once more", "hours": 1}))
        .await
        .ok();
    dana(&test).delete(lift).await.ok();
    dana(&test)
        .post(discard, reason)
        .await
        .problem(423, "changes-frozen");
    assert_eq!(test.count_events("freeze.lifted").await, 2);
    assert_eq!(test.count_events("freeze.restored").await, 1);
}

#[tokio::test]
async fn a_lift_without_a_freeze_lifts_nothing() {
    let test = promising().await;
    let body = json!({"reason": "just in case", "hours": 1});
    let body = dana(&test).post("/api/ops/freeze/lift", body).await.ok();
    assert_eq!(body, json!({"frozen": false, "breached": []}));
    assert_eq!(test.count_events("freeze.lifted").await, 0);
}

/// `infra/scripts/deploy`, where `sam` is a stub that says what it was asked, and with this much proof.
async fn deploy(
    test: &TestApp,
    secret: (&'static str, String),
    more: &'static [&'static str],
) -> Output {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/infra/scripts/deploy");
    let programs = deploy::programs();
    let path = env::var_os("PATH").unwrap();
    let mut command = Command::new(script);
    command
        .args(["--url", &test.url, "--origin", ORIGIN, "--pause", "0"])
        .args(more)
        .env_remove("CRON_SECRET")
        .env_remove("PORTAL_TOKEN")
        .env(
            "PATH",
            format!("{}:{}", programs.path().display(), path.display()),
        )
        .env("no_proxy", "127.0.0.1")
        .env(secret.0, secret.1);
    let output = tokio::task::spawn_blocking(move || command.output()).await;
    drop(programs);
    output.unwrap().unwrap()
}

#[tokio::test]
async fn the_deploy_script_stops_at_a_freeze_and_an_audited_reason_lets_it_through() {
    let test = promising().await;
    let cron = || ("CRON_SECRET", CRON.1.to_owned());
    let told = |it: &Output| String::from_utf8_lossy(&it.stderr).into_owned();
    let free = deploy(&test, cron(), &[]).await;
    assert_eq!(free.status.code(), Some(0), "{}", told(&free));
    assert!(told(&free).contains("sam deploy --no-fail-on-empty-changeset"));
    assert!(told(&free).contains("deployed, and well"));
    let dry = deploy(&test, cron(), &["--dry-run"]).await;
    assert!(
        told(&dry).contains("would run: sam deploy"),
        "{}",
        told(&dry)
    );
    let stranger = deploy(&test, ("CRON_SECRET", "guessed".to_owned()), &[]).await;
    assert_eq!(stranger.status.code(), Some(4), "{}", told(&stranger));
    day_with_an_outage(&test, 6).await;
    let frozen = deploy(&test, cron(), &[]).await;
    assert_eq!(frozen.status.code(), Some(3), "{}", told(&frozen));
    assert!(told(&frozen).contains("an error budget is spent"));
    assert!(!told(&frozen).contains("sam "));
    let token = || ("PORTAL_TOKEN", test.token(&Caller::Person("dana")).unwrap());
    let rehearsed = deploy(&test, token(), &["--dry-run", "--lift", "the fix"]).await;
    assert_eq!(rehearsed.status.code(), Some(0), "{}", told(&rehearsed));
    assert!(told(&rehearsed).contains("would lift a freeze"));
    assert_eq!(
        test.count_events("freeze.lifted").await,
        0,
        "only rehearsed"
    );
    let by_nobody = deploy(&test, cron(), &["--lift", "the fix"]).await;
    assert_eq!(by_nobody.status.code(), Some(4), "{}", told(&by_nobody));
    let lifted = deploy(&test, token(), &["--lift", "the \"fix\", at last"]).await;
    assert_eq!(lifted.status.code(), Some(0), "{}", told(&lifted));
    let freeze = dana(&test).get("/api/ops/freeze").await.ok();
    assert_eq!(freeze["lifted"]["reason"], "the \"fix\", at last");
    assert_eq!(test.count_events("freeze.lifted").await, 1);
    let free = deploy(&test, cron(), &[]).await;
    assert_eq!(free.status.code(), Some(0), "{}", told(&free));
}
