//! Dead letters: dealt with when the table is back, tried later and later, parked with a reason.

use std::time::Duration as StdDuration;

use dev::permissions;
use futures::join;
use serde_json::{Value, json};
use shared::{
    clock::Clock,
    dlq, jobs,
    router::Deployable,
    store::{
        Reads,
        keys::{self, Cases},
    },
};
use time::{Duration, ext::NumericalDuration};

use crate::support::{
    CRON, Story, TableFault, TestApp, Wishes,
    answer::{Answer, text},
};

async fn shaky() -> TestApp {
    TestApp::with(Wishes {
        shaky_table: true,
        variables: vec![CRON],
        ..Wishes::default()
    })
    .await
}

/// What the schedule is answered.
async fn woken(test: &TestApp) -> Answer {
    test.woken("dlq-replay").await
}

/// What a run did.
async fn replayed(test: &TestApp) -> Value {
    let answer = woken(test).await.ok();
    assert_eq!(answer["ran"], true);
    answer["pass"].clone()
}

fn pass(received: u32, settled: u32, waiting: u32, parked: u32) -> Value {
    json!({"received": received, "settled": settled, "waiting": waiting, "parked": parked})
}

/// An upload, and the events of its life, all of which met no table.
async fn missed(test: &TestApp, title: &str) -> (String, Story) {
    let upload = test.ada().upload(title).await;
    let id = text(&upload, "id").to_owned();
    let story = Story::new(&id, test.clock.now());
    test.table.down(true);
    for event in story.happy() {
        assert_eq!(test.webhook(&event).await.ok()["outcome"], "queued");
    }
    test.table.down(false);
    (id, story)
}

async fn status(test: &TestApp, id: &str) -> Value {
    let path = format!("/api/uploads/{id}");
    test.ada().get(&path).await.ok()["status"].clone()
}

async fn parked(test: &TestApp) -> Vec<dlq::Case> {
    let listing = keys::cases(Cases::Parked, None, None);
    test.app
        .store
        .list(&listing, None, 100)
        .await
        .unwrap()
        .items
}

/// The next transaction fails, however often the store sends it again.
fn collide(test: &TestApp) {
    (0..shared::store::ATTEMPTS).for_each(|_| test.table.next(TableFault::Collision));
}

#[tokio::test]
async fn what_the_table_missed_is_made_good() {
    let test = shaky().await;
    let (id, story) = missed(&test, "Missed").await;
    assert_eq!(status(&test, &id).await, "AWAITING_UPLOAD");
    assert_eq!(replayed(&test).await, pass(5, 5, 0, 0));
    assert_eq!(status(&test, &id).await, "READY");
    assert_eq!(
        test.events_of(&id).await,
        ["upload.requested", "upload.received", "asset.ready"]
    );
    assert_eq!(replayed(&test).await, pass(0, 0, 0, 0));
    // Mux may send the same events again: they were dealt with.
    for event in story.happy() {
        assert_eq!(test.webhook(&event).await.ok()["outcome"], "duplicate");
    }
}

#[tokio::test]
async fn a_letter_that_is_there_twice_is_dealt_with_once() {
    let test = shaky().await;
    let (id, story) = missed(&test, "Twice").await;
    test.table.down(true);
    for event in story.happy() {
        assert_eq!(test.webhook(&event).await.ok()["outcome"], "queued");
    }
    test.table.down(false);
    assert_eq!(replayed(&test).await, pass(10, 10, 0, 0));
    assert_eq!(
        test.events_of(&id).await,
        ["upload.requested", "upload.received", "asset.ready"]
    );
}

#[tokio::test]
async fn many_letters_are_dealt_with_in_one_run() {
    let test = shaky().await;
    let mut ids = Vec::new();
    for n in 0..12 {
        ids.push(missed(&test, &format!("Video {n}")).await.0);
    }
    assert_eq!(replayed(&test).await, pass(60, 60, 0, 0));
    for id in ids {
        assert_eq!(status(&test, &id).await, "READY");
    }
}

#[tokio::test]
async fn a_letter_that_fails_comes_again_later_and_the_others_do_not_wait_for_it() {
    let test = shaky().await;
    let (id, story) = missed(&test, "One fails").await;
    let ready = &story.happy()[3];
    test.table.never(Some(text(ready, "id")));
    assert_eq!(replayed(&test).await, pass(5, 4, 1, 0));
    test.table.never(None);
    test.clock.advance(26.seconds());
    assert_eq!(
        replayed(&test).await,
        pass(0, 0, 0, 0),
        "not before its time"
    );
    test.clock.advance(8.seconds());
    assert_eq!(replayed(&test).await, pass(1, 1, 0, 0));
    assert_eq!(status(&test, &id).await, "READY");
}

