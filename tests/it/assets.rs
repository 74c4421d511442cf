//! Facts about videos.

use serde_json::json;
use time::ext::NumericalDuration;

use crate::support::{TestApp, answer::text};

#[tokio::test]
async fn a_ready_video_shows_what_mux_told_of_it() {
    let test = TestApp::new().await;
    let id = test.ada().video("Sprint starts").await;
    let body = test.ben().get(&format!("/api/assets/{id}")).await.ok();
    insta::assert_json_snapshot!(body, @r#"
    {
      "aspectRatio": "16:9",
      "closedBy": "webhook",
      "createdAt": "2026-01-05T09:00:00Z",
      "durationSeconds": 12.5,
      "id": "ast_01KE6P4YM00000000000000002",
      "status": "READY",
      "title": "Sprint starts",
      "updatedAt": "2026-01-05T09:00:05Z"
    }
    "#);
    assert_eq!(
        test.ada()
            .get(&format!("/api/creative-assets/{id}"))
            .await
            .ok(),
        body
    );
}

#[tokio::test]
async fn the_list_is_newest_first_and_goes_on_where_it_stopped() {
    let test = TestApp::new().await;
    for n in 1..=5 {
        test.ada().upload(&format!("Video {n}")).await;
        test.clock.advance(1.seconds());
    }
    test.cora().upload("Somebody else's").await;
    let mut titles = Vec::new();
    let mut path = "/api/assets?limit=2".to_owned();
    loop {
        let page = test.ada().get(&path).await.ok();
        let assets = page["assets"].as_array().unwrap();
        assert!(assets.len() <= 2);
        titles.extend(assets.iter().map(|it| text(it, "title").to_owned()));
        let Some(cursor) = page["nextCursor"].as_str() else {
            break;
        };
        path = format!("/api/assets?limit=2&cursor={cursor}");
    }
    assert_eq!(
        titles,
        ["Video 5", "Video 4", "Video 3", "Video 2", "Video 1"]
    );
    for query in ["limit=0", "limit=101", "limit=x", "cursor=ast_1", "page=2"] {
        let answer = test.ada().get(&format!("/api/assets?{query}")).await;
        assert!(answer.status.is_client_error(), "{query}: {}", answer.body);
    }
}

#[tokio::test]
async fn a_cursor_of_another_tenant_leads_nowhere() {
    let test = TestApp::new().await;
    let foreign = test.cora().upload("Hers").await;
    test.clock.advance(1.seconds());
    test.ada().upload("Mine").await;
    let path = format!("/api/assets?cursor={}", text(&foreign, "id"));
    let page = test.ada().get(&path).await.ok();
    assert_eq!(page["assets"], json!([]));
}

#[tokio::test]
async fn a_video_is_renamed_by_who_may_edit() {
    let test = TestApp::new().await;
    let id = test.ada().video("Old").await;
    let path = format!("/api/assets/{id}");
    let renamed = test
        .ada()
        .patch(&path, json!({"title": " New "}))
        .await
        .ok();
    assert_eq!(renamed["title"], "New");
    assert_eq!(
        test.ada().patch(&path, json!({"title": "New"})).await.ok(),
        renamed
    );
    test.ben()
        .patch(&path, json!({"title": "His"}))
        .await
        .problem(403, "forbidden");
    test.ada()
        .patch(&path, json!({"title": ""}))
        .await
        .problem(422, "invalid-field");
    test.ada()
        .patch(&path, json!({"status": "READY"}))
        .await
        .problem(400, "invalid-request");
    let events = test.events_of(&id).await;
    assert_eq!(events.iter().filter(|it| *it == "asset.renamed").count(), 1);
}

#[tokio::test]
async fn a_deleted_video_leaves_the_list_stays_provable_and_no_news_bring_it_back() {
    let test = TestApp::new().await;
    let id = test.ada().upload("Gone").await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = format!("/api/assets/{id}");
    assert_eq!(test.ada().delete(&path).await.ok()["status"], "DELETED");
    assert_eq!(test.ada().delete(&path).await.ok()["status"], "DELETED");
    test.story(&id).tell_all().await;
    assert_eq!(test.ada().get(&path).await.ok()["status"], "DELETED");
    assert_eq!(
        test.ada().get("/api/assets").await.ok()["assets"],
        json!([])
    );
    test.ada()
        .patch(&path, json!({"title": "Back"}))
        .await
        .problem(410, "asset-deleted");
    assert_eq!(
        test.events_of(&id).await,
        ["upload.requested", "asset.deleted"]
    );
}
