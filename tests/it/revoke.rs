//! Facts about taking links back, with a real player: what was handed out plays no more.

use serde_json::{Value, json};
use shared::clock::Clock;
use time::{
    Duration, OffsetDateTime, ext::NumericalDuration, format_description::well_known::Rfc3339,
};

use crate::support::{
    CRON, Fault, TableFault, TestApp, Wishes,
    answer::text,
    viewer::{addresses, status},
};

/// Many viewers of one link at once, and Mux makes nothing: none of them is turned away for it.
#[tokio::test]
async fn many_first_viewers_play_while_mux_is_busy() {
    let test = TestApp::given(vec![("LIMITS", "mux-posts=enforce:1/1")]).await;
    let id = test.film("Popular").await;
    let share = test.ada().share(&id, "for the team").await;
    for _ in 0..2 {
        test.clock.advance(1.seconds());
        test.faults.next(Fault::Limited);
        let all = futures::future::join_all((0..20).map(|_| test.open(&share, None))).await;
        for viewer in all {
            assert_eq!(status(text(&viewer.ok(), "playbackUrl")).await, 200);
        }
        test.clock.advance(2.minutes());
    }
}

async fn woken() -> TestApp {
    TestApp::with(Wishes {
        variables: vec![CRON],
        ..Wishes::default()
    })
    .await
}

fn instant(body: &Value, name: &str) -> OffsetDateTime {
    OffsetDateTime::parse(text(body, name), &Rfc3339).unwrap()
}

#[tokio::test]
async fn after_it_is_taken_back_nothing_of_a_link_plays_and_others_play_on() {
    let test = TestApp::new().await;
    let id = test.film("Taken back").await;
    let (sams, kims) = (
        test.ada().share(&id, "for Sam").await,
        test.ada().share(&id, "for Kim").await,
    );
    let sam = test.open(&sams, None).await.ok();
    test.clock.advance(1.seconds());
    let kim = test.open(&kims, None).await.ok();
    for viewer in [&sam, &kim] {
        assert_eq!(status(text(viewer, "playbackUrl")).await, 200);
    }
    let revoked = test.revoke(&sams).await;
    assert_eq!(revoked["state"], "REVOKED");
    assert!(revoked["cut"].is_object(), "{revoked}");
    test.open(&sams, None).await.problem(403, "share-revoked");
    test.open(&sams, Some(&sam))
        .await
        .problem(403, "share-revoked");
    assert_eq!(
        status(text(&sam, "playbackUrl")).await,
        404,
        "the token of a second ago"
    );
    let renewed = test.open(&kims, Some(&kim)).await.ok();
    for kim in [&kim, &renewed] {
        let renditions = addresses(text(kim, "playbackUrl")).await;
        for segment in addresses(&renditions[0]).await {
            assert_eq!(status(&segment).await, 200);
        }
    }
}

#[tokio::test]
async fn how_long_it_took_until_nobody_could_play_is_written_down() {
    let test = TestApp::new().await;
    let id = test.film("Measured").await;
    let share = test.ada().share(&id, "for Sam").await;
    test.open(&share, None).await.ok();
    test.revoke(&share).await;
    let events = test.events_of(text(&share, "id")).await;
    let expected = [
        "share.created",
        "share.opened",
        "share.revoked",
        "share.cut",
    ];
    assert_eq!(events, expected);
    let cut = test.event_data("share.cut").await;
    for time in ["refusedAfterMs", "goneAfterMs"] {
        assert!(cut[0].get(time).is_some_and(Value::is_number), "{cut:?}");
    }
}

/// A viewer who watches for so long, and asks for the next token when told to. How long they could
/// watch, fetching the playlist once a minute.
async fn watch(
    test: &TestApp,
    share: &Value,
    length: Duration,
    mut each_minute: impl AsyncFnMut(i64),
) -> Duration {
    let begun = test.clock.now();
    let mut token = test.open(share, None).await.ok();
    while test.clock.now() - begun < length {
        if instant(&token, "renewAfter") <= test.clock.now() {
            let renewed = test.open(share, Some(&token)).await;
            if renewed.status == 403 {
                break;
            }
            token = renewed.ok();
        }
        if status(text(&token, "playbackUrl")).await != 200 {
            break;
        }
        each_minute((test.clock.now() - begun).whole_minutes()).await;
        test.clock.advance(1.minutes());
    }
    test.clock.now() - begun
}

#[tokio::test]
async fn a_session_of_three_quarters_of_an_hour_is_never_refused() {
    let test = TestApp::new().await;
    let id = test.film("A long training").await;
    let share = test.ada().share(&id, "for Sam").await;
    let watched = watch(&test, &share, 45.minutes(), async |_| {}).await;
    assert_eq!(watched, 45.minutes());
}