#[tokio::test]
async fn what_could_not_be_dealt_with_in_a_day_is_parked_with_the_reason() {
    let test = shaky().await;
    let upload = test.ada().upload("Never").await;
    let event = &Story::new(text(&upload, "id"), test.clock.now()).happy()[0];
    let first_seen = test.clock.now();
    test.table.down(true);
    assert_eq!(test.webhook(event).await.ok()["outcome"], "queued");
    test.table.down(false);
    collide(&test);
    assert_eq!(replayed(&test).await, pass(1, 0, 1, 0));
    test.clock.advance(24.hours());
    collide(&test);
    assert_eq!(replayed(&test).await, pass(1, 0, 0, 1));
    let [parked] = parked(&test).await.try_into().unwrap();
    assert_eq!(parked.reason, dlq::Reason::TimesUp);
    assert_eq!(parked.class, dlq::Class::Retryable);
    assert_eq!(parked.first_seen, first_seen);
    let now = test.clock.now();
    assert_eq!(parked.state, dlq::State::Parked { at: now });
    let tries: Vec<_> = parked.history.iter().map(|it| it.at).collect();
    assert_eq!(tries, [first_seen, now], "with its history");
    assert_eq!(parked.tries, 2);
    let letter: Value = serde_json::from_slice(&parked.letter.bytes().unwrap()).unwrap();
    assert_eq!(letter["body"]["text"], event.to_string());
    test.clock.advance(1.hours());
    assert_eq!(replayed(&test).await, pass(0, 0, 0, 0));
}

#[tokio::test]
async fn twelve_tries_are_enough() {
    let test = shaky().await;
    let upload = test.ada().upload("Tried").await;
    let event = &Story::new(text(&upload, "id"), test.clock.now()).happy()[0];
    test.table.down(true);
    test.webhook(event).await.ok();
    test.table.down(false);
    for _ in 1..12 {
        collide(&test);
        assert_eq!(replayed(&test).await, pass(1, 0, 1, 0));
        test.clock.advance(17.minutes());
    }
    collide(&test);
    assert_eq!(replayed(&test).await, pass(1, 0, 0, 1));
    assert_eq!(parked(&test).await[0].tries, 12);
}

#[tokio::test]
async fn what_is_no_event_and_what_is_no_letter_is_parked_at_once() {
    let test = shaky().await;
    test.webhook(&json!({"type": "video.asset.ready"}))
        .await
        .problem(400, "not-an-event");
    let queue = test.clients().sqs;
    let put = queue.send_message().queue_url(&test.aws.queue_url);
    put.message_body("not by us").send().await.unwrap();
    assert_eq!(replayed(&test).await, pass(2, 0, 0, 2));
    let mut reasons: Vec<String> = parked(&test)
        .await
        .iter()
        .map(|it| format!("{:?} {:?}", it.class, it.reason))
        .collect();
    reasons.sort();
    assert_eq!(reasons, ["Poison NotALetter", "Poison NotAnEvent"]);
}

#[tokio::test]
async fn two_schedules_at_once_do_the_work_once() {
    let test = shaky().await;
    missed(&test, "Once").await;
    let (one, other) = join!(woken(&test), woken(&test));
    let (one, other) = (one.ok(), other.ok());
    let ran = [&one, &other].map(|it| it["ran"] == true);
    assert!(ran.contains(&true));
    let settled: u64 = [&one, &other]
        .iter()
        .filter_map(|it| it["pass"]["settled"].as_u64())
        .sum();
    assert_eq!(settled, 5);
}

#[tokio::test]
async fn a_run_that_is_killed_half_way_loses_nothing() {
    for millis in [1, 3, 6, 10, 15, 25] {
        let test = shaky().await;
        let (id, _) = missed(&test, "Killed").await;
        let life = StdDuration::from_millis(millis);
        let run = permissions::within(Deployable::DlqReplay, dlq::replay(&test.app));
        // Wherever it is then, it is dropped.
        let _ = tokio::time::timeout(life, run).await;
        // Once more, because a call of the killed run may have reached the queue after its end.
        for _ in 0..2 {
            test.clock.advance(2.minutes());
            let rest = replayed(&test).await;
            assert_eq!(rest["received"], rest["settled"], "{rest}");
        }
        assert_eq!(status(&test, &id).await, "READY");
        assert_eq!(
            test.events_of(&id).await,
            ["upload.requested", "upload.received", "asset.ready"]
        );
    }
}

#[tokio::test]
async fn while_the_table_is_away_a_run_fails_and_the_letters_stay() {
    let test = shaky().await;
    let (id, _) = missed(&test, "Away").await;
    test.table.down(true);
    woken(&test).await.problem(500, "internal");
    test.table.down(false);
    assert_eq!(replayed(&test).await, pass(5, 5, 0, 0));
    assert_eq!(status(&test, &id).await, "READY");
}

#[tokio::test]
async fn the_heart_beats_when_a_run_went_well() {
    let test = shaky().await;
    let beat = async || {
        let mut reads = Reads::default();
        let [(_, replay), ..] = jobs::last_successes(&mut reads);
        replay
            .of(&test.app.store.read(reads).await.unwrap())
            .unwrap()
    };
    assert_eq!(beat().await, None);
    replayed(&test).await;
    let first = test.clock.now();
    assert_eq!(beat().await, Some(first));
    test.clock.advance(Duration::MINUTE);
    test.table.down(true);
    woken(&test).await.problem(500, "internal");
    test.table.down(false);
    assert_eq!(beat().await, Some(first));
    replayed(&test).await;
    assert_eq!(beat().await, Some(first + Duration::MINUTE));
}

#[tokio::test]
async fn only_the_schedule_knows_its_secret() {
    let test = shaky().await;
    for wrong in ["Bearer wrong", "Bearer ", "of-the-schedule", "Basic b2Y="] {
        let caller = test.anonymous().with("authorization", wrong);
        let answer = caller.get("/api/cron/dlq-replay").await;
        answer.problem(401, "unauthenticated");
    }
    let unset = TestApp::new().await;
    let caller = unset.anonymous().with("authorization", "Bearer ");
    let answer = caller.get("/api/cron/dlq-replay").await;
    answer.problem(401, "unauthenticated");
}
