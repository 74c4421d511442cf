//! Dead letters that wait: noted, told of when they are stuck, replayed before their time, large.

use serde_json::{Value, json};
use shared::{clock::Clock, store::ATTEMPTS};
use time::ext::NumericalDuration;

use crate::{
    operators::{LETTERS, REPLAY, dana, letters, replay_run, shaky, status},
    support::{Story, TableFault, TestApp, answer::text},
};

/// An upload whose last event met no table, when it came and when it was replayed.
async fn waiting(test: &TestApp, title: &str) -> String {
    let upload = test.ada().upload(title).await;
    let id = text(&upload, "id").to_owned();
    test.table.down(true);
    let ready = &Story::new(&id, test.clock.now()).happy()[3];
    test.webhook(ready).await.ok();
    test.table.down(false);
    test.table.never(Some("RECEIPT"));
    assert_eq!(replay_run(test).await["waiting"], 1);
    test.table.never(None);
    id
}

#[tokio::test]
async fn a_letter_that_waits_is_listed_and_is_forgotten_when_it_is_settled() {
    let test = shaky().await;
    let id = waiting(&test, "Waiting").await;
    let listed = letters(&test, "state=waiting").await;
    assert_eq!(listed[0]["reason"], "store-unavailable");
    assert_eq!(listed[0]["state"]["kind"], "waiting");
    let letter = format!("{LETTERS}/{}/discard", text(&listed[0], "id"));
    dana(&test)
        .post(&letter, json!({"reason": "not yet"}))
        .await
        .problem(409, "letter-waiting");
    test.clock.advance(1.minutes());
    assert_eq!(replay_run(&test).await["settled"], 1);
    assert_eq!(letters(&test, "state=waiting").await, Vec::<Value>::new());
    assert_eq!(status(&test, &id).await, "READY");
    let video = test.ada().get(&format!("/api/assets/{id}")).await.ok();
    assert_eq!(video["closedBy"], "replay");
}

#[tokio::test]
async fn a_letter_that_waits_can_be_replayed_before_its_time_and_is_no_duplicate_later() {
    let test = shaky().await;
    let id = waiting(&test, "Impatient").await;
    let body = json!({"state": "waiting", "dryRun": false});
    let done = dana(&test).post(REPLAY, body).await.ok();
    assert_eq!(done["items"][0]["outcome"], "applied");
    assert_eq!(status(&test, &id).await, "READY");
    test.clock.advance(1.minutes());
    assert_eq!(
        replay_run(&test).await["settled"],
        1,
        "the one in the queue"
    );
    assert_eq!(test.count_events("asset.ready").await, 1);
}

#[tokio::test]
async fn a_letter_that_is_stuck_is_told_of_once() {
    let test = shaky().await;
    let upload = test.ada().upload("Stuck").await;
    let event = &Story::new(text(&upload, "id"), test.clock.now()).happy()[0];
    test.table.down(true);
    test.webhook(event).await.ok();
    test.table.down(false);
    for tries in 1..=6 {
        (0..ATTEMPTS).for_each(|_| test.table.next(TableFault::Collision));
        assert_eq!(replay_run(&test).await["waiting"], 1);
        let told = test.count_events("letter.stuck").await;
        assert_eq!(told, usize::from(tries > 3), "after {tries} tries");
        test.clock.advance(17.minutes());
    }
}

#[tokio::test]
async fn a_letter_that_is_too_large_for_the_queue_or_for_an_item_goes_by_reference() {
    let test = shaky().await;
    let (one, other) = (
        test.ada().upload("Large").await,
        test.ada().upload("Larger").await,
    );
    // Quotation marks take two bytes each where a text is part of a text.
    for (upload, quotes) in [(&one, 200_000), (&other, 500_000)] {
        let id = text(upload, "id");
        let mut event = Story::new(id, test.clock.now()).happy()[3].clone();
        event["data"]["note"] = "\"".repeat(quotes).into();
        test.table.never(Some("RECEIPT"));
        assert_eq!(test.webhook(&event).await.ok()["outcome"], "queued");
        test.table.never(None);
    }
    test.clock.advance(25.hours());
    test.table.never(Some("RECEIPT"));
    assert_eq!(replay_run(&test).await["parked"], 2);
    test.table.never(None);
    let dry = dana(&test).post(REPLAY, json!({})).await.ok();
    let real = dana(&test)
        .post(REPLAY, json!({"dryRun": false}))
        .await
        .ok();
    assert_eq!(real["items"], dry["items"]);
    for upload in [&one, &other] {
        assert_eq!(status(&test, text(upload, "id")).await, "READY");
    }
}
