//! The main job, with Mux's stand-in doing its part: real bytes, real webhooks, real tokens.

use reqwest::{Client, StatusCode};
use time::ext::NumericalDuration;

use crate::support::{
    TestApp,
    answer::text,
    viewer::{addresses, clip, status},
};

#[tokio::test]
async fn a_video_is_uploaded_watched_and_taken_back() {
    let test = TestApp::new().await;
    let upload = test.ada().upload("Sprint starts").await;
    let id = text(&upload, "id");
    assert_eq!(test.send_file(&upload, clip()).await["status"], "READY");
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
    assert_eq!(status(playlist).await, 403);
    assert_eq!(status(&renditions[0]).await, 200);
    assert_eq!(status(playlist.split('?').next().unwrap()).await, 403);

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
    let status = test.send_file(&upload, b"dear diary".to_vec()).await;
    assert_eq!(status["status"], "ERROR");
    assert_eq!(status["error"]["type"], "invalid_input");
    assert!(status["poll"].is_null());
}
