//! Mux is out for ten minutes, and fifty instances go on being asked.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use dev::permissions;
use serde_json::Value;
use shared::{
    app::App,
    clock::Clock,
    resilience::{self, Tally, Vendor},
};
use time::{Duration, OffsetDateTime, ext::NumericalDuration};
use tokio::task::LocalSet;

use crate::support::{
    Answer, TestApp, Wishes,
    actors::order,
    answer::text,
    timeline::{Awake, Timeline},
};

const INSTANCES: u64 = 50;

/// How often each is asked.
const EVERY: Duration = Duration::seconds(12);

/// One answer, and when it was given.
struct Seen {
    at: OffsetDateTime,
    status: u16,
    retry_after: Option<u32>,
}

/// Somebody who begins an upload and calls it off, again and again, whatever the answers are.
async fn insists(
    awake: Awake,
    test: Rc<TestApp>,
    timeline: Arc<Timeline>,
    app: App,
    number: u64,
    seen: Rc<RefCell<Vec<Seen>>>,
) {
    let _awake = awake;
    let router = permissions::router(app);
    // Not all in one moment.
    timeline
        .pause(EVERY * i32::try_from(number).unwrap() / 50)
        .await;
    let mut begun: Option<String> = None;
    loop {
        let ada = test.ada().by(&router);
        let answer: Answer = match &begun {
            None => ada.post("/api/uploads", order("Insisted")).await,
            Some(id) => ada.delete(&format!("/api/uploads/{id}")).await,
        };
        seen.borrow_mut().push(Seen {
            at: timeline.now(),
            status: answer.status.as_u16(),
            retry_after: answer.retry_after().map(|it| it.parse().unwrap()),
        });
        begun = match (answer.status.as_u16(), begun) {
            (201, _) => Some(text(&answer.body, "id").to_owned()),
            (503, begun) => begun,
            (200, _) => None,
            (status, _) => panic!("{status}: {}", answer.body),
        };
        timeline.pause(EVERY).await;
    }
}

fn all(apps: &[App]) -> Tally {
    let tallies = apps.iter().map(|it| resilience::tally(it, Vendor::Mux));
    tallies.fold(Tally::default(), |sum, it| Tally {
        calls: sum.calls + it.calls,
        held_back: sum.held_back + it.held_back,
        attempts: sum.attempts + it.attempts,
        retries: sum.retries + it.retries,
        failures: sum.failures + it.failures,
    })
}

#[tokio::test]
async fn ten_minutes_without_mux_cost_ten_retries_a_minute_and_it_comes_back_by_itself() {
    let test = TestApp::with(Wishes {
        variables: vec![("LIMITS", "uploads-per-user=shadow,mux-posts=shadow")],
        ..Wishes::default()
    });
    let test = Rc::new(test.await);
    let timeline = Timeline::new(Arc::clone(&test.clock));
    let apps: Vec<App> = (1..=INSTANCES)
        .map(|number| test.instance(timeline.clone(), number))
        .collect();
    let seen = Rc::new(RefCell::new(Vec::new()));
    let asking = LocalSet::new();
    for (number, app) in (0..).zip(&apps) {
        let (test, seen) = (Rc::clone(&test), Rc::clone(&seen));
        let (awake, timeline) = (timeline.join(), timeline.clone());
        asking.spawn_local(insists(awake, test, timeline, app.clone(), number, seen));
    }
    let story = async {
        let start = timeline.now();
        timeline.run(start + 20.seconds()).await;
        test.faults.out(true);
        let (out, mut before) = (timeline.now(), all(&apps));
        let first = before;
        for minute in 1..=10 {
            timeline.run(out + Duration::minutes(minute)).await;
            let now = all(&apps);
            let retries = now.retries - before.retries;
            assert!(retries <= 10, "{retries} retries in minute {minute}");
            before = now;
        }
        test.faults.out(false);
        let back = timeline.now();
        let (calls, attempts) = (before.calls - first.calls, before.attempts - first.attempts);
        assert!(
            attempts * 10 <= calls * 11,
            "{attempts} tries of {calls} calls"
        );
        timeline.run(back + 90.seconds()).await;
        (out, back)
    };
    let (out, back) = asking.run_until(story).await;
    let seen = seen.take();
    let during: Vec<&Seen> = seen
        .iter()
        .filter(|it| (out..back).contains(&it.at))
        .collect();
    // The first failures are Mux's own; from then on it is not asked.
    let open_from = out + 10.seconds();
    for it in during.iter().filter(|it| it.at > open_from) {
        assert_eq!(it.status, 503);
        assert!((1..=30).contains(&it.retry_after.unwrap()));
    }
    let late = seen.iter().filter(|it| it.at > back + 1.minutes());
    assert!(late.clone().count() > 100);
    assert!(
        late.clone().all(|it| it.status != 503),
        "not back within a minute"
    );
    assert_eq!(test.event_data("breaker.opened").await.len(), 1);
    let closed: Vec<Value> = test.event_data("breaker.closed").await;
    assert_eq!(closed.len(), 1, "{closed:?}");
    assert!(closed[0]["seconds"].as_u64().unwrap() >= 590, "{closed:?}");
}