#[tokio::test]
async fn a_session_ends_within_one_renewal_when_its_link_is_taken_back() {
    let test = TestApp::new().await;
    let id = test.film("A long training").await;
    let share = test.ada().share(&id, "for Sam").await;
    let watched = watch(&test, &share, 45.minutes(), async |minute| {
        if minute == 20 {
            test.revoke(&share).await;
        }
    })
    .await;
    assert!(watched <= 31.minutes(), "{watched}");
    assert_eq!(watched, 21.minutes(), "its own playback id is gone at once");
}

#[tokio::test]
async fn when_mux_is_busy_a_link_plays_by_the_videos_id_and_moves_over_later() {
    let test = woken().await;
    let id = test.film("Busy").await;
    let share = test.ada().share(&id, "for Sam").await;
    let before = test.playback_ids().await;
    test.faults.next(Fault::Limited);
    let first = test.open(&share, None).await.ok();
    assert_eq!(status(text(&first, "playbackUrl")).await, 200);
    assert_eq!(test.playback_ids().await, before);
    let soon = test.open(&share, Some(&first)).await.ok();
    assert_eq!(test.playback_ids().await, before, "not asked so soon again");
    assert_eq!(status(text(&soon, "playbackUrl")).await, 200);
    test.clock.advance(2.minutes());
    let second = test.open(&share, Some(&first)).await.ok();
    assert_eq!(test.playback_ids().await.len(), before.len() + 1);
    assert!(
        !before
            .iter()
            .any(|it| text(&second, "playbackUrl").contains(it))
    );
    // What was given out before it moved over ends by itself, and only then the link is cut.
    let revoked = test.revoke(&share).await;
    assert!(revoked["cut"].is_null(), "{revoked}");
    assert_eq!(status(text(&second, "playbackUrl")).await, 404);
    assert_eq!(status(text(&first, "playbackUrl")).await, 200);
    test.clock.advance(5.minutes());
    assert_eq!(status(text(&first, "playbackUrl")).await, 403);
    test.woken("retire").await.ok();
    let cut = test.event_data("share.cut").await;
    let gone = cut[0]["goneAfterMs"].as_u64().unwrap();
    assert!(gone < 15 * 60_000, "{cut:?}");
}

#[tokio::test]
async fn what_mux_does_not_delete_at_once_is_deleted_later() {
    let test = woken().await;
    let id = test.film("Stubborn").await;
    let share = test.ada().share(&id, "for Sam").await;
    let sam = test.open(&share, None).await.ok();
    test.faults.next(Fault::Limited);
    let revoked = test.revoke(&share).await;
    assert!(revoked["cut"].is_null());
    test.open(&share, Some(&sam))
        .await
        .problem(403, "share-revoked");
    test.faults.next(Fault::Refused);
    assert_eq!(test.woken("retire").await.ok()["pass"]["failed"], 1);
    // It is left in peace for a while, then done.
    assert_eq!(test.woken("retire").await.ok()["pass"]["cut"], 0);
    test.clock.advance(2.minutes());
    // Done, and the answer lost: the next try finds nothing there, and the asset is.
    test.faults.times(3, Fault::DoneAndLost);
    assert_eq!(test.woken("retire").await.ok()["pass"]["failed"], 1);
    assert_eq!(status(text(&sam, "playbackUrl")).await, 404);
    test.clock.advance(5.minutes());
    assert_eq!(test.woken("retire").await.ok()["pass"]["cut"], 1);
    assert_eq!(test.count_events("share.cut").await, 1);
    test.clock.advance(5.minutes());
    assert_eq!(test.woken("retire").await.ok()["pass"]["cut"], 0);
}

#[tokio::test]
async fn a_link_that_expires_is_warned_of_a_day_before_and_cut_at_its_end() {
    let test = woken().await;
    let id = test.film("A week").await;
    let share = test.ada().share(&id, "for Sam").await;
    test.open(&share, None).await.ok();
    let playback_ids = test.playback_ids().await.len();
    test.clock.advance(6.days() - 1.minutes());
    assert_eq!(test.woken("retire").await.ok()["pass"]["warned"], 0);
    test.clock.advance(1.minutes());
    assert_eq!(test.woken("retire").await.ok()["pass"]["warned"], 1);
    assert_eq!(test.woken("retire").await.ok()["pass"]["warned"], 0, "once");
    test.clock.advance(1.days());
    assert_eq!(test.woken("retire").await.ok()["pass"]["cut"], 1);
    assert_eq!(test.playback_ids().await.len(), playback_ids - 1);
    let events = test.events_of(text(&share, "id")).await;
    assert_eq!(
        &events[2..],
        ["share.expiring", "share.expired", "share.cut"]
    );
    // Its owner lets it live again: by a new playback id.
    let path = format!("/api/shares/{}", text(&share, "id"));
    test.ada()
        .patch(&path, json!({"expiresInHours": 24}))
        .await
        .ok();
    let again = test.open(&share, None).await.ok();
    assert_eq!(status(text(&again, "playbackUrl")).await, 200);
}

