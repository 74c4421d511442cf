//! What looks like abuse: refused, written down once, and shown to those who operate the portal.

use serde_json::json;
use time::ext::NumericalDuration;

use crate::support::{Caller, TestApp, answer::text};

/// A token that is well-formed and opens nothing.
const WRONG: &str = "/api/share/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

#[tokio::test]
async fn a_refusal_of_a_link_is_written_down_once_a_minute() {
    let test = TestApp::new().await;
    let id = test.ada().video("Taken back").await;
    let (share, other) = (
        test.ada().share(&id, "one").await,
        test.ada().share(&id, "other").await,
    );
    for share in [&share, &other] {
        let path = format!("/api/shares/{}", text(share, "id"));
        test.ada().delete(&path).await.ok();
    }
    let refused = async |share| {
        let path = format!("/api/share/{}", text(share, "token"));
        let answer = test.anonymous().get(&path).await;
        answer.problem(403, "share-revoked");
        test.count_events("share.refused").await
    };
    for _ in 0..5 {
        assert_eq!(refused(&share).await, 1);
    }
    assert_eq!(refused(&other).await, 2, "each link has its own");
    test.clock.advance(59.seconds());
    assert_eq!(refused(&share).await, 2);
    test.clock.advance(1.seconds());
    assert_eq!(refused(&share).await, 3);
}

#[tokio::test]
async fn who_waits_for_a_video_may_ask_as_often_as_it_takes() {
    let test = TestApp::given(vec![("LIMITS", "opens-per-link=enforce:1/600")]).await;
    let upload = test.ada().upload("In the making").await;
    let share = test.ada().share(text(&upload, "id"), "for Sam").await;
    let path = format!("/api/share/{}", text(&share, "token"));
    for _ in 0..5 {
        let answer = test.anonymous().get(&path).await;
        answer.problem(409, "asset-not-ready");
    }
    test.story(text(&upload, "id")).tell_all().await;
    test.anonymous().get(&path).await.ok();
    let answer = test.anonymous().get(&path).await;
    answer.problem(429, "rate-limited");
}

#[tokio::test]
async fn a_link_in_many_hands_is_noted_once_in_a_window() {
    let test = TestApp::new().await;
    let id = test.ada().video("Passed on").await;
    let share = test.ada().share(&id, "for Sam").await;
    let path = format!("/api/share/{}", text(&share, "token"));
    let noted = async || test.count_events("abuse.link-spread").await;
    for network in 1..=8 {
        for host in [7, 8] {
            let viewer = test.anonymous().from(&format!("203.0.{network}.{host}"));
            viewer.get(&path).await.ok();
        }
    }
    assert_eq!(noted().await, 0);
    for network in 9..=12 {
        let viewer = test.anonymous().from(&format!("203.0.{network}.7"));
        viewer.get(&path).await.ok();
        assert_eq!(noted().await, 1);
    }
    let events = test.events_of(text(&share, "id")).await;
    assert!(events.contains(&"abuse.link-spread".to_owned()));
    test.clock.advance(10.minutes());
    for network in 1..=9 {
        let viewer = test.anonymous().from(&format!("198.51.{network}.7"));
        viewer.get(&path).await.ok();
    }
    assert_eq!(noted().await, 2);
    let table = test.dump().await;
    assert!(!table.contains("203.0."), "an address is in the table");
}

#[tokio::test]
async fn who_tries_many_tokens_is_told_nothing_more_and_noted_once() {
    let test = TestApp::new().await;
    let id = test.ada().video("Not for guessing").await;
    let share = test.ada().share(&id, "for Sam").await;
    let guesser = test.anonymous().from("2001:db8:0:1::7");
    for _ in 0..20 {
        guesser.get(WRONG).await.problem(404, "not-found");
    }
    for _ in 0..3 {
        let answer = guesser.get(WRONG).await;
        assert_eq!(answer.retry_after(), Some("600"));
        answer.problem(429, "rate-limited");
    }
    let neighbour = test.anonymous().from("2001:db8:0:2::7");
    neighbour.get(WRONG).await.problem(404, "not-found");
    let path = format!("/api/share/{}", text(&share, "token"));
    guesser.get(&path).await.ok();
    assert_eq!(test.count_events("abuse.token-guessing").await, 1);
    let table = test.dump().await;
    assert!(!table.contains("2001:db8"), "an address is in the table");
    let operators = test.app.config.operators();
    assert!(table.contains(&format!("TENANT#{operators}#EVENTS")));
}

