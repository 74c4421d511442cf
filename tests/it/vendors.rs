//! What is an outage and what is none: of our own calls, and of a status page that may say anything.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use muxsim::Indicator;
use serde_json::json;
use shared::incidents::Matter;
use tokio::net::TcpListener;

use crate::{
    incidents::{listed, minute, minutes, only, page_says, told, watched},
    support::{CRON, Fault, TestApp, actors::order},
    tidy::{read, sources},
};

#[tokio::test]
async fn calls_that_fail_are_an_incident_though_the_page_says_that_all_is_well() {
    let test = watched().await;
    for fault in [Fault::DoneAndLost, Fault::Pass].repeat(3) {
        test.faults.next(fault);
        let _ = test.ada().post("/api/uploads", order("Half of them")).await;
    }
    minutes(&test, 2).await;
    let incident = only(listed(&test).await);
    assert_eq!(incident["cause"], "own-rates");
    assert_eq!(incident["severity"], "major");
    // While half of five minutes failed, and five minutes after that.
    minutes(&test, 6).await;
    assert_eq!(only(listed(&test).await)["state"], "open");
    minutes(&test, 6).await;
    assert_eq!(only(listed(&test).await)["state"], "closed");
    assert_eq!(told(&test).await, (1, 1));
}

#[tokio::test]
async fn a_few_calls_that_fail_among_many_are_none() {
    let test = watched().await;
    for fault in [Fault::DoneAndLost, Fault::Pass, Fault::Pass].repeat(3) {
        test.faults.next(fault);
        let _ = test.ada().post("/api/uploads", order("A third")).await;
    }
    minutes(&test, 3).await;
    assert!(listed(&test).await.is_empty());
}

#[tokio::test]
async fn an_open_breaker_and_a_page_are_one_incident_that_knows_both() {
    let test = watched().await;
    test.faults.out(true);
    for _ in 0..5 {
        let begun = test.ada().post("/api/uploads", order("In vain")).await;
        begun.problem(503, "video-service-busy");
    }
    assert_eq!(minute(&test).await["outages"], 1);
    assert_eq!(only(listed(&test).await)["cause"], "own-rates");
    page_says(&test, Indicator::Critical);
    minute(&test).await;
    let both = only(listed(&test).await);
    assert_eq!(
        (&both["cause"], &both["severity"]),
        (&json!("both"), &json!("critical"))
    );
    assert_eq!(told(&test).await, (1, 0));
    test.faults.out(false);
}

/// What a page can do to whoever reads it.
#[derive(Debug, Clone, Copy)]
enum Page {
    Says(&'static str),
    Huge,
    NotJson,
    Nested,
    Fails,
    LeadsAway,
    Silent,
}

async fn answer(State(page): State<Arc<Mutex<Page>>>) -> Response {
    let page = *page.lock().unwrap();
    match page {
        Page::Says(word) => json!({"status": {"indicator": word}})
            .to_string()
            .into_response(),
        Page::Huge => format!(
            r#"{{"status": {{"indicator": "critical"}}, "more": "{}"}}"#,
            "x".repeat(1024 * 1024)
        )
        .into_response(),
        Page::NotJson => "<html>critical</html>".into_response(),
        Page::Nested => "[".repeat(100_000).into_response(),
        Page::Fails => StatusCode::BAD_GATEWAY.into_response(),
        Page::LeadsAway => (
            StatusCode::FOUND,
            [(header::LOCATION, "http://127.0.0.1:9/")],
        )
            .into_response(),
        Page::Silent => std::future::pending().await,
    }
}

#[tokio::test]
async fn a_page_that_says_nothing_is_no_outage_whatever_it_does_instead() {
    let page = Arc::new(Mutex::new(Page::Says("none")));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let router = Router::new().fallback(answer).with_state(Arc::clone(&page));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let test = TestApp::given(vec![CRON, ("MUX_STATUS_URL", url.leak())]).await;
    let turn = |to| *page.lock().unwrap() = to;
    for hostile in [
        Page::Huge,
        Page::NotJson,
        Page::Nested,
        Page::Fails,
        Page::LeadsAway,
        Page::Silent,
        Page::Says("a word of next year"),
    ] {
        turn(hostile);
        assert_eq!(minute(&test).await["outages"], 0, "{hostile:?}");
    }
    turn(Page::Says("critical"));
    assert_eq!(minute(&test).await["outages"], 1);
    // What it said counts for a while, and then nothing is known.
    turn(Page::NotJson);
    minutes(&test, 14).await;
    assert_eq!(only(listed(&test).await)["state"], "open");
    minutes(&test, 6).await;
    assert_eq!(only(listed(&test).await)["state"], "closed");
    assert_eq!(told(&test).await, (1, 1));
}

#[tokio::test]
async fn a_page_that_is_switched_off_is_not_asked() {
    let off = TestApp::given(vec![CRON, ("MUX_STATUS_URL", "off")]).await;
    page_says(&off, Indicator::Critical);
    assert_eq!(minute(&off).await["outages"], 0);
}

/// The anchors of a page's headings, as GitHub makes them.
fn anchors(page: &str) -> BTreeSet<String> {
    let headings = page.lines().filter(|it| it.starts_with('#'));
    let anchor = |heading: &str| {
        let text = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = text
            .chars()
            .filter(|it| it.is_alphanumeric() || " -_".contains(*it));
        kept.map(|it| if it == ' ' { '-' } else { it }).collect()
    };
    headings.map(anchor).collect()
}

#[test]
fn every_runbook_that_is_named_has_its_heading() {
    let mut named: BTreeSet<String> = Matter::all()
        .into_iter()
        .map(|it| it.runbook().to_owned())
        .collect();
    assert_eq!(named.len(), Matter::all().len(), "each has its own");
    for (_, source) in sources().filter(|(path, _)| path.starts_with("shared")) {
        for after in source.split("\"docs/").skip(1) {
            named.insert(format!("docs/{}", after.split('"').next().unwrap()));
        }
    }
    for link in named {
        let (path, anchor) = link.split_once('#').unwrap();
        assert!(
            anchors(&read(path)).contains(anchor),
            "{link} leads nowhere"
        );
    }
}
