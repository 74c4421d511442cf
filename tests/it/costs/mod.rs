//! Costs: what Mux says that it delivered and keeps is what the report has, to the microsecond, and a
//! month that is closed never changes.

mod billed;
mod platform;
mod players;

use std::collections::BTreeSet;

use axum::http::Method;
use reqwest::Client;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use shared::{
    clock::Clock,
    costs::{COLUMNS, DIGEST, Money},
};
use time::{Date, Duration, ext::NumericalDuration, macros::date};

use crate::support::{
    CRON, Caller, Fault, TestApp,
    actors::{Actor, order},
    answer::text,
    viewer::{addresses, clip},
};

const MONTH: &str = "/api/cost-report?period=2026-01";
const ALL: &str = "/api/cost-report?period=2026-01&tenant=all";

async fn portal() -> TestApp {
    TestApp::given(vec![CRON, ("BUDGETS", "all=1"), crate::support::PLENTY]).await
}

/// What a run of the job did.
async fn learnt(test: &TestApp) -> Value {
    let answer = test.woken("usage").await.ok();
    assert_eq!(answer["ran"], true);
    answer["pass"].clone()
}

/// A video of somebody that Mux plays, and a link to it.
async fn film(test: &TestApp, whose: &Actor<'_>, title: &str) -> (String, Value) {
    test.clock.advance(1.seconds());
    let upload = whose.post("/api/uploads", order(title)).await.created();
    let put = Client::new().put(text(&upload, "uploadUrl")).body(clip());
    assert!(put.send().await.unwrap().status().is_success());
    test.mux_tells().await;
    let id = text(&upload, "id").to_owned();
    let share = whose.share(&id, "for Sam").await;
    (id, share)
}

/// Somebody watches a link from its beginning to its end.
async fn watch(test: &TestApp, share: &Value) {
    test.clock.advance(2.seconds());
    let opened = test.open(share, None).await.ok();
    let renditions = addresses(text(&opened, "playbackUrl")).await;
    for segment in addresses(&renditions[0]).await {
        let sent = Client::new().get(segment).send().await.unwrap();
        assert!(sent.status().is_success());
    }
}

/// What Mux itself says of one day, in microseconds.
async fn at_mux(test: &TestApp, day: Date) -> u64 {
    let from = shared::costs::midnight(day).unix_timestamp();
    let to = from + Duration::DAY.whole_seconds();
    let path = format!("delivery-usage?timeframe[]={from}&timeframe[]={to}");
    let usage = test.at_mux(Method::GET, &path, Value::Null).await;
    let reports = usage["data"].as_array().unwrap().iter();
    let micros = |it: &Value| {
        let seconds = format!("{:.6}", it["delivered_seconds"].as_f64().unwrap());
        seconds.replace('.', "").parse::<u64>().unwrap()
    };
    reports.map(micros).sum()
}

fn dana(test: &TestApp) -> Actor<'_> {
    test.as_caller(Caller::Person("dana"))
}

fn money(value: &Value) -> Money {
    value.as_str().unwrap().parse().unwrap()
}

fn sum(lines: &Value) -> Money {
    let lines = lines.as_array().unwrap().iter();
    Money::sum(lines.map(|it| money(&it["cost"]))).unwrap()
}

/// Three days on which videos of two organisations are watched.
async fn three_days(test: &TestApp) {
    let (ada, cora) = (test.ada(), test.cora());
    let (_, first) = film(test, &ada, "=First").await;
    let (_, other) = film(test, &cora, "Other").await;
    watch(test, &first).await;
    watch(test, &other).await;
    test.clock.advance(1.days());
    let (_, second) = film(test, &ada, "Second").await;
    watch(test, &second).await;
    watch(test, &first).await;
    test.clock.advance(1.days());
    watch(test, &other).await;
    watch(test, &other).await;
}

const DAYS: [Date; 3] = [
    date!(2026 - 01 - 05),
    date!(2026 - 01 - 06),
    date!(2026 - 01 - 07),
];

