//! Facts about webhooks.

use std::collections::BTreeMap;

use dev::{aws::TABLE, settings::MUX_WEBHOOK_SECRET};
use serde_json::{Value, json};
use shared::{clock::Clock, mux::MuxEventId, store::keys};

use crate::support::{Story, TestApp, Wishes, answer::text, events::sign};

#[tokio::test]
async fn only_the_holder_of_the_secret_is_heard_and_only_about_now() {
    let test = TestApp::new().await;
    let body =
        r#"{"type":"video.asset.ready","id":"e","created_at":"2026-01-05T09:00:00Z","data":{}}"#;
    let now = test.clock.now().unix_timestamp();
    let good = sign(MUX_WEBHOOK_SECRET, now, body);
    for (case, signature) in [
        ("wrong secret", Some(sign("guess", now, body))),
        ("of another body", Some(sign(MUX_WEBHOOK_SECRET, now, "{}"))),
        ("too old", Some(sign(MUX_WEBHOOK_SECRET, now - 301, body))),
        (
            "of the future",
            Some(sign(MUX_WEBHOOK_SECRET, now + 301, body)),
        ),
        ("no signature", None),
        ("empty", Some(String::new())),
        ("no time", Some(good.split_once(',').unwrap().1.to_owned())),
    ] {
        let answer = test.post_webhook(signature.as_deref(), body).await;
        let answer = answer.problem(401, "invalid-signature");
        // Which check failed is nobody's business.
        assert_eq!(
            answer.body["detail"], "sign the raw body with the endpoint's secret",
            "{case}"
        );
    }
    for t in [now - 300, now + 300] {
        let signature = sign(MUX_WEBHOOK_SECRET, t, body);
        test.post_webhook(Some(&signature), body).await.ok();
    }
}

