//! Incidents: opened once, escalated once, closed once, by the system or step by step by somebody.

use muxsim::{Indicator, Status};
use serde_json::{Value, json};
use time::ext::NumericalDuration;

use crate::support::{CRON, Caller, PLENTY, TestApp, Wishes, answer::text};

pub(crate) async fn watched() -> TestApp {
    TestApp::with(Wishes {
        shaky_table: true,
        variables: vec![CRON, PLENTY],
        ..Wishes::default()
    })
    .await
}

/// A minute later the job runs.
pub(crate) async fn minute(test: &TestApp) -> Value {
    test.clock.advance(1.minutes());
    test.woken("watch").await.ok()["pass"].clone()
}

pub(crate) async fn minutes(test: &TestApp, count: u32) {
    for _ in 0..count {
        minute(test).await;
    }
}

/// Outages of vendors. A budget that they spend is an incident of its own.
pub(crate) async fn listed(test: &TestApp) -> Vec<Value> {
    let dana = test.as_caller(Caller::Person("dana"));
    let body = dana.get("/api/ops/incidents").await.ok();
    let incidents = body["incidents"].as_array().unwrap().iter();
    let outages = incidents.filter(|it| it["kind"] == "vendor-outage");
    outages.cloned().collect()
}

/// The only incident there is.
#[track_caller]
pub(crate) fn only(listed: Vec<Value>) -> Value {
    let [incident] = listed.try_into().unwrap();
    incident
}

pub(crate) fn page_says(test: &TestApp, indicator: Indicator) {
    let incident = Some("of the page".to_owned());
    test.mux.set_status(Status {
        indicator,
        incident,
    });
}

/// As many opened and closed as this.
pub(crate) async fn told(test: &TestApp) -> (usize, usize) {
    let opened = test.event_data("incident.opened").await;
    let opened = opened.iter().filter(|it| it["kind"] == "vendor-outage");
    (opened.count(), test.count_events("incident.closed").await)
}

#[tokio::test]
async fn what_the_status_page_says_is_one_incident_until_it_was_calm_for_five_minutes() {
    let test = watched().await;
    page_says(&test, Indicator::Minor);
    minutes(&test, 2).await;
    assert!(
        listed(&test).await.is_empty(),
        "somewhere something is slow"
    );
    page_says(&test, Indicator::Major);
    minutes(&test, 3).await;
    let incident = only(listed(&test).await);
    assert_eq!(incident["state"], "open");
    assert_eq!(incident["cause"], "status-page");
    assert_eq!(incident["kind"], "vendor-outage");
    assert_eq!(incident["subject"], "mux");
    assert_eq!(incident["opened"]["by"], "system");
    assert_eq!(
        incident["runbook"],
        "docs/playbook/operations/vendor-outage-runbooks.md#mux"
    );
    let dana = test.as_caller(Caller::Person("dana"));
    let health = dana.get("/api/health/mux-system").await.ok();
    assert_eq!(health["status"], "degraded");
    let page = &health["vendors"][0]["statusPage"];
    assert_eq!(page["indicator"], "major");
    assert_eq!(page["since"], "2026-01-05T09:03:00Z");
    assert_eq!(health["incidents"][0]["id"], incident["id"]);
    // A good minute between two bad ones ends nothing.
    page_says(&test, Indicator::None);
    minutes(&test, 4).await;
    page_says(&test, Indicator::Critical);
    minute(&test).await;
    let worse = only(listed(&test).await);
    assert_eq!(
        (&worse["id"], &worse["severity"]),
        (&incident["id"], &json!("critical"))
    );
    page_says(&test, Indicator::None);
    minutes(&test, 4).await;
    assert_eq!(only(listed(&test).await)["state"], "open");
    minutes(&test, 3).await;
    assert_eq!(only(listed(&test).await)["state"], "closed");
    assert_eq!(told(&test).await, (1, 1));
}

#[tokio::test]
async fn what_nobody_takes_is_escalated_once_after_a_quarter_of_an_hour() {
    let test = watched().await;
    page_says(&test, Indicator::Major);
    minutes(&test, 15).await;
    assert_eq!(test.count_events("incident.escalated").await, 0);
    minutes(&test, 5).await;
    assert_eq!(test.count_events("incident.escalated").await, 1);
    let incident = only(listed(&test).await);
    assert_eq!(incident["escalatedAt"], "2026-01-05T09:16:00Z");
    let line = test
        .canaries
        .line([text(&incident, "id"), "incident-escalated"]);
    assert!(line.unwrap().contains("ERROR"));
}

