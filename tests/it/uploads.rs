//! Facts about uploads.

use serde_json::{Value, json};
use time::ext::NumericalDuration;

use crate::support::{Caller, Fault, TestApp, Wishes, actors::order, answer::text};

#[tokio::test]
async fn an_upload_is_answered_with_where_to_send_the_file() {
    let test = TestApp::new().await;
    let mut body = test.ada().upload("Sprint starts").await;
    let url = body["uploadUrl"].take();
    assert!(url.as_str().unwrap().starts_with(&test.url), "{url}");
    insta::assert_json_snapshot!(body, @r#"
    {
      "expiresAt": "2026-01-05T21:00:00Z",
      "id": "ast_01KE6P4YM00000000000000002",
      "poll": {
        "afterSeconds": 2,
        "pace": "healthy",
        "url": "/api/uploads/ast_01KE6P4YM00000000000000002"
      },
      "status": "AWAITING_UPLOAD",
      "title": "Sprint starts",
      "uploadUrl": null
    }
    "#);
}

#[tokio::test]
async fn the_same_request_again_is_the_same_upload() {
    let test = TestApp::new().await;
    let ada = test.ada().with("idempotency-key", "k-1");
    let first = ada.upload("Sprint starts").await;
    assert_eq!(ada.upload("Sprint starts").await, first);
    let list = test.ada().get("/api/assets").await.ok();
    assert_eq!(list["assets"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_key_of_another_request_is_refused() {
    let test = TestApp::new().await;
    let ada = test.ada().with("idempotency-key", "k-1");
    ada.upload("Sprint starts").await;
    ada.post("/api/uploads", order("Something else"))
        .await
        .problem(422, "idempotency-key-reused");
}

#[tokio::test]
async fn a_key_belongs_to_one_person() {
    let test = TestApp::new().await;
    let ada = test
        .ada()
        .with("idempotency-key", "k-1")
        .upload("Same")
        .await;
    let cora = test
        .cora()
        .with("idempotency-key", "k-1")
        .upload("Same")
        .await;
    assert_ne!(ada["id"], cora["id"]);
}

#[tokio::test]
async fn both_paths_lead_to_the_same_handler() {
    let test = TestApp::new().await;
    let path = "/api/mux/create-video-upload";
    let body = test
        .ada()
        .post(path, order("By the old name"))
        .await
        .created();
    let status = format!("/api/uploads/{}", text(&body, "id"));
    assert_eq!(
        test.ada().get(&status).await.ok()["status"],
        "AWAITING_UPLOAD"
    );
}

#[tokio::test]
async fn when_mux_is_busy_nothing_is_half_done_and_the_same_request_starts_afresh() {
    let test = TestApp::new().await;
    let ada = test.ada().with("idempotency-key", "k-1");
    test.faults.times(2, Fault::Limited);
    let busy = ada.post("/api/uploads", order("Busy")).await;
    assert_eq!(busy.retry_after(), Some("2"));
    busy.problem(503, "video-service-busy");
    let second = ada.upload("Busy").await;
    assert_eq!(second["status"], "AWAITING_UPLOAD");
    let list = test.ada().get("/api/assets").await.ok();
    let states: Vec<&str> = list["assets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| text(it, "status"))
        .collect();
    assert_eq!(states, ["AWAITING_UPLOAD"]);
}

#[tokio::test]
async fn when_mux_refuses_for_good_the_caller_is_told_and_learns_no_detail() {
    let test = TestApp::new().await;
    test.faults.next(Fault::Refused);
    let refused = test.ada().post("/api/uploads", order("Refused")).await;
    assert!(!refused.body.to_string().contains("Free plan"));
    refused.problem(502, "video-service-refused");
}

#[tokio::test]
async fn an_answer_of_mux_that_was_lost_is_found_again_by_its_webhook() {
    let test = TestApp::new().await;
    let ada = test.ada().with("idempotency-key", "k-1");
    test.faults.next(Fault::DoneAndLost);
    ada.post("/api/uploads", order("Lost"))
        .await
        .problem(503, "video-service-busy");
    ada.post("/api/uploads", order("Lost"))
        .await
        .problem(409, "upload-in-progress");
    test.mux.deliver().await.unwrap();
    let found = ada.upload("Lost").await;
    assert!(text(&found, "uploadUrl").starts_with(&test.url));
    let list = test.ada().get("/api/assets").await.ok();
    assert_eq!(list["assets"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn an_upload_whose_first_request_died_is_taken_over() {
    let test = TestApp::new().await;
    let ada = test.ada().with("idempotency-key", "k-1");
    test.faults.next(Fault::DoneAndLost);
    ada.post("/api/uploads", order("Died"))
        .await
        .problem(503, "video-service-busy");
    test.clock.advance(16.seconds());
    let body = ada.upload("Died").await;
    assert!(body["uploadUrl"].is_string());
    // The stray's event comes late, and does not take the address away from who is using the new one.
    test.mux.deliver().await.unwrap();
    let path = format!("/api/uploads/{}", text(&body, "id"));
    assert_eq!(
        test.ada().get(&path).await.ok()["uploadUrl"],
        body["uploadUrl"]
    );
}

#[tokio::test]
async fn what_is_no_video_or_too_large_is_refused_by_name() {
    let test = TestApp::with(Wishes {
        variables: vec![("UPLOAD_MAX_BYTES", "1000")],
        ..Wishes::default()
    })
    .await;
    let post = async |body| test.ada().post("/api/uploads", body).await;
    let good = json!({"title": "T", "contentType": "video/mp4", "size": 1000});
    for (field, value, words) in [
        ("contentType", json!("text/html"), "contentType"),
        ("contentType", json!("video/"), "contentType"),
        ("contentType", json!("video/mp4\r\nx: y"), "contentType"),
        ("size", json!(0), "size"),
        ("size", json!(1001), "size"),
        ("title", json!("  "), "title"),
        ("title", json!("two\nlines"), "title"),
        ("title", json!("x".repeat(201)), "title"),
    ] {
        let mut body = good.clone();
        body[field] = value;
        post(body).await.problem(422, "invalid-field").saying(words);
    }
    let mut unknown = good.clone();
    unknown["private"] = true.into();
    post(unknown)
        .await
        .problem(400, "invalid-request")
        .saying("private");
    post(json!({"title": "T"}))
        .await
        .problem(400, "invalid-request")
        .saying("contentType");
    post(json!([])).await.problem(400, "invalid-request");
    let bad_key = test.ada().with("idempotency-key", "with space");
    bad_key
        .post("/api/uploads", good)
        .await
        .problem(422, "invalid-field")
        .saying("Idempotency-Key");
}

#[tokio::test]
async fn the_origin_is_one_of_ours_or_none() {
    let test = TestApp::new().await;
    let post = async |origin| {
        let ada = test.ada().with("origin", origin);
        ada.post("/api/uploads", order("From a page")).await
    };
    post("https://studio.example").await.created();
    post("").await.created();
    for origin in [
        "https://evil.example",
        "null",
        "https://portal.example.evil",
        "http://portal.example",
    ] {
        post(origin).await.problem(403, "origin-not-allowed");
    }
}

#[tokio::test]
async fn a_cancelled_upload_takes_no_file_and_stays_cancelled() {
    let test = TestApp::new().await;
    let body = test.ada().upload("Never mind").await;
    let path = format!("/api/uploads/{}", text(&body, "id"));
    assert_eq!(test.ada().delete(&path).await.ok()["status"], "CANCELLED");
    assert_eq!(test.ada().delete(&path).await.ok()["status"], "CANCELLED");
    test.mux.deliver().await.unwrap();
    let status = test.ada().get(&path).await.ok();
    assert_eq!(
        (&status["status"], &status["poll"]),
        (&"CANCELLED".into(), &json!(null))
    );
    let put = reqwest::Client::new()
        .put(text(&body, "uploadUrl"))
        .body("x")
        .send();
    assert_eq!(put.await.unwrap().status(), 410);
    let events = test.events_of(text(&body, "id")).await;
    assert_eq!(events, ["upload.requested", "upload.cancelled"]);
}

#[tokio::test]
async fn what_has_arrived_cannot_be_cancelled() {
    let test = TestApp::new().await;
    let body = test.ada().upload("Too late").await;
    let path = format!("/api/uploads/{}", text(&body, "id"));
    let put = reqwest::Client::new()
        .put(text(&body, "uploadUrl"))
        .body("x")
        .send();
    assert_eq!(put.await.unwrap().status(), 200);
    test.ada()
        .delete(&path)
        .await
        .problem(409, "upload-not-cancellable");
}

#[tokio::test]
async fn an_upload_that_nobody_speaks_of_any_more_says_that_it_expired() {
    let test = TestApp::new().await;
    let body = test.ada().upload("Forgotten").await;
    let path = format!("/api/uploads/{}", text(&body, "id"));
    test.clock.advance(12.hours() + 5.minutes());
    let status = test.ada().get(&path).await.ok();
    assert_eq!(status["status"], "EXPIRED");
    assert!(status["poll"].is_null() && status["uploadUrl"].is_null());
}

#[tokio::test]
async fn who_may_only_watch_sees_no_address_to_send_files_to() {
    let test = TestApp::new().await;
    let body = test.ada().upload("Mine").await;
    let path = format!("/api/uploads/{}", text(&body, "id"));
    assert!(test.ben().get(&path).await.ok()["uploadUrl"].is_null());
    test.ben()
        .post("/api/uploads", order("His"))
        .await
        .problem(403, "forbidden");
    let nobody = test.as_caller(Caller::Role("intern"));
    nobody
        .post("/api/uploads", order("Whose"))
        .await
        .problem(403, "forbidden");
}

#[tokio::test]
async fn without_a_table_nothing_is_asked_of_mux() {
    let test = TestApp::with(Wishes {
        no_table: true,
        ..Wishes::default()
    })
    .await;
    let refused = test.ada().post("/api/uploads", order("No table")).await;
    assert_eq!(refused.retry_after(), Some("1"));
    refused.problem(503, "unavailable");
    assert_eq!(test.mux.pending().unwrap(), 0);
}

#[tokio::test]
async fn an_upload_that_is_asked_for_again_hours_later_lives_no_longer_than_the_first_one_would() {
    let test = TestApp::new().await;
    let ada = test.ada().with("idempotency-key", "k-late");
    test.faults.next(Fault::DoneAndLost);
    let busy = ada.post("/api/uploads", order("Late")).await;
    busy.problem(503, "video-service-busy");
    test.clock.advance(11.hours());
    let upload = ada.post("/api/uploads", order("Late")).await;
    assert!(upload.status.is_success(), "{}", upload.body);
    let url = format!("{}/mux/video/v1/uploads", test.url);
    let listed = reqwest::Client::new().get(url).basic_auth(
        dev::settings::MUX_TOKEN_ID,
        Some(dev::settings::MUX_TOKEN_SECRET),
    );
    let listed: Value = listed.send().await.unwrap().json().await.unwrap();
    let timeouts: Vec<i64> = listed["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["timeout"].as_i64().unwrap())
        .collect();
    assert_eq!(timeouts, [3_600, 43_200], "the newest first");
}
