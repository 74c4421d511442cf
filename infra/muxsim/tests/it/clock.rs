//! The virtual clock: a day of retries takes a moment.

use serde_json::json;
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    inbox::Inbox,
    support::{Mux, text},
};

#[tokio::test]
async fn a_day_of_retries_takes_a_moment_and_each_is_made_at_its_time() {
    let inbox = Inbox::new().await;
    inbox.answer([500; 100]);
    let mux = Mux::telling(&[&inbox]).await;
    mux.signed_upload().await;
    mux.sim.advance(Duration::hours(25)).await.unwrap();
    let attempts = inbox.take();
    assert!(attempts.len() > 30, "{}", attempts.len());
    assert_eq!(mux.sim.pending().unwrap(), 0, "given up after 24 hours");
    let last = attempts.last().unwrap().event["attempts"].clone();
    let times: Vec<OffsetDateTime> = last
        .as_array()
        .unwrap()
        .iter()
        .map(|it| OffsetDateTime::parse(text(&it["created_at"]), &Rfc3339).unwrap())
        .collect();
    let pauses: Vec<Duration> = times.windows(2).map(|two| two[1] - two[0]).collect();
    assert!(pauses.is_sorted(), "{pauses:?}");
    assert_eq!(pauses[0], Duration::seconds(2));
    assert_eq!(pauses.last(), Some(&Duration::hours(1)));
    // The endpoint's own clock has not moved: a signature from tomorrow would be refused.
    for attempt in attempts {
        let t = attempt.signed_at(&inbox.endpoint.secret).unwrap();
        assert_eq!(t, mux.clock.unix());
    }
}

#[tokio::test]
async fn time_that_passed_stays_passed_after_a_restart() {
    let mux = Mux::new().await;
    let upload = mux.signed_upload().await;
    mux.sim.advance(Duration::hours(2)).await.unwrap();
    assert_eq!(mux.again(&upload).await["status"], "timed_out");
    let mux = mux.reopened().await;
    assert_eq!(mux.again(&upload).await["status"], "timed_out");
    let clock = mux.get("/_muxsim/clock").await.is(200)["data"].take();
    assert_eq!(
        clock,
        json!({"now": "2026-01-05T11:00:00Z", "unix": mux.clock.unix() + 7200, "ahead_seconds": 7200})
    );
}

#[tokio::test]
async fn the_api_lets_time_pass() {
    let inbox = Inbox::new().await;
    inbox.answer([503]);
    let mux = Mux::telling(&[&inbox]).await;
    mux.signed_upload().await;
    let body = json!({"advance_seconds": 3600});
    let clock = mux.post("/_muxsim/clock", &body).await.is(200);
    assert_eq!(clock["data"]["ahead_seconds"], 3600);
    assert_eq!(inbox.take().len(), 2);
    for wrong in [
        json!({}),
        json!({"advance_seconds": -1}),
        json!({"advance_seconds": "6h"}),
        json!({"advance_seconds": 400 * 86400 + 1}),
        json!({"advance_seconds": 1, "advance_hours": 1}),
    ] {
        let answer = mux.post("/_muxsim/clock", &wrong).await;
        answer.refuses(400, "invalid_parameters");
    }
}

#[tokio::test]
async fn a_skewed_clock_shows_in_what_is_signed_and_written() {
    let inbox = Inbox::new().await;
    let mux = Mux::telling(&[&inbox]).await;
    mux.sim.set_faults(muxsim::Faults {
        skew_seconds: -400,
        ..muxsim::Faults::default()
    });
    mux.signed_upload().await;
    mux.sim.deliver().await.unwrap();
    let got = inbox.only();
    let t = got.signed_at(&inbox.endpoint.secret).unwrap();
    assert_eq!(t, mux.clock.unix() - 400);
    assert_eq!(got.event["created_at"], "2026-01-05T08:53:20.000000Z");
    assert!(mux.sim.mishaps().unwrap().is_empty());
}

#[tokio::test]
async fn a_test_asset_goes_after_a_day() {
    let inbox = Inbox::new().await;
    let mux = Mux::telling(&[&inbox]).await;
    let upload = mux.upload(&json!({"test": true})).await;
    mux.put(&upload, crate::support::VIDEO).await.is(200);
    mux.sim.process().await.unwrap();
    let asset = mux.asset_of(&upload).await;
    let path = format!("/video/v1/assets/{}", text(&asset["id"]));
    mux.sim.advance(Duration::hours(23)).await.unwrap();
    mux.sim.process().await.unwrap();
    mux.get(&path).await.is(200);
    inbox.take();
    mux.sim.advance(Duration::hours(1)).await.unwrap();
    mux.sim.process().await.unwrap();
    mux.get(&path).await.refuses(404, "not_found");
    mux.sim.deliver().await.unwrap();
    assert_eq!(inbox.take_kinds(), ["video.asset.deleted"]);
}

#[tokio::test]
async fn time_ends_after_a_century() {
    let mux = Mux::new().await;
    let now = mux.sim.advance(Duration::days(300_000)).await.unwrap();
    assert_eq!(now.year(), 2125);
    mux.signed_upload().await;
}
