//! The main job, with Mux's stand-in doing its part: real bytes, real webhooks, real tokens.

use std::{fs, path::Path};

use reqwest::{Client, StatusCode};
use serde_json::Value;
use time::ext::NumericalDuration;

use crate::support::{TestApp, answer::text};

fn clip() -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("infra/dev/clip.mp4")).unwrap()
}

/// Sends a file, lets Mux work and tell, and says what became of it.
async fn send(test: &TestApp, upload: &Value, file: Vec<u8>) -> Value {
    let put = Client::new()
        .put(text(upload, "uploadUrl"))
        .body(file)
        .send();
    assert_eq!(put.await.unwrap().status(), StatusCode::OK);
    test.mux.process().await.unwrap();
    test.mux.deliver().await.unwrap();
    assert_eq!(test.mux.pending().unwrap(), 0, "every webhook was taken");
    let path = format!("/api/uploads/{}", text(upload, "id"));
    test.ada().get(&path).await.ok()
}

/// The addresses in a playlist.
async fn addresses(url: &str) -> Vec<String> {
    let playlist = Client::new().get(url).send().await.unwrap();
    assert_eq!(playlist.status(), StatusCode::OK);
    let playlist = playlist.text().await.unwrap();
    playlist
        .lines()
        .filter(|line| line.starts_with("http"))
        .map(str::to_owned)
        .collect()
}

async fn status(url: &str) -> StatusCode {
    Client::new().get(url).send().await.unwrap().status()
}

#[tokio::test]
async fn a_video_is_uploaded_watched_and_taken_back() {
    let test = TestApp::new().await;
    let upload = test.ada().upload("Sprint starts").await;
    let id = text(&upload, "id");
    assert_eq!(send(&test, &upload, clip()).await["status"], "READY");
    let asset = test.ada().get(&format!("/api/assets/{id}")).await.ok();
    assert_eq!(asset["durationSeconds"], 12.0);
    assert_eq!(asset["aspectRatio"], "16:9");

    let share = test.ada().share(id, "for Sam").await;
    let open = format!("/api/share/{}", text(&share, "token"));
    let opened = test.anonymous().get(&open).await.ok();
    let playlist = text(&opened, "playbackUrl");
    let renditions = addresses(playlist).await;
    let segments = addresses(&renditions[0]).await;
    assert!(segments.len() >= 3);
    for segment in &segments {
        let segment = Client::new().get(segment).send().await.unwrap();
        assert_eq!(segment.status(), StatusCode::OK);
        let bytes = segment.bytes().await.unwrap();
        assert_eq!(&bytes[4..8], b"moof");
    }

    // A token is good for a quarter of an hour; what it opened, for as long as Mux signed it.
    test.clock.advance(15.minutes());
    assert_eq!(status(playlist).await, StatusCode::FORBIDDEN);
    assert_eq!(status(&renditions[0]).await, StatusCode::OK);
    assert_eq!(
        status(playlist.split('?').next().unwrap()).await,
        StatusCode::FORBIDDEN
    );

    test.ada()
        .delete(&format!("/api/shares/{}", text(&share, "id")))
        .await
        .ok();
    test.anonymous()
        .get(&open)
        .await
        .problem(403, "share-revoked");
    let events = test.events_of(id).await;
    let expected = [
        "upload.requested",
        "upload.received",
        "asset.ready",
        "share.created",
        "share.opened",
        "share.revoked",
    ];
    assert_eq!(events, expected);
}

#[tokio::test]
async fn a_file_that_is_no_video_ends_in_an_error_that_says_so() {
    let test = TestApp::new().await;
    let upload = test.ada().upload("Notes").await;
    let status = send(&test, &upload, b"dear diary".to_vec()).await;
    assert_eq!(status["status"], "ERROR");
    assert_eq!(status["error"]["type"], "invalid_input");
    assert!(status["poll"].is_null());
}