#[tokio::test]
async fn operators_see_who_was_refused_and_how_often_by_the_hour() {
    let limits = "opens-per-link=enforce:1/60,unknown-tokens-per-address=shadow:1/60";
    let test = TestApp::given(vec![("LIMITS", limits)]).await;
    let id = test.ada().video("Watched").await;
    let share = test.ada().share(&id, "for Sam").await;
    let path = format!("/api/share/{}", text(&share, "token"));
    let sam = test.anonymous().from("203.0.113.7");
    for _ in 0..4 {
        let _ = sam.get(&path).await;
        sam.get(WRONG).await.problem(404, "not-found");
    }
    test.clock.advance(1.hours());
    for _ in 0..2 {
        let _ = sam.get(&path).await;
    }
    let dana = test.as_caller(Caller::Person("dana"));
    let body = dana.get("/api/ops/limits").await.ok();
    let of = |rule: &str| {
        let limits = body["limits"].as_array().unwrap().iter();
        limits.clone().find(|it| it["rule"] == rule).unwrap()
    };
    assert_eq!(
        of("opens-per-link"),
        &json!({
            "rule": "opens-per-link", "mode": "enforce", "most": 1, "seconds": 60,
            "refused": 4, "wouldBeRefused": 0,
            "hours": [
                {
                    "hour": "2026-01-05T10:00:00Z", "refused": 1, "wouldBeRefused": 0,
                    "subjects": [{"subject": share["id"], "count": 1}],
                },
                {
                    "hour": "2026-01-05T09:00:00Z", "refused": 3, "wouldBeRefused": 0,
                    "subjects": [{"subject": share["id"], "count": 3}],
                },
            ],
        })
    );
    let guesses = of("unknown-tokens-per-address");
    assert_eq!(
        (&guesses["wouldBeRefused"], &guesses["refused"]),
        (&json!(3), &json!(0))
    );
    let name = test.app.keys().pseudonyms.hide("203.0.113.7");
    let sampled = &guesses["hours"][0]["subjects"];
    assert_eq!(sampled, &json!([{"subject": name, "count": 3}]));
    assert_eq!(of("codes-per-link")["hours"], json!([]));
    test.clock.advance(24.hours());
    let later = dana.get("/api/ops/limits").await.ok();
    assert_eq!(later["limits"][1]["refused"], 1, "of 24 hours ago");
    let week = dana.get("/api/ops/limits?hours=168").await.ok();
    assert_eq!(week["limits"][1]["refused"], 4);
    let far = dana.get("/api/ops/limits?hours=169").await;
    far.problem(422, "invalid-field");
}

#[tokio::test]
async fn an_hour_has_places_for_twenty_subjects_and_counts_all() {
    let limits = "opens-per-address=enforce:1/3600,opens-per-link=shadow";
    let test = TestApp::given(vec![("LIMITS", limits)]).await;
    for n in 0..30 {
        let viewer = test.anonymous().from(&format!("203.0.{n}.7"));
        viewer.get(WRONG).await.problem(404, "not-found");
        viewer.get(WRONG).await.problem(429, "rate-limited");
    }
    let dana = test.as_caller(Caller::Person("dana"));
    let body = dana.get("/api/ops/limits").await.ok();
    let hour = &body["limits"][0]["hours"][0];
    assert_eq!(hour["refused"], 30);
    let subjects = hour["subjects"].as_array().unwrap();
    assert!((8..=20).contains(&subjects.len()), "{subjects:?}");
}
