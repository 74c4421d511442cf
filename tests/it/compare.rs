//! The daily comparison: what Mux has, what the portal has, and links between them.

use serde_json::{Value, json};
use shared::clock::Clock;
use time::ext::NumericalDuration;

use crate::support::{CRON, Fault, Story, TestApp, Wishes, actors::order, answer::text};

async fn comparing() -> TestApp {
    TestApp::with(Wishes {
        rate_limit: true,
        variables: vec![CRON],
        ..Wishes::default()
    })
    .await
}

async fn reconciled(test: &TestApp) -> Value {
    let answer = test.woken("reconcile").await.ok();
    answer["pass"].clone()
}

/// What the comparison found, a day after the first run.
async fn compared(test: &TestApp) -> Value {
    reconciled(test).await;
    test.clock.advance(24.hours());
    reconciled(test).await["compared"].clone()
}

async fn sent(test: &TestApp, title: &str) -> String {
    test.clock.advance(1.seconds());
    let upload = test.ada().upload(title).await;
    let clip = include_bytes!("../../infra/muxsim/tests/media/video-only.mp4");
    let put = reqwest::Client::new()
        .put(text(&upload, "uploadUrl"))
        .body(clip.to_vec());
    assert!(put.send().await.unwrap().status().is_success());
    test.mux.process().await.unwrap();
    test.mux.deliver().await.unwrap();
    text(&upload, "id").to_owned()
}

#[tokio::test]
async fn when_both_agree_nothing_is_found_and_nothing_is_written() {
    let test = comparing().await;
    let (one, other) = (sent(&test, "One").await, sent(&test, "Other").await);
    reconciled(&test).await;
    let before = [&one, &other].map(|id| format!("/api/assets/{id}"));
    let versions = async || {
        let [one, other] = &before;
        [
            test.ada().get(one).await.ok(),
            test.ada().get(other).await.ok(),
        ]
    };
    let known = versions().await;
    let found = compared(&test).await;
    assert_eq!(
        found,
        json!({
            "atMux": 2, "oursAtMux": 2, "here": 2, "healed": 0, "unknown": 0, "public": 0,
            "undeleted": 0, "missing": 0, "linksEnded": 0, "linksWithdrawn": 0, "linksIdle": 0, "linksUncut": 0, "stray": 0,
            "failed": 0,
            "closedBy": {"webhook": 2}, "examples": [],
        })
    );
    assert_eq!(versions().await, known);
    assert_eq!(test.count_events("comparison.ended").await, 1);
    test.clock.advance(1.hours());
    let again = reconciled(&test).await;
    assert_eq!(again["compared"], Value::Null, "once a day");
}

/// Takes a video away at Mux; its webhook is never delivered.
async fn vanish(test: &TestApp, id: &str) {
    let path = format!("assets/{}", test.mux_asset(id).await);
    test.clock.advance(1.seconds());
    test.at_mux(reqwest::Method::DELETE, &path, Value::Null)
        .await;
}

async fn next_day(test: &TestApp) -> Value {
    test.clock.advance(24.hours());
    reconciled(test).await["compared"].clone()
}

#[tokio::test]
async fn a_video_that_vanished_at_mux_is_believed_to_be_gone_when_it_is_missing_twice() {
    let test = comparing().await;
    let id = sent(&test, "Vanished").await;
    let share = test.ada().share(&id, "for Sam").await;
    vanish(&test, &id).await;
    let path = format!("/api/assets/{id}");
    let found = compared(&test).await;
    assert_eq!(
        (&found["missing"], &found["healed"]),
        (&1.into(), &0.into())
    );
    assert_eq!(found["examples"], json!([format!("missing {id}")]));
    assert_eq!(test.ada().get(&path).await.ok()["status"], "READY");
    let found = next_day(&test).await;
    assert_eq!(
        (&found["missing"], &found["healed"]),
        (&0.into(), &1.into())
    );
    assert_eq!(found["linksEnded"], 1, "{found}");
    let opened = format!("/api/share/{}", text(&share, "token"));
    test.anonymous()
        .get(&opened)
        .await
        .problem(410, "asset-deleted");
    let links = test.ada().get(&format!("{path}/shares")).await.ok();
    assert_eq!(links["shares"][0]["state"], "ENDED");
    assert_eq!(test.ada().get(&path).await.ok()["status"], "DELETED");
    assert_eq!(next_day(&test).await["here"], 0, "it is at rest");
    let events = test.events_of(&id).await;
    assert_eq!(events.last().unwrap(), "share.ended");
}

#[tokio::test]
async fn many_videos_that_are_missing_at_once_are_not_believed_to_be_gone() {
    let test = comparing().await;
    let mut ids = Vec::new();
    for n in 0..11 {
        ids.push(sent(&test, &format!("Video {n}")).await);
    }
    for id in &ids {
        vanish(&test, id).await;
    }
    assert_eq!(compared(&test).await["missing"], 11);
    let found = next_day(&test).await;
    assert_eq!(
        (&found["missing"], &found["healed"]),
        (&11.into(), &0.into())
    );
    let path = format!("/api/assets/{}", ids[0]);
    assert_eq!(test.ada().get(&path).await.ok()["status"], "READY");
}