#[tokio::test]
async fn an_unsigned_test_is_refused_cleanly() {
    let test = TestApp::new().await;
    let answer = test.post_webhook(None, r#"{"test":true}"#).await;
    answer.problem(401, "invalid-signature");
}

#[tokio::test]
async fn any_of_several_secrets_is_good_while_one_replaces_the_other() {
    let test = TestApp::with(Wishes {
        variables: vec![("MUX_WEBHOOK_SIGNING_SECRET", "old,new")],
        ..Wishes::default()
    })
    .await;
    for secret in ["old", "new"] {
        let body =
            json!({"type": "x", "id": secret, "created_at": "2026-01-05T09:00:00Z"}).to_string();
        let signature = sign(secret, test.clock.now().unix_timestamp(), &body);
        test.post_webhook(Some(&signature), body).await.ok();
    }
}

#[tokio::test]
async fn a_type_that_nobody_knows_is_taken_and_kept() {
    let test = TestApp::new().await;
    let event = json!({
        "type": "video.asset.dreamt_of", "id": "event-1", "created_at": "2026-01-05T09:00:00Z",
        "data": {"id": "asset-of-somebody", "new_field": {"deep": [1, 2]}}, "attempts": [],
    });
    assert_eq!(test.webhook(&event).await.ok()["outcome"], "unmatched");
    assert_eq!(test.webhook(&event).await.ok()["outcome"], "duplicate");
    assert!(test.dump().await.contains("dreamt_of"));
}

#[tokio::test]
async fn a_part_of_a_video_is_found_by_the_videos_id_at_mux_and_kept() {
    let test = TestApp::new().await;
    let id = test.ada().video("With subtitles").await;
    let story = Story::new(&id, test.clock.now());
    let event = json!({
        "type": "video.asset.track.ready", "id": "event-track", "created_at": "2026-01-05T09:00:00Z",
        "data": {"id": "track-1", "asset_id": story.asset, "passthrough": "the track's own"},
    });
    assert_eq!(test.webhook(&event).await.ok()["outcome"], "ignored");
    let without_data = json!({
        "type": "video.asset.track.ready", "id": "event-bare", "created_at": "2026-01-05T09:00:00Z",
    });
    assert_eq!(
        test.webhook(&without_data).await.ok()["outcome"],
        "unmatched"
    );
}

#[tokio::test]
async fn an_event_without_our_id_is_found_by_muxs() {
    let test = TestApp::new().await;
    let id = test.ada().video("Known").await;
    let story = Story::new(&id, test.clock.now());
    let mut gone = story.asset_event(9, "video.asset.deleted", "ready");
    for name in ["passthrough", "meta"] {
        gone["data"].as_object_mut().unwrap().remove(name);
    }
    assert_eq!(test.webhook(&gone).await.ok()["outcome"], "applied");
    let asset = test.ada().get(&format!("/api/assets/{id}")).await.ok();
    assert_eq!(asset["status"], "DELETED");
}

#[tokio::test]
async fn a_file_that_is_no_video_fails_whichever_event_says_so() {
    let test = TestApp::new().await;
    for kind in ["video.asset.errored", "video.upload.errored"] {
        let upload = test.ada().upload("Notes").await;
        let id = text(&upload, "id");
        let story = Story::new(id, test.clock.now());
        let event = match kind {
            "video.asset.errored" => story.asset_event(3, kind, "errored"),
            _ => story.upload_event(3, kind, "errored"),
        };
        test.webhook(&event).await.ok();
        test.webhook(&story.happy()[1]).await.ok();
        let status = test.ada().get(&format!("/api/uploads/{id}")).await.ok();
        assert_eq!(status["status"], "ERROR", "{kind}");
        assert_eq!(
            status["error"],
            json!({"type": "invalid_input", "message": "not a video"})
        );
        let events = test.events_of(id).await;
        assert_eq!(events, ["upload.requested", "asset.failed"]);
    }
}

#[tokio::test]
async fn what_is_signed_and_no_event_is_refused_and_kept_as_a_dead_letter() {
    let test = TestApp::new().await;
    let bodies: [&[u8]; 6] = [
        b"",
        b"not json",
        b"[]",
        br#"{"type":"x","id":"","created_at":"2026-01-05T09:00:00Z"}"#,
        br#"{"type":"x","id":"1","created_at":"yesterday"}"#,
        b"\xff\xfe",
    ];
    for body in bodies {
        let now = test.clock.now().unix_timestamp();
        let signature = sign_bytes(now, body);
        test.post_webhook(Some(&signature), body.to_vec())
            .await
            .problem(400, "not-an-event");
    }
    let letters = test.dead_letters().await;
    assert_eq!(letters.len(), bodies.len());
    assert!(letters.iter().all(|it| it["reason"] == "not-an-event"));
    assert!(
        letters
            .iter()
            .any(|it| it["body"] == json!({"text": "not json"}))
    );
    assert!(
        letters
            .iter()
            .any(|it| it["body"] == json!({"base64": "//4="}))
    );
}

fn sign_bytes(t: i64, body: &[u8]) -> String {
    use hmac::{KeyInit, Mac};
    let mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(MUX_WEBHOOK_SECRET.as_bytes()).unwrap();
    let mac = mac.chain_update(format!("{t}.")).chain_update(body);
    format!("t={t},v1={}", hex::encode(mac.finalize().into_bytes()))
}

#[tokio::test]
async fn a_body_over_a_mebibyte_is_not_read() {
    let test = TestApp::new().await;
    let body = vec![b' '; 1024 * 1024 + 1];
    test.post_webhook(Some("t=1,v1=0"), body)
        .await
        .problem(413, "too-large");
}

#[tokio::test]
async fn what_is_too_large_to_keep_in_an_item_is_kept_in_parts_beside_it() {
    let test = TestApp::new().await;
    let mut event = some_event();
    event["data"]["meta"] = json!({"title": "x".repeat(900 * 1024)});
    assert_eq!(test.webhook(&event).await.ok()["outcome"], "unmatched");
    let receipt = keys::receipt(&MuxEventId::new(text(&event, "id")));
    let stored: Option<Value> = test.app.store.get(&receipt).await.unwrap();
    let parts = &stored.unwrap()["body"]["parts"];
    assert_eq!(parts["count"], 4);
    let kept = test.app.store.get_parts(&receipt, 4, text(parts, "digest"));
    let kept = kept.await.unwrap();
    assert!(kept == Some(event.to_string().into_bytes()));
}

#[tokio::test]
async fn one_odd_field_does_not_cost_the_others() {
    let test = TestApp::new().await;
    for (field, odd) in [
        ("duration", json!("twelve")),
        ("aspect_ratio", json!(1.78)),
        ("errors", json!([1])),
        ("errors", json!({"type": null, "messages": null})),
        ("meta", json!("none")),
        ("playback_ids", json!(null)),
        ("tracks", json!({"not": "a list"})),
        ("url", json!({"not": "a text"})),
        ("upload_id", json!(7)),
    ] {
        let upload = test.ada().upload("Odd").await;
        let id = text(&upload, "id");
        let mut ready = Story::new(id, test.clock.now()).happy()[3].clone();
        ready["data"][field] = odd;
        assert_eq!(
            test.webhook(&ready).await.ok()["outcome"],
            "applied",
            "{field}"
        );
        let status = test.ada().get(&format!("/api/uploads/{id}")).await.ok();
        assert_eq!(status["status"], "READY", "{field}");
    }
}

fn some_event() -> Value {
    json!({"type": "video.asset.ready", "id": "event-1", "created_at": "2026-01-05T09:00:00Z", "data": {"id": "a"}})
}

#[tokio::test]
async fn without_a_table_the_event_waits_in_the_queue_and_mux_is_told_that_it_is_safe() {
    let test = TestApp::with(Wishes {
        no_table: true,
        ..Wishes::default()
    })
    .await;
    let event = some_event();
    assert_eq!(test.webhook(&event).await.ok()["outcome"], "queued");
    let letters = test.dead_letters().await;
    assert_eq!(letters[0]["reason"], "store-unavailable");
    assert_eq!(letters[0]["body"]["text"], event.to_string());
}

#[tokio::test]
async fn with_the_queue_switched_off_mux_is_told_to_send_it_again() {
    let test = TestApp::with(Wishes {
        no_table: true,
        variables: vec![("MUX_WEBHOOK_DLQ_ENABLED", "false")],
        ..Wishes::default()
    })
    .await;
    test.webhook(&some_event()).await.problem(500, "internal");
    assert!(test.dead_letters().await.is_empty());
}

#[tokio::test]
async fn without_table_and_queue_mux_is_told_to_send_it_again() {
    let test = TestApp::with(Wishes {
        no_table: true,
        no_queue: true,
        ..Wishes::default()
    })
    .await;
    test.webhook(&some_event()).await.problem(500, "internal");
}

#[tokio::test]
async fn an_event_writes_at_most_four_items() {
    let test = TestApp::new().await;
    let upload = test.ada().upload("Counted").await;
    let story = Story::new(text(&upload, "id"), test.clock.now());
    for event in story.happy() {
        let before = versions(&test).await;
        test.webhook(&event).await.ok();
        let after = versions(&test).await;
        let written = after
            .iter()
            .filter(|(key, item)| before.get(*key) != Some(item))
            .count();
        assert!(written <= 4, "{written} items in one transaction");
    }
}

/// Every item by its key, to count what changed.
async fn versions(test: &TestApp) -> BTreeMap<String, Value> {
    let client = test.clients().dynamodb;
    let items = client.scan().table_name(TABLE).send().await.unwrap();
    let items = items.items().iter();
    items
        .map(|item| {
            let key = format!("{:?}{:?}", item["pk"], item["sk"]);
            (key, serde_dynamo::from_item(item.clone()).unwrap())
        })
        .collect()
}