#[tokio::test]
async fn what_the_report_has_is_what_mux_delivered_to_the_microsecond() {
    let test = portal().await;
    three_days(&test).await;
    // Hour by hour, as the schedule does: what is asked again adds nothing.
    test.clock.advance(6.hours());
    for _ in 0..24 {
        assert_eq!(learnt(&test).await["failed"], 0);
        test.clock.advance(1.hours());
    }
    let mut delivered = 0;
    for day in DAYS {
        let of_day = at_mux(&test, day).await;
        assert!(of_day > 0, "{day}");
        delivered += of_day;
    }
    let all = dana(&test).get(ALL).await.ok();
    assert_eq!(all["completeUntil"], "2026-01-07");
    assert_eq!(all["delivered"], json!({"players": 0, "mux": delivered}));
    let rows = rows(&dana(&test).get(&format!("{ALL}&format=csv")).await.bytes);
    let minutes = rows
        .iter()
        .filter(|it| it[2] == "usage" && it[4] == "delivered-minutes");
    let watched: BTreeSet<_> = minutes.map(|it| (&it[1], &it[9])).collect();
    assert_eq!(watched.len(), 5, "two, two and one: {watched:?}");
    for list in [
        "vendors", "units", "tenants", "projects", "assets", "shares",
    ] {
        assert_eq!(sum(&all["lines"][list]), money(&all["spent"]), "{list}");
    }
    let own = test.ada().get(MONTH).await.ok();
    let others = test.as_caller(Caller::Person("dana"));
    let tenants = all["lines"]["tenants"].as_array().unwrap();
    assert_eq!(tenants.len(), 2);
    for tenant in tenants {
        let path = format!("{MONTH}&tenant={}", text(tenant, "of"));
        let report = others.get(&path).await.ok();
        assert_eq!(report["spent"], tenant["cost"]);
    }
    assert!(money(&own["spent"]) < money(&all["spent"]));
    assert!(money(&own["spent"]) > Money::ZERO);
}

fn rows(bytes: &[u8]) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(bytes);
    let rows = reader.records().map(|it| it.unwrap());
    rows.map(|it| it.iter().map(str::to_owned).collect())
        .collect()
}

#[tokio::test]
async fn what_is_kept_is_charged_for_a_month_on_the_day_it_was_made() {
    let test = portal().await;
    let (id, _) = film(&test, &test.ada(), "Kept").await;
    learnt(&test).await;
    let first = test.ada().get(MONTH).await.ok();
    for _ in 0..3 {
        test.clock.advance(1.days());
        learnt(&test).await;
    }
    let later = test.ada().get(MONTH).await.ok();
    assert_eq!(first["spent"], later["spent"]);
    let stored = later["lines"]["units"].as_array().unwrap();
    let stored = stored.iter().find(|it| it["of"] == "stored-minutes");
    assert!(money(&stored.unwrap()["cost"]) > Money::ZERO);
    assert_eq!(later["lines"]["assets"][0]["of"], id);
    assert_eq!(later["lines"]["assets"][0]["title"], "Kept");
}

#[tokio::test]
async fn what_mux_does_not_tell_now_is_learnt_later() {
    let test = portal().await;
    let (_, share) = film(&test, &test.ada(), "Watched").await;
    watch(&test, &share).await;
    test.clock.advance(30.hours());
    test.faults.out(true);
    assert_eq!(learnt(&test).await["failed"], 2);
    let before = test.ada().get(MONTH).await.ok();
    assert_eq!(before["spent"], "0.000000");
    test.faults.out(false);
    test.clock.advance(1.hours());
    assert_eq!(learnt(&test).await["failed"], 0);
    let after = test.ada().get(MONTH).await.ok();
    let delivered = at_mux(&test, DAYS[0]).await;
    assert_eq!(after["delivered"]["mux"], delivered);
}

#[tokio::test]
async fn a_call_that_mux_did_and_whose_answer_was_lost_counts_nothing_twice() {
    let test = portal().await;
    let (_, share) = film(&test, &test.ada(), "Watched").await;
    watch(&test, &share).await;
    test.clock.advance(30.hours());
    test.faults.next(Fault::DoneAndLost);
    assert_eq!(learnt(&test).await["failed"], 0);
    let report = test.ada().get(MONTH).await.ok();
    assert_eq!(report["delivered"]["mux"], at_mux(&test, DAYS[0]).await);
}

#[tokio::test]
async fn everybody_sees_their_own_and_operators_everything() {
    let test = portal().await;
    film(&test, &test.cora(), "Foreign").await;
    learnt(&test).await;
    let all = dana(&test).get(ALL).await.ok();
    let foreign = text(&all["lines"]["tenants"][0], "of").to_owned();
    let own = test.ada().get(MONTH).await.ok();
    assert_eq!(own["spent"], "0.000000");
    let ada = test.ada();
    ada.get(ALL).await.problem(404, "not-found");
    let path = format!("{MONTH}&tenant={foreign}");
    ada.get(&path).await.problem(404, "not-found");
    dana(&test).get(&path).await.ok();
    let own = format!("{MONTH}&tenant={}", text(&own, "tenant"));
    ada.get(&own).await.ok();
}

