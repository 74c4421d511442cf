//! Facts about whose playback ids Mux has, and who looks.

use reqwest::Method;
use serde_json::{Value, json};
use time::ext::NumericalDuration;

use crate::support::{CRON, Caller, Fault, TestApp, Wishes, answer::text, viewer::status};

async fn woken() -> TestApp {
    TestApp::with(Wishes {
        variables: vec![CRON],
        ..Wishes::default()
    })
    .await
}

/// What an operator finds who looks now.
async fn look(test: &TestApp) -> Value {
    let dana = test.as_caller(Caller::Person("dana"));
    let path = "/api/debug/verify-mux-playback-ids";
    dana.post(path, json!({})).await.ok()
}

/// A day later, what the comparison found.
async fn next_day(test: &TestApp) -> Value {
    test.clock.advance(24.hours());
    test.woken("reconcile").await.ok()["pass"]["compared"].clone()
}

#[tokio::test]
async fn where_all_is_well_nothing_is_found() {
    let test = woken().await;
    let id = test.film("Well").await;
    let share = test.ada().share(&id, "for Sam").await;
    test.open(&share, None).await.ok();
    let expected = json!({"checked": 1, "public": 0, "uncut": 0, "stray": 0, "examples": []});
    assert_eq!(look(&test).await, expected);
}

#[tokio::test]
async fn a_link_that_is_over_and_still_plays_is_found_after_a_quarter_of_an_hour() {
    let test = woken().await;
    let id = test.film("Stubborn").await;
    let share = test.ada().share(&id, "for Sam").await;
    test.open(&share, None).await.ok();
    test.woken("reconcile").await.ok();
    test.faults.next(Fault::Limited);
    test.revoke(&share).await;
    assert_eq!(look(&test).await["uncut"], 0, "there is time");
    test.clock.advance(15.minutes());
    assert_eq!(look(&test).await["uncut"], 1);
    // Nothing wakes the job that would cut it: the daily comparison says so, too.
    let found = next_day(&test).await;
    assert_eq!(found["linksUncut"], 1, "{found}");
    test.woken("retire").await.ok();
    assert_eq!(look(&test).await["uncut"], 0);
}

#[tokio::test]
async fn a_playback_id_that_belongs_to_nobody_is_deleted_when_it_is_there_twice() {
    let test = woken().await;
    let id = test.film("With a stray").await;
    let path = format!("assets/{}/playback-ids", test.mux_asset(&id).await);
    test.woken("reconcile").await.ok();
    let signed = json!({"policy": "signed"});
    test.at_mux(Method::POST, &path, signed).await;
    let before = test.playback_ids().await.len();
    assert_eq!(look(&test).await["stray"], 1);
    assert_eq!(next_day(&test).await["stray"], 1);
    assert_eq!(test.playback_ids().await.len(), before);
    assert_eq!(next_day(&test).await["stray"], 1);
    assert_eq!(test.playback_ids().await.len(), before - 1);
    assert_eq!(next_day(&test).await["stray"], 0);
    let share = test.ada().share(&id, "for Sam").await;
    let opened = test.open(&share, None).await.ok();
    assert_eq!(status(text(&opened, "playbackUrl")).await, 200);
}

#[tokio::test]
async fn a_playback_id_that_anybody_can_play_is_found() {
    let test = woken().await;
    let id = test.film("Public by mistake").await;
    let path = format!("assets/{}/playback-ids", test.mux_asset(&id).await);
    let public = json!({"policy": "public"});
    test.at_mux(Method::POST, &path, public).await;
    let found = look(&test).await;
    assert_eq!(found["public"], 1);
    assert_eq!(found["examples"], json!([test.mux_asset(&id).await]));
}
