//! Facts about following a status: when to ask again, and what is not sent twice.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use shared::clock::Clock;
use time::ext::NumericalDuration;

use crate::support::{Answer, Story, TestApp, actors::order, answer::text};

/// The version that an answer names.
#[track_caller]
fn version(answer: &Answer) -> String {
    answer.headers["etag"].to_str().unwrap().to_owned()
}

/// What Ada is answered who has this version already.
async fn again(test: &TestApp, path: &str, known: &str) -> Answer {
    test.ada().with("if-none-match", known).get(path).await
}

/// Where one video is followed, by whoever sends it and by whoever looks at the list.
fn places(id: &str) -> [String; 3] {
    [
        format!("/api/uploads/{id}"),
        format!("/api/assets/{id}"),
        "/api/assets?limit=20".to_owned(),
    ]
}

/// What Ada is shown at each of them.
async fn shown(test: &TestApp, id: &str) -> Vec<Answer> {
    let mut shown = Vec::new();
    for path in places(id) {
        shown.push(test.ada().get(&path).await);
    }
    shown
}

#[tokio::test]
async fn what_still_changes_says_when_and_where_to_ask_again_and_what_is_final_does_not() {
    let test = TestApp::new().await;
    let upload = test.ada().upload("Sprint starts").await;
    let id = text(&upload, "id");
    for path in places(id) {
        let body = test.ada().get(&path).await.ok();
        let expected = json!({"afterSeconds": 2, "pace": "healthy", "url": path});
        assert_eq!(body["poll"], expected, "{path}");
    }
    test.story(id).tell_all().await;
    for path in places(id) {
        assert_eq!(test.ada().get(&path).await.ok()["poll"], Value::Null);
    }
}

#[tokio::test]
async fn a_page_of_the_list_is_followed_while_anything_on_it_changes() {
    let test = TestApp::new().await;
    let older = test.ada().video("Older").await;
    test.clock.advance(1.seconds());
    let newer = test.ada().upload("Newer").await;
    let first = test.ada().get("/api/assets?limit=1").await.ok();
    assert_eq!(first["poll"]["url"], "/api/assets?limit=1");
    let cursor = text(&first, "nextCursor");
    assert_eq!(cursor, text(&newer, "id"));
    let path = format!("/api/assets?limit=1&cursor={cursor}");
    let second = test.ada().get(&path).await.ok();
    assert_eq!(
        (&second["assets"][0]["id"], &second["poll"]),
        (&json!(older), &Value::Null)
    );
}

#[tokio::test]
async fn what_the_caller_has_already_is_not_sent_again() {
    let test = TestApp::new().await;
    let upload = test.ada().upload("Sprint starts").await;
    for path in places(text(&upload, "id")) {
        let version = version(&test.ada().get(&path).await);
        for known in [
            version.clone(),
            format!("W/{version}"),
            format!("\"another\", {version}"),
            "*".to_owned(),
        ] {
            let answer = again(&test, &path, &known).await;
            assert_eq!(answer.status, StatusCode::NOT_MODIFIED, "{path} {known}");
            assert_eq!(answer.headers["etag"], *version);
            assert!(answer.bytes.is_empty());
        }
        let unquoted = version.trim_matches('"');
        for unknown in ["\"another\"", "", unquoted] {
            let answer = again(&test, &path, unknown).await;
            assert_eq!(answer.status, StatusCode::OK, "{path} {unknown}");
        }
    }
}