#[tokio::test]
async fn what_cannot_be_a_report_is_refused() {
    let test = portal().await;
    for query in ["period=2026-1", "period=2026-02", "period=x", "format=pdf"] {
        let answer = test.ada().get(&format!("/api/cost-report?{query}")).await;
        answer.problem(422, "invalid-field");
    }
    let unknown = test.ada().get("/api/cost-report?month=2026-01").await;
    unknown.problem(400, "invalid-request");
}

#[tokio::test]
async fn a_report_is_a_table_and_a_page() {
    let test = portal().await;
    three_days(&test).await;
    test.clock.advance(2.days());
    learnt(&test).await;
    let report = dana(&test).get(ALL).await.ok();
    let table = dana(&test).get(&format!("{ALL}&format=csv")).await;
    assert_eq!(table.headers["content-type"], "text/csv; charset=utf-8");
    let rows = rows(&table.bytes);
    assert_eq!(rows[0], COLUMNS);
    let costs = rows[1..].iter().map(|it| it[13].parse::<Money>().unwrap());
    let due = Money::sum(costs).unwrap();
    assert_eq!(due.to_cents(), money(&report["due"]).to_cents());
    assert!(rows.iter().any(|it| it[10] == "'=First"), "{rows:?}");
    let page = dana(&test).get(&format!("{ALL}&format=html")).await;
    assert_eq!(page.headers["content-type"], "text/html; charset=utf-8");
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(
        policy.starts_with("default-src 'none'; style-src 'sha256-"),
        "{policy}"
    );
    let html = String::from_utf8(page.bytes).unwrap();
    assert!(
        html.contains("<svg ") && html.contains("budget 1.00"),
        "{html}"
    );
    assert_eq!(report["budget"]["budget"], "1.000000");
    let codes: Vec<&str> = report["notes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| text(it, "code"))
        .collect();
    assert_eq!(codes, ["prices-unverified", "cost-explorer-not-asked"]);
}

#[tokio::test]
async fn a_month_that_is_closed_never_changes_and_can_be_proved() {
    let test = portal().await;
    three_days(&test).await;
    test.clock.advance(1.days());
    learnt(&test).await;
    test.clock.advance(27.days()); // the fourth of February
    let pass = learnt(&test).await;
    assert_eq!((&pass["closed"], &pass["failed"]), (&json!(1), &json!(0)));
    let first = dana(&test).get(ALL).await;
    let digest = hex::encode(Sha256::digest(&first.bytes));
    assert_eq!(first.headers[DIGEST], digest.as_str());
    assert!(first.body["delivered"]["mux"].as_u64().unwrap() > 0);
    test.clock.advance(2.days());
    assert_eq!(learnt(&test).await["closed"], 0);
    let again = dana(&test).get(ALL).await;
    assert_eq!(first.bytes, again.bytes);
    let table = dana(&test).get(&format!("{ALL}&format=csv")).await;
    let events = test.event_data("cost-report.closed").await;
    assert_eq!(events.len(), 3, "everybody's, and of two organisations");
    let whole = events.iter().find(|it| it["everybody"] == true).unwrap();
    assert_eq!(whole["digest"], digest);
    assert_eq!(whole["sheet"], hex::encode(Sha256::digest(&table.bytes)));
    assert_eq!(whole["due"], first.body["due"]);
    let page = dana(&test).get(&format!("{ALL}&format=html")).await;
    assert!(
        String::from_utf8(page.bytes)
            .unwrap()
            .contains("Costs of 2026-01")
    );
    let own = test.ada().get(MONTH).await;
    let of_own = hex::encode(Sha256::digest(&own.bytes));
    assert!(events.iter().any(|it| it["digest"] == of_own));
}

#[tokio::test]
async fn how_the_month_stood_is_kept_once_a_day() {
    let test = portal().await;
    film(&test, &test.ada(), "Kept").await;
    learnt(&test).await;
    let today = test.clock.now().date();
    let kept = async |day| {
        shared::costs::snapshot_of(&test.app, None, day)
            .await
            .unwrap()
    };
    let first = kept(today).await.unwrap();
    assert!(first.spent > Money::ZERO);
    test.clock.advance(1.hours());
    film(&test, &test.ada(), "More").await;
    learnt(&test).await;
    assert_eq!(kept(today).await.unwrap(), first);
    assert_eq!(kept(today + Duration::DAY).await, None);
}
