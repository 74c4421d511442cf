//! Reconciliation: with no webhook at all, every video reaches its end.

use std::{fs, path::Path};

use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use shared::{assets::Asset, clock::Clock, store::keys};
use time::ext::NumericalDuration;

use crate::support::{
    CRON, Caller, Fault, PLENTY, Story, TestApp, Wishes, actors::order, answer::text,
};

async fn quiet() -> TestApp {
    TestApp::with(Wishes {
        rate_limit: true,
        variables: vec![CRON, PLENTY],
        ..Wishes::default()
    })
    .await
}

/// What a run did. Mux's webhooks are delivered when a test says so; these tests never do.
async fn reconciled(test: &TestApp) -> Value {
    let answer = test.woken("reconcile").await.ok();
    assert_eq!(answer["ran"], true);
    answer["pass"].clone()
}

async fn status(test: &TestApp, id: &str) -> Value {
    let path = format!("/api/uploads/{id}");
    test.ada().get(&path).await.ok()["status"].clone()
}

async fn open(test: &TestApp) -> usize {
    let listing = keys::open_assets();
    let page = test.app.store.list::<Asset>(&listing, None, 1000).await;
    page.unwrap().items.len()
}

async fn send(upload: &Value, file: &[u8]) {
    let put = Client::new()
        .put(text(upload, "uploadUrl"))
        .body(file.to_vec());
    assert_eq!(put.send().await.unwrap().status(), StatusCode::OK);
}

fn clip() -> Vec<u8> {
    let clip = "infra/muxsim/tests/media/video-audio.mp4";
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(clip)).unwrap()
}

#[tokio::test]
async fn fifty_uploads_end_within_ten_minutes_without_a_single_webhook() {
    let test = quiet().await;
    let (clip, mut ids) = (clip(), Vec::new());
    for n in 0..50 {
        test.clock.advance(1.seconds()); // Mux allows one upload a second
        let upload = test.ada().upload(&format!("Video {n}")).await;
        let broken = n % 10 == 9;
        send(&upload, if broken { b"no video" } else { &clip }).await;
        ids.push((text(&upload, "id").to_owned(), broken));
    }
    let sent = test.clock.now();
    test.mux.process().await.unwrap();
    test.clock.advance(5.minutes());
    let pass = reconciled(&test).await;
    assert_eq!(pass["failed"], 0, "{pass}");
    let took = test.clock.now() - sent;
    assert!(took <= 10.minutes(), "{took}");
    for (id, broken) in &ids {
        let wanted = if *broken { "ERROR" } else { "READY" };
        assert_eq!(status(&test, id).await, wanted);
        let ended = if *broken {
            "asset.failed"
        } else {
            "asset.ready"
        };
        let events = test.events_of(id).await;
        assert_eq!(events, ["upload.requested", ended]);
    }
    assert_eq!(open(&test).await, 0);
    assert_eq!(
        reconciled(&test).await,
        json!({"open": 0, "asked": 0, "closed": 0, "failed": 0, "missed": 0})
    );
}

/// What stands as an alert now.
async fn alerts(test: &TestApp) -> Vec<Value> {
    let dana = test.as_caller(Caller::Person("dana"));
    let body = dana.get("/api/ops/alerts").await.ok();
    let alerts = body["alerts"].as_array().unwrap().iter();
    alerts.map(|it| it["alert"].clone()).collect()
}