#[tokio::test]
async fn the_version_changes_with_what_is_shown_and_only_then() {
    let test = TestApp::new().await;
    let upload = test.ada().upload("Sprint starts").await;
    let id = text(&upload, "id");
    let story = Story::new(id, test.clock.now());
    let mut changes = [0; 3];
    for event in story.happy() {
        let before = shown(&test, id).await;
        // The same news again, and time that passes, change nothing.
        for _ in 0..2 {
            test.webhook(&event).await.ok();
            test.clock.advance(1.seconds());
        }
        let after = shown(&test, id).await;
        for ((count, before), after) in changes.iter_mut().zip(before).zip(after) {
            let same = before.body == after.body;
            assert_eq!(same, version(&before) == version(&after), "{}", after.body);
            *count += u8::from(!same);
        }
    }
    // Whoever sends the file is shown its address and the status; a video, also when it last changed.
    assert_eq!(changes, [3, 5, 5]);
    let followed = format!("/api/assets/{id}");
    let before = version(&test.ada().get(&followed).await);
    let renamed = json!({"title": "Starts"});
    test.ada().patch(&followed, renamed).await.ok();
    assert_eq!(
        again(&test, &followed, &before).await.ok()["title"],
        "Starts"
    );
}

#[tokio::test]
async fn an_upload_that_expires_has_another_version_although_nothing_was_written() {
    let test = TestApp::new().await;
    let upload = test.ada().upload("Forgotten").await;
    let id = text(&upload, "id");
    let known: Vec<String> = shown(&test, id).await.iter().map(version).collect();
    test.clock.advance(12.hours() + 4.minutes());
    for (path, known) in places(id).iter().zip(&known) {
        let answer = again(&test, path, known).await;
        assert_eq!(answer.status, StatusCode::NOT_MODIFIED, "{path}");
    }
    test.clock.advance(1.minutes());
    for (path, known) in places(id).iter().zip(&known) {
        let body = again(&test, path, known).await.ok();
        assert!(body.to_string().contains("EXPIRED"), "{path}: {body}");
        assert_eq!(body["poll"], Value::Null);
    }
}

#[tokio::test]
async fn a_version_opens_nothing_to_whom_the_video_is_not() {
    let test = TestApp::new().await;
    let upload = test.ada().upload("Hers").await;
    let [status, asset, list] = places(text(&upload, "id"));
    for path in [status, asset] {
        let known = version(&test.ada().get(&path).await);
        let cora = test.cora().with("if-none-match", &known);
        cora.get(&path).await.problem(404, "not-found");
        let nobody = test.anonymous().with("if-none-match", "*");
        nobody.get(&path).await.problem(401, "unauthenticated");
    }
    let known = version(&test.ada().get(&list).await);
    let cora = test.cora().with("if-none-match", &known);
    assert_eq!(cora.get(&list).await.ok()["assets"], json!([]));
}

#[tokio::test]
async fn a_page_of_another_origin_may_name_a_version_and_read_it() {
    let test = TestApp::new().await;
    let answer = test
        .anonymous()
        .with("access-control-request-method", "GET")
        .with("access-control-request-headers", "if-none-match")
        .send(Method::OPTIONS, "/api/assets", None)
        .await;
    let allowed = answer.headers["access-control-allow-headers"].to_str();
    assert!(allowed.unwrap().contains("if-none-match"));
    let answer = test.ada().get("/api/assets").await;
    let exposed = answer.headers["access-control-expose-headers"].to_str();
    assert!(exposed.unwrap().contains("etag"));
}

#[tokio::test]
async fn while_mux_is_not_asked_pages_are_told_to_pause_and_go_on_by_themselves() {
    let test = TestApp::new().await;
    let upload = test.ada().upload("Waits").await;
    let path = format!("/api/uploads/{}", text(&upload, "id"));
    let pace = async || test.ada().get(&path).await.ok()["poll"]["pace"].clone();
    assert_eq!(pace().await, "healthy");
    test.faults.out(true);
    for _ in 0..5 {
        let busy = test.ada().post("/api/uploads", order("In vain")).await;
        busy.problem(503, "video-service-busy");
    }
    assert_eq!(pace().await, "paused");
    test.faults.out(false);
    test.clock.advance(30.seconds());
    test.ada().upload("Tried").await;
    assert_eq!(pace().await, "degraded");
    test.ada().upload("Tried again").await;
    test.ada().upload("And again").await;
    assert_eq!(pace().await, "healthy");
}