#[tokio::test]
async fn a_video_that_is_deleted_takes_what_was_handed_out_with_it() {
    let test = woken().await;
    let id = test.film("Deleted").await;
    let (own, shared) = (
        test.ada().share(&id, "own").await,
        test.ada().share(&id, "shared").await,
    );
    let one = test.open(&own, None).await.ok();
    // So soon after the other one, Mux is not even asked.
    let other = test.open(&shared, None).await.ok();
    test.ada().delete(&format!("/api/assets/{id}")).await.ok();
    test.open(&own, Some(&one))
        .await
        .problem(410, "asset-deleted");
    assert_eq!(test.woken("retire").await.ok()["pass"]["gone"], 1);
    for viewer in [&one, &other] {
        assert_eq!(status(text(viewer, "playbackUrl")).await, 404);
    }
    test.clock.advance(20.minutes());
    assert_eq!(test.woken("retire").await.ok()["pass"]["gone"], 0);
    assert_eq!(test.count_events("share.cut").await, 2);
}

#[tokio::test]
async fn two_first_viewers_at_once_make_one_playback_id() {
    let test = TestApp::new().await;
    let id = test.film("At once").await;
    let share = test.ada().share(&id, "for the team").await;
    let before = test.playback_ids().await.len();
    let all = futures::future::join_all((0..8).map(|_| test.open(&share, None))).await;
    for viewer in all {
        assert_eq!(status(text(&viewer.ok(), "playbackUrl")).await, 200);
    }
    assert_eq!(test.playback_ids().await.len(), before + 1);
}

#[tokio::test]
async fn a_playback_id_whose_keeping_was_not_confirmed_is_kept() {
    let test = TestApp::with(Wishes {
        shaky_table: true,
        ..Wishes::default()
    })
    .await;
    let id = test.film("Not confirmed").await;
    let share = test.ada().share(&id, "for Sam").await;
    test.table.next(TableFault::DoneAndLost);
    let sam = test.open(&share, None).await.ok();
    assert_eq!(status(text(&sam, "playbackUrl")).await, 200);
    let again = test.open(&share, Some(&sam)).await.ok();
    assert_eq!(status(text(&again, "playbackUrl")).await, 200);
}

#[tokio::test]
async fn all_links_of_one_recipient_are_taken_back_whatever_video_they_lead_to() {
    let test = TestApp::new().await;
    let (first, second) = (
        test.ada().video("First").await,
        test.ada().video("Second").await,
    );
    let to = |whom: &str| json!({"recipient": whom});
    let sams = [
        test.link(&first, to("sam@example.com")).await,
        test.link(&second, to("Sam@Example.com")).await,
    ];
    let kims = test.link(&first, to("kim@example.com")).await;
    let all = json!({"recipient": "SAM@example.com"});
    let taken = test.ada().post("/api/shares/revoke", all).await.ok();
    assert_eq!(taken["revoked"], 2);
    for share in &sams {
        test.open(share, None).await.problem(403, "share-revoked");
    }
    test.open(&kims, None).await.ok();
}

#[tokio::test]
async fn a_link_that_lives_again_plays_whatever_became_of_its_old_playback_id() {
    let test = woken().await;
    let id = test.film("Extended").await;
    let share = test.ada().share(&id, "for Sam").await;
    test.open(&share, None).await.ok();
    test.clock.advance(7.days());
    // Deleted at Mux, and nobody here knows.
    test.faults.times(3, Fault::DoneAndLost);
    assert_eq!(test.woken("retire").await.ok()["pass"]["failed"], 1);
    let path = format!("/api/shares/{}", text(&share, "id"));
    let longer = json!({"expiresInHours": 24});
    test.faults.next(Fault::Limited);
    test.ada()
        .patch(&path, longer.clone())
        .await
        .problem(503, "video-service-busy");
    test.ada().patch(&path, longer).await.ok();
    let again = test.open(&share, None).await.ok();
    assert_eq!(status(text(&again, "playbackUrl")).await, 200);
}

#[tokio::test]
async fn what_was_cut_is_cut_once() {
    let test = woken().await;
    let id = test.film("Over").await;
    let share = test.ada().share(&id, "for Sam").await;
    test.open(&share, None).await.ok();
    test.clock.advance(7.days());
    test.woken("retire").await.ok();
    test.revoke(&share).await;
    let events = test.events_of(text(&share, "id")).await;
    let expected = ["share.expired", "share.cut", "share.revoked"];
    assert_eq!(&events[2..], expected);
}