#[tokio::test]
async fn what_somebody_takes_is_not_escalated() {
    let test = watched().await;
    page_says(&test, Indicator::Major);
    minutes(&test, 10).await;
    let dana = test.as_caller(Caller::Person("dana"));
    let id = text(&only(listed(&test).await), "id").to_owned();
    let path = format!("/api/ops/incidents/{id}");
    let body = json!({"step": "acknowledge", "note": "I am on it"});
    let taken = dana.post(&path, body.clone()).await.ok();
    assert_eq!(taken["state"], "acknowledged");
    assert_eq!(taken["acknowledged"]["note"], "I am on it");
    minutes(&test, 10).await;
    assert_eq!(test.count_events("incident.escalated").await, 0);
    let again = dana.post(&path, body).await.ok();
    assert_eq!(again, taken, "the same again is answered the same");
    assert_eq!(test.count_events("incident.acknowledged").await, 1);
}

#[tokio::test]
async fn steps_go_forward_and_what_cannot_be_names_the_state() {
    let test = watched().await;
    page_says(&test, Indicator::Major);
    minute(&test).await;
    let dana = test.as_caller(Caller::Person("dana"));
    let id = text(&only(listed(&test).await), "id").to_owned();
    let path = format!("/api/ops/incidents/{id}");
    let step = async |step: &str| dana.post(&path, json!({"step": step})).await;
    for early in ["mitigate", "review"] {
        let refused = step(early).await;
        assert_eq!(refused.body["detail"], "it is open");
        refused.problem(409, "incident-state");
    }
    let long = json!({"step": "acknowledge", "note": "x".repeat(1_001)});
    dana.post(&path, long).await.problem(422, "invalid-field");
    for (one, state) in [
        ("acknowledge", "acknowledged"),
        ("mitigate", "mitigated"),
        ("close", "closed"),
    ] {
        assert_eq!(step(one).await.ok()["state"], state);
    }
    // The outage goes on, and somebody decided that this is over.
    minutes(&test, 3).await;
    assert_eq!(only(listed(&test).await)["state"], "closed");
    assert_eq!(step("review").await.ok()["state"], "reviewed");
    assert_eq!(step("close").await.ok()["state"], "reviewed", "it was");
    for (kind, count) in [("mitigated", 1), ("closed", 1), ("reviewed", 1)] {
        let events = test.count_events(&format!("incident.{kind}")).await;
        assert_eq!(events, count, "{kind}");
    }
}

#[tokio::test]
async fn an_outage_that_comes_back_soon_is_the_same_incident_and_later_another_one() {
    let test = watched().await;
    let out = async |indicator| {
        page_says(&test, indicator);
        minutes(&test, 6).await;
    };
    out(Indicator::Major).await;
    let first = only(listed(&test).await);
    out(Indicator::None).await;
    out(Indicator::Major).await;
    let again = only(listed(&test).await);
    assert_eq!(
        (&again["id"], &again["reopened"]),
        (&first["id"], &json!(1))
    );
    out(Indicator::None).await;
    minutes(&test, 10).await;
    out(Indicator::Major).await;
    let [second, old] = listed(&test).await.try_into().unwrap();
    assert_ne!(second["id"], first["id"]);
    assert_eq!(
        (&second["state"], &old["state"]),
        (&json!("open"), &json!("closed"))
    );
    let dana = test.as_caller(Caller::Person("dana"));
    let page = dana.get("/api/ops/incidents?limit=1").await.ok();
    assert_eq!(page["incidents"], json!([second]), "what is open is first");
    let next = text(&page, "nextCursor");
    let rest = dana
        .get(&format!("/api/ops/incidents?cursor={next}"))
        .await
        .ok();
    assert_eq!(rest, json!({"incidents": [old]}));
    let strange = dana.get("/api/ops/incidents?cursor=2-inc").await;
    strange.problem(422, "invalid-field");
}

#[tokio::test]
async fn an_outage_is_one_incident_wherever_the_job_dies() {
    let test = watched().await;
    // At times of its own: all tests log into one memory.
    test.clock.advance(7_317.milliseconds());
    let round = async |dies: Option<u32>| {
        page_says(&test, Indicator::Major);
        test.table.calls();
        if let Some(calls) = dies {
            test.table.dies_after(calls);
        }
        let answer = test.woken("watch").await;
        let made: u32 = test.table.calls().values().sum();
        test.table.revive();
        // The lease of one that died runs out; and nobody takes care.
        for _ in 0..2 {
            test.clock.advance(16.minutes());
            test.woken("watch").await.ok();
        }
        let states = listed(&test).await;
        assert_eq!(states.iter().filter(|it| it["state"] == "open").count(), 1);
        page_says(&test, Indicator::None);
        test.clock.advance(6.minutes());
        test.woken("watch").await.ok();
        let states = listed(&test).await;
        assert!(states.iter().all(|it| it["state"] == "closed"), "{dies:?}");
        test.clock.advance(11.minutes());
        (answer.status, made)
    };
    let (_, all) = round(None).await;
    let (mut rounds, mut failed) = (1, 0);
    for calls in 0..all {
        let (status, _) = round(Some(calls)).await;
        rounds += 1;
        failed += u32::from(status.is_server_error());
    }
    assert!(failed > 5, "{failed}");
    assert_eq!(told(&test).await, (rounds, rounds));
    assert_eq!(test.count_events("incident.escalated").await, rounds);
}
