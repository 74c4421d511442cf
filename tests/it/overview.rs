//! Facts about what operators see of all videos.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use shared::clock::Clock;
use time::ext::NumericalDuration;

use crate::support::{Caller, PLENTY, Story, TestApp, answer::text};

const PATH: &str = "/api/debug/mux-assets";

/// A page of what Dana sees, who operates the portal.
async fn page(test: &TestApp, query: &str) -> Value {
    let dana = test.as_caller(Caller::Person("dana"));
    dana.get(&format!("{PATH}?{query}")).await.ok()
}

fn ids(page: &Value) -> Vec<String> {
    let assets = page["assets"].as_array().unwrap().iter();
    assets.map(|it| text(it, "id").to_owned()).collect()
}

/// The videos of all pages, in their order.
async fn all(test: &TestApp, query: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut query = query.to_owned();
    loop {
        let page = page(test, &query).await;
        found.extend(ids(&page));
        let Some(cursor) = page["nextCursor"].as_str() else {
            return found;
        };
        let (filter, _) = query.split_once("&cursor=").unwrap_or((&query, ""));
        query = format!("{filter}&cursor={cursor}");
    }
}

/// An upload of Ada's that no file has come for.
async fn waiting(test: &TestApp, title: &str) -> String {
    text(&test.ada().upload(title).await, "id").to_owned()
}