#[tokio::test]
async fn webhooks_that_do_not_come_are_alerted_of_until_a_run_misses_none() {
    let test = quiet().await;
    let clip = clip();
    for n in 0..3 {
        test.clock.advance(1.seconds());
        let upload = test.ada().upload(&format!("Untold {n}")).await;
        send(&upload, &clip).await;
    }
    test.mux.process().await.unwrap();
    test.clock.advance(2.minutes());
    for job in ["dlq-replay", "retire", "audit-seal"] {
        test.woken(job).await.ok();
    }
    assert_eq!(reconciled(&test).await["missed"], 3);
    assert_eq!(alerts(&test).await, ["webhooks-missing"]);
    assert_eq!(reconciled(&test).await["missed"], 0);
    assert_eq!(alerts(&test).await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_file_that_comes_late_is_found_as_fast_as_one_that_comes_at_once() {
    let test = quiet().await;
    let upload = test.ada().upload("After three hours").await;
    let id = text(&upload, "id");
    test.clock.advance(190.minutes());
    assert_eq!(reconciled(&test).await["closed"], 0);
    send(&upload, &clip()).await;
    test.mux.process().await.unwrap();
    test.clock.advance(5.minutes());
    assert_eq!(reconciled(&test).await["closed"], 1);
    assert_eq!(status(&test, id).await, "READY");
}

#[tokio::test]
async fn a_run_asks_no_further_when_mux_limits_us() {
    let test = quiet().await;
    for n in 0..3 {
        test.clock.advance(1.seconds());
        test.ada().upload(&format!("Video {n}")).await;
    }
    test.clock.advance(2.minutes());
    test.faults.times(3, Fault::Limited);
    let pass = reconciled(&test).await;
    assert_eq!(
        pass,
        json!({"open": 3, "asked": 1, "closed": 0, "failed": 1, "missed": 0})
    );
}

#[tokio::test]
async fn webhooks_that_come_after_all_change_nothing() {
    let test = quiet().await;
    let upload = test.ada().upload("Late").await;
    let id = text(&upload, "id");
    send(&upload, &clip()).await;
    test.mux.process().await.unwrap();
    test.clock.advance(2.minutes());
    let pass = reconciled(&test).await;
    assert_eq!(
        pass,
        json!({"open": 1, "asked": 1, "closed": 1, "failed": 0, "missed": 1})
    );
    let before = test.ada().get(&format!("/api/assets/{id}")).await.ok();
    assert_eq!(before["status"], "READY");
    test.mux.deliver().await.unwrap();
    assert_eq!(test.mux.pending().unwrap(), 0);
    assert_eq!(status(&test, id).await, "READY");
    assert_eq!(
        test.events_of(id).await,
        ["upload.requested", "asset.ready"]
    );
}

#[tokio::test]
async fn a_file_that_never_came_expires_once_and_is_asked_about_no_more() {
    let test = quiet().await;
    let upload = test.ada().upload("Never sent").await;
    let id = text(&upload, "id");
    test.clock.advance(2.minutes());
    assert_eq!(reconciled(&test).await["asked"], 1);
    assert_eq!(status(&test, id).await, "AWAITING_UPLOAD");
    test.clock.advance(90.minutes());
    assert_eq!(reconciled(&test).await["asked"], 1, "there was time for it");
    test.clock.advance(12.hours());
    let pass = reconciled(&test).await;
    assert_eq!(
        pass,
        json!({"open": 1, "asked": 1, "closed": 1, "failed": 0, "missed": 0})
    );
    assert_eq!(status(&test, id).await, "EXPIRED");
    assert_eq!(
        test.events_of(id).await,
        ["upload.requested", "upload.expired"]
    );
    assert_eq!(open(&test).await, 0);
}

#[tokio::test]
async fn an_upload_that_nobody_heard_of_expires_too() {
    let test = quiet().await;
    test.faults.next(Fault::DoneAndLost);
    let refused = test.ada().post("/api/uploads", order("Unheard")).await;
    refused.problem(503, "video-service-busy");
    let list = test.ada().get("/api/assets").await.ok();
    let id = text(&list["assets"][0], "id");
    test.clock.advance(13.hours());
    assert_eq!(reconciled(&test).await["closed"], 1);
    assert_eq!(status(&test, id).await, "EXPIRED");
    assert_eq!(
        test.events_of(id).await,
        ["upload.requested", "upload.expired"]
    );
}

#[tokio::test]
async fn a_video_that_mux_no_longer_has_is_deleted() {
    let test = quiet().await;
    let upload = test.ada().upload("Gone").await;
    let id = text(&upload, "id");
    // Mux told of an asset, and has none of that name.
    let story = Story::new(id, test.clock.now());
    test.webhook(&story.happy()[2]).await.ok();
    test.clock.advance(2.minutes());
    assert_eq!(reconciled(&test).await["closed"], 1);
    assert_eq!(status(&test, id).await, "DELETED");
}

#[tokio::test]
async fn a_call_that_fails_costs_no_other_video_anything() {
    let test = quiet().await;
    let (one, other) = (
        test.ada().upload("One").await,
        test.ada().upload("Other").await,
    );
    for upload in [&one, &other] {
        send(upload, &clip()).await;
    }
    test.mux.process().await.unwrap();
    test.clock.advance(2.minutes());
    test.faults.times(3, Fault::DoneAndLost);
    let pass = reconciled(&test).await;
    assert_eq!(
        pass,
        json!({"open": 2, "asked": 2, "closed": 1, "failed": 1, "missed": 1})
    );
    test.clock.advance(5.minutes());
    let pass = reconciled(&test).await;
    assert_eq!(
        pass,
        json!({"open": 1, "asked": 1, "closed": 1, "failed": 0, "missed": 1})
    );
}