#[tokio::test]
async fn a_video_that_its_owner_deleted_has_no_living_link_after_a_day() {
    let test = comparing().await;
    let id = sent(&test, "Deleted").await;
    for label in ["one", "two", "three"] {
        test.ada().share(&id, label).await;
    }
    test.ada().delete(&format!("/api/assets/{id}")).await.ok();
    let found = compared(&test).await;
    assert_eq!(found["linksEnded"], 3, "{found}");
    assert_eq!(found["undeleted"], 1, "Mux still has it");
    assert_eq!(test.count_events("share.ended").await, 3);
}

#[tokio::test]
async fn what_mux_has_and_nobody_here_knows_is_reported_and_left_alone() {
    let test = comparing().await;
    sent(&test, "Ours").await;
    test.clock.advance(1.seconds());
    let body = json!({"inputs": [{"url": "https://elsewhere.example/a.mp4"}], "playback_policies": ["signed"]});
    let foreign = test.at_mux(reqwest::Method::POST, "assets", body).await;
    let found = compared(&test).await;
    assert_eq!(found["unknown"], 1, "{found}");
    let example = format!("unknown {}", text(&foreign["data"], "id"));
    assert_eq!(found["examples"], json!([example]));
    let list = test
        .at_mux(reqwest::Method::GET, "assets", Value::Null)
        .await;
    assert_eq!(list["data"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn an_asset_that_anybody_could_watch_is_reported() {
    let test = comparing().await;
    let id = sent(&test, "Public by mistake").await;
    let asset = test.mux_asset(&id).await;
    let path = format!("assets/{asset}/playback-ids");
    test.clock.advance(1.seconds());
    test.at_mux(reqwest::Method::POST, &path, json!({"policy": "public"}))
        .await;
    let found = compared(&test).await;
    assert_eq!(found["public"], 1, "{found}");
}

#[tokio::test]
async fn a_link_to_a_video_that_never_came_is_reported() {
    let test = comparing().await;
    let upload = test.ada().upload("Never sent").await;
    let id = text(&upload, "id");
    let path = format!("/api/assets/{id}/shares");
    test.ada()
        .post(&path, json!({"label": "for Sam", "expiresInHours": 100}))
        .await
        .created();
    test.clock.advance(13.hours());
    let found = compared(&test).await;
    assert_eq!(found["linksIdle"], 1, "{found}");
    assert_eq!(found["closedBy"], json!({"reconcile": 1}));
}

#[tokio::test]
async fn a_comparison_that_mux_interrupts_goes_on_where_it_stopped() {
    let test = comparing().await;
    let ours = sent(&test, "Ours").await;
    let body = json!({"inputs": [{"url": "https://elsewhere.example/a.mp4"}]});
    for _ in 0..100 {
        test.clock.advance(1.seconds());
        test.at_mux(reqwest::Method::POST, "assets", body.clone())
            .await;
    }
    reconciled(&test).await;
    test.clock.advance(24.hours());
    // The first page holds a hundred; the second one breaks off.
    test.faults.next(Fault::Pass);
    test.faults.times(3, Fault::Limited);
    assert_eq!(reconciled(&test).await["compared"], Value::Null);
    // What comes to be on the first page meanwhile is for the next comparison.
    test.clock.advance(1.seconds());
    test.at_mux(reqwest::Method::POST, "assets", body).await;
    test.clock.advance(5.minutes());
    let found = reconciled(&test).await["compared"].clone();
    assert_eq!(
        found["atMux"], 102,
        "one moved from the first page to the second"
    );
    assert_eq!(
        (&found["oursAtMux"], &found["here"]),
        (&1.into(), &1.into())
    );
    let video = test.ada().get(&format!("/api/assets/{ours}")).await.ok();
    assert_eq!(video["status"], "READY");
}

#[tokio::test]
async fn an_upload_whose_answer_was_lost_is_found_in_muxs_list() {
    let test = comparing().await;
    test.faults.next(Fault::DoneAndLost);
    let refused = test.ada().post("/api/uploads", order("Lost")).await;
    refused.problem(503, "video-service-busy");
    let list = test.ada().get("/api/assets").await.ok();
    let id = text(&list["assets"][0], "id");
    let path = format!("/api/uploads/{id}");
    assert!(test.ada().get(&path).await.ok()["uploadUrl"].is_null());
    test.clock.advance(5.minutes());
    reconciled(&test).await;
    let found = test.ada().get(&path).await.ok();
    assert_eq!(found["status"], "AWAITING_UPLOAD");
    assert!(found["uploadUrl"].is_string(), "{found}");
    let story = Story::new(id, test.clock.now());
    test.webhook(&story.happy()[3]).await.ok();
    let video = test.ada().get(&format!("/api/assets/{id}")).await.ok();
    assert_eq!(video["status"], "READY");
    assert_eq!(video["closedBy"], "webhook");
}