#[tokio::test]
async fn a_video_is_seen_with_its_tenant_and_what_mux_has_of_it_and_nothing_private() {
    let test = TestApp::new().await;
    let hers = test.cora().video("Harbour at dawn").await;
    let upload = test.ada().upload("Sprint starts").await;
    let mut seen = page(&test, "").await;
    assert_eq!(ids(&seen), [text(&upload, "id"), &hers]);
    // The one that Mux gave, by an id that it chose, and the one that the webhooks spoke of.
    let uploads = seen["assets"][1]["muxUploads"].take();
    assert_eq!(uploads.as_array().unwrap().len(), 2, "{uploads}");
    let tenant = seen["assets"][1]["tenant"].take();
    assert!(tenant.as_str().unwrap().starts_with("ten_"));
    assert_ne!(tenant, seen["assets"][0]["tenant"]);
    insta::assert_json_snapshot!(seen["assets"][1], @r#"
    {
      "closedBy": "webhook",
      "createdAt": "2026-01-05T09:00:00Z",
      "id": "ast_01KE6P4YM00000000000000002",
      "muxAssets": [
        "asset01KE6P4YM00000000000000002"
      ],
      "muxUploads": null,
      "status": "READY",
      "tenant": null,
      "unmatched": false,
      "updatedAt": "2026-01-05T09:00:05Z"
    }
    "#);
    let of_ada = &seen["assets"][0];
    assert_eq!(
        (&of_ada["unmatched"], &of_ada["muxAssets"]),
        (&json!(true), &json!([]))
    );
    let story = Story::new(&hers, time::OffsetDateTime::UNIX_EPOCH);
    for private in [
        "Harbour",
        "Sprint",
        text(&upload, "uploadUrl"),
        &story.playback,
    ] {
        assert!(!seen.to_string().contains(private), "{private}: {seen}");
    }
}

#[tokio::test]
async fn videos_are_found_by_where_they_stand() {
    let test = TestApp::new().await;
    let ready = test.ada().video("Ready").await;
    let processing = waiting(&test, "Being prepared").await;
    for event in &Story::new(&processing, test.clock.now()).happy()[..3] {
        test.webhook(event).await.ok();
    }
    let failed = waiting(&test, "No video").await;
    let story = Story::new(&failed, test.clock.now());
    let event = story.asset_event(4, "video.asset.errored", "errored");
    test.webhook(&event).await.ok();
    let cancelled = waiting(&test, "Never mind").await;
    let path = format!("/api/uploads/{cancelled}");
    test.ada().delete(&path).await.ok();
    let deleted = test.ada().video("Gone").await;
    test.ada()
        .delete(&format!("/api/assets/{deleted}"))
        .await
        .ok();
    let old = waiting(&test, "Forgotten").await;
    test.clock.advance(12.hours() + 5.minutes());
    let new = waiting(&test, "Just begun").await;
    for (status, expected) in [
        ("READY", ready),
        ("MUX_PROCESSING", processing),
        ("ERROR", failed),
        ("CANCELLED", cancelled),
        ("DELETED", deleted),
        ("EXPIRED", old),
        ("AWAITING_UPLOAD", new),
    ] {
        let found = page(&test, &format!("status={status}")).await;
        assert_eq!(ids(&found), [expected], "{status}");
        assert_eq!(found["assets"][0]["status"], status);
    }
}

#[tokio::test]
async fn videos_are_found_by_their_age_and_no_other_one_is_read_for_that() {
    let test = TestApp::new().await;
    let mut made = Vec::new();
    for n in 0..4 {
        made.push(waiting(&test, &format!("Video {n}")).await);
        test.clock.advance(30.minutes());
    }
    // Two hours, ninety, sixty and thirty minutes old.
    for (query, expected) in [
        ("olderThanMinutes=60", &[2, 1, 0][..]),
        ("olderThanMinutes=61", &[1, 0]),
        ("newerThanMinutes=60", &[3, 2]),
        ("newerThanMinutes=100&olderThanMinutes=50", &[2, 1]),
        ("newerThanMinutes=50&olderThanMinutes=100", &[]),
        ("olderThanMinutes=4294967295", &[]),
        ("newerThanMinutes=4294967295", &[3, 2, 1, 0]),
    ] {
        let expected: Vec<String> = expected.iter().map(|n: &usize| made[*n].clone()).collect();
        let found = page(&test, query).await;
        assert_eq!(ids(&found), expected, "{query}");
        assert_eq!(found["read"], expected.len(), "{query}");
    }
}

#[tokio::test]
async fn an_upload_that_nothing_came_of_for_an_hour_is_found() {
    let test = TestApp::new().await;
    let orphan = waiting(&test, "Orphan").await;
    let matched = waiting(&test, "Arrived").await;
    let story = Story::new(&matched, test.clock.now());
    test.webhook(&story.happy()[1]).await.ok();
    let query = "unmatched=true&olderThanMinutes=60";
    assert_eq!(ids(&page(&test, query).await), Vec::<String>::new());
    test.clock.advance(1.hours());
    assert_eq!(ids(&page(&test, query).await), [orphan]);
    assert_eq!(ids(&page(&test, "unmatched=false").await), [matched]);
}

#[tokio::test]
async fn every_video_of_every_tenant_is_on_exactly_one_page() {
    let test = TestApp::given(vec![PLENTY]).await;
    let mut made = BTreeSet::new();
    for n in 0..12 {
        let actor = if n % 3 == 0 { test.cora() } else { test.ada() };
        let title = format!("Video {n}");
        made.insert(if n % 2 == 0 {
            actor.video(&title).await
        } else {
            text(&actor.upload(&title).await, "id").to_owned()
        });
        test.clock.advance(1.seconds());
    }
    for limit in [1, 5, 100] {
        for (filter, expected) in [
            ("", 12),
            ("&newerThanMinutes=60", 12),
            ("&unmatched=true", 6),
            ("&status=READY", 6),
        ] {
            let found = all(&test, &format!("limit={limit}{filter}")).await;
            assert_eq!(found.len(), expected, "{limit}{filter}");
            let once: BTreeSet<String> = found.into_iter().collect();
            assert_eq!(once.len(), expected, "{limit}{filter}");
            assert!(once.is_subset(&made));
        }
    }
}

#[tokio::test]
async fn what_is_rare_is_looked_for_in_bounded_steps() {
    let test = TestApp::given(vec![PLENTY]).await;
    let rare = waiting(&test, "Rare").await;
    let event = &Story::new(&rare, test.clock.now()).happy()[1];
    test.webhook(event).await.ok();
    for n in 0..205 {
        test.clock.advance(1.seconds());
        waiting(&test, &format!("Video {n}")).await;
    }
    let query = "status=MUX_PROCESSING";
    let first = page(&test, query).await;
    assert_eq!(
        (&first["assets"], &first["read"]),
        (&json!([]), &json!(200))
    );
    let cursor = text(&first, "nextCursor");
    let second = page(&test, &format!("{query}&cursor={cursor}")).await;
    assert_eq!((ids(&second), &second["read"]), (vec![rare], &json!(6)));
    assert_eq!(second["nextCursor"], Value::Null);
}

#[tokio::test]
async fn what_cannot_be_asked_is_refused_by_name() {
    let test = TestApp::new().await;
    let dana = test.as_caller(Caller::Person("dana"));
    for (query, status, slug) in [
        ("status=LOST", 400, "invalid-request"),
        ("olderThanMinutes=-1", 400, "invalid-request"),
        ("unmatched=perhaps", 400, "invalid-request"),
        ("tenant=ten_1", 400, "invalid-request"),
        ("limit=0", 422, "invalid-field"),
        ("limit=101", 422, "invalid-field"),
        ("cursor=open", 422, "invalid-field"),
        (
            "cursor=shut-ast_01KE6P4YM00000000000000000",
            422,
            "invalid-field",
        ),
        ("cursor=open-ast_1", 422, "invalid-field"),
    ] {
        let path = format!("{PATH}?{query}");
        dana.get(&path).await.problem(status, slug);
    }
}
