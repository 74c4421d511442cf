//! The meter: what is counted is written seldom, and counts once.

use axum::Router;
use dev::permissions;
use shared::{
    clock::Clock,
    meter::{self, Counter},
    router::Deployable,
};
use time::{Duration, OffsetDateTime, ext::NumericalDuration};

use crate::support::{CRON, PLENTY, TestApp, Wishes, actors::order};

async fn metered() -> TestApp {
    TestApp::with(Wishes {
        shaky_table: true,
        variables: vec![CRON, PLENTY],
        ..Wishes::default()
    })
    .await
}

/// Instances beside the one that everybody asks.
fn others(test: &TestApp) -> Vec<Router> {
    let other = |number| permissions::router(test.instance(test.clock.clone(), number));
    (1..3).map(other).collect()
}

/// Calls of Mux in the minutes since then.
async fn calls(test: &TestApp, since: OffsetDateTime) -> u64 {
    let to = test.clock.now() + Duration::MINUTE;
    let minutes = meter::minutes(&test.app, since, to).await.unwrap();
    let hours = meter::hours(&test.app, since - Duration::HOUR, to).await;
    let calls = minutes.sum(Counter::MuxCalls);
    assert_eq!(hours.unwrap().sum(Counter::MuxCalls), calls);
    calls
}

/// Adds up everything that was written until now.
async fn folded(test: &TestApp) {
    test.clock.advance(15.seconds());
    test.woken("watch").await.ok();
}

#[tokio::test]
async fn an_instance_writes_once_a_minute_however_often_it_is_asked_and_nothing_of_nothing() {
    let test = metered().await;
    test.table.note("METER#");
    test.clock.advance(60.seconds());
    assert_eq!(test.table.noted(), 0, "nothing is counted");
    for _ in 0..20 {
        test.ada().upload("Counted").await;
        test.clock.advance(5.seconds());
    }
    assert_eq!(test.table.noted(), 2, "a hundred seconds");
    test.clock.advance(60.seconds());
    for _ in 0..4 {
        test.ada().get("/api/assets").await.ok();
        test.clock.advance(30.seconds());
    }
    assert_eq!(test.table.noted(), 4, "what was left, and two minutes");
    // It is 9:05:40.
    for _ in 0..20 {
        let run = shared::shares::retire(&test.app);
        permissions::within(Deployable::Retire, run).await.unwrap();
        test.clock.advance(60.seconds());
    }
    let noted = test.table.noted();
    assert_eq!(
        noted, 7,
        "what was left, and calls of functions at 9:10 and at 9:20"
    );
}

#[tokio::test]
async fn everything_of_a_busy_minute_is_one_write() {
    let test = metered().await;
    let video = test.ada().video("Counted").await;
    let share = test.ada().share(&video, "for Sam").await;
    test.clock.advance(2.minutes());
    test.table.note("METER#");
    for _ in 0..3 {
        test.ada().video("Busy").await;
        test.open(&share, None).await.ok();
        test.anonymous().get("/api/health").await.ok();
        test.woken("retire").await.ok();
        test.woken("dlq-replay").await.ok();
        test.clock.advance(15.seconds());
    }
    assert_eq!(
        test.table.noted(),
        1,
        "uploads, webhooks, openings and jobs"
    );
    test.clock.advance(15.seconds());
    test.anonymous().get("/api/health").await.ok();
    assert_eq!(test.table.noted(), 2, "what came after it");
}

#[tokio::test]
async fn what_instances_counted_stands_in_the_minutes_in_which_it_happened() {
    let test = metered().await;
    let start = test.clock.now();
    let others = others(&test);
    for _ in 0..3 {
        for other in &others {
            let ada = test.ada().by(other);
            ada.post("/api/uploads", order("One")).await.created();
        }
        test.clock.advance(40.minutes());
    }
    for other in &others {
        test.anonymous().by(other).get("/api/health").await.ok();
    }
    folded(&test).await;
    let minutes = meter::minutes(&test.app, start, test.clock.now()).await;
    let minutes = minutes.unwrap().0;
    let calls: Vec<(Duration, u64)> = minutes[&Counter::MuxCalls]
        .iter()
        .map(|(at, by)| (*at - start, *by))
        .collect();
    assert_eq!(
        calls,
        [(0.minutes(), 2), (40.minutes(), 2), (80.minutes(), 2)]
    );
    assert_eq!(minutes[&Counter::MuxAttempts].len(), 3);
    let of_mux = minutes.keys().filter(|it| it.name().starts_with("mux."));
    assert_eq!(of_mux.count(), 2, "nothing else happened");
    let requests: Vec<u64> = minutes[&Counter::FunctionRequests]
        .values()
        .copied()
        .collect();
    assert_eq!(requests, [2, 2, 2, 2]);
    let hours = meter::hours(&test.app, start, test.clock.now())
        .await
        .unwrap();
    let hours = hours.0[&Counter::MuxCalls].values().copied();
    assert_eq!(hours.collect::<Vec<u64>>(), [4, 2]);
    let first = meter::minutes(&test.app, start, start + 40.minutes()).await;
    assert_eq!(
        first.unwrap().sum(Counter::MuxCalls),
        2,
        "before, not until"
    );
}

#[tokio::test]
async fn whether_a_write_was_lost_or_only_its_answer_it_counts_once() {
    let test = metered().await;
    let start = test.clock.now();
    for (round, done) in [true, false].into_iter().enumerate() {
        let named = Some("METER#");
        if done {
            test.table.loses(named);
        } else {
            test.table.without(named);
        }
        test.ada().upload("Once").await;
        test.table.loses(None);
        test.table.without(None);
        // Whoever folds has passed by the time of the first try when the second one comes.
        folded(&test).await;
        folded(&test).await;
        test.clock.advance(1.minutes());
        test.anonymous().get("/api/health").await.ok();
        folded(&test).await;
        assert_eq!(calls(&test, start).await, u64::try_from(round).unwrap() + 1);
        test.clock.advance(1.minutes());
    }
}

#[tokio::test]
async fn a_write_that_was_lost_twice_counts_once() {
    let test = metered().await;
    let start = test.clock.now();
    test.table.without(Some("METER#"));
    test.ada().upload("Once").await;
    test.table.without(None);
    test.table.loses(Some("METER#"));
    test.clock.advance(1.minutes());
    test.anonymous().get("/api/health").await.ok();
    test.table.loses(None);
    test.clock.advance(1.minutes());
    test.anonymous().get("/api/health").await.ok();
    folded(&test).await;
    assert_eq!(calls(&test, start).await, 1);
}

#[tokio::test]
async fn each_record_counts_once_wherever_the_job_dies() {
    let test = metered().await;
    let (start, others) = (test.clock.now(), others(&test));
    let mut expected = 0;
    let mut round = async |dies: Option<u32>| {
        test.clock.advance(61.seconds());
        for other in &others {
            let ada = test.ada().by(other);
            ada.post("/api/uploads", order("One")).await.created();
            expected += 1;
        }
        test.clock.advance(15.seconds());
        test.table.calls();
        if let Some(calls) = dies {
            test.table.dies_after(calls);
        }
        let answer = test.woken("watch").await;
        let made: u32 = test.table.calls().values().sum();
        test.table.revive();
        // The lease of one that died runs out.
        test.clock.advance(3.minutes());
        test.woken("watch").await.ok();
        assert_eq!(calls(&test, start).await, expected, "{dies:?}");
        (answer.status, made)
    };
    let (_, all) = round(None).await;
    assert!(all > 8, "{all}");
    let mut failed = 0;
    for calls in 0..all {
        let (status, _) = round(Some(calls)).await;
        failed += u32::from(status.is_server_error());
    }
    assert!(failed > 3, "{failed}");
}

#[tokio::test]
async fn a_job_that_slept_for_a_day_finds_everything() {
    let test = metered().await;
    let start = test.clock.now();
    folded(&test).await;
    for _ in 0..26 {
        test.ada().upload("Late").await;
        test.clock.advance(61.minutes());
    }
    folded(&test).await;
    assert_eq!(calls(&test, start).await, 26);
    test.table.calls();
    test.clock.advance(2.hours());
    test.woken("watch").await.ok();
    let looked = test.table.calls()["Query"];
    test.woken("watch").await.ok();
    assert!(test.table.calls()["Query"] < looked, "nobody looks twice");
}
