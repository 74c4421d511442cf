//! Those who operate the portal: dead letters looked at, rehearsed, replayed, discarded, all of it
//! written down.

use serde_json::{Value, json};
use shared::clock::Clock;
use time::ext::NumericalDuration;

use crate::support::{Actor, CRON, Caller, Story, TableFault, TestApp, Wishes, answer::text};

pub(crate) const LETTERS: &str = "/api/ops/dead-letters";
pub(crate) const REPLAY: &str = "/api/ops/dead-letters/replay";

pub(crate) async fn shaky() -> TestApp {
    TestApp::with(Wishes {
        shaky_table: true,
        variables: vec![CRON],
        ..Wishes::default()
    })
    .await
}

pub(crate) fn dana(test: &TestApp) -> Actor<'_> {
    test.as_caller(Caller::Person("dana"))
}

pub(crate) async fn replay_run(test: &TestApp) -> Value {
    test.woken("dlq-replay").await.ok()["pass"].clone()
}

/// An upload whose events all met no table, and then were tried in vain until they were parked.
async fn parked(test: &TestApp, title: &str) -> (String, Story) {
    let upload = test.ada().upload(title).await;
    let id = text(&upload, "id").to_owned();
    let story = Story::new(&id, test.clock.now());
    test.table.down(true);
    for event in story.happy() {
        assert_eq!(test.webhook(&event).await.ok()["outcome"], "queued");
        test.clock.advance(1.seconds());
    }
    test.table.down(false);
    test.clock.advance(25.hours());
    test.table.never(Some("RECEIPT"));
    let pass = replay_run(test).await;
    test.table.never(None);
    assert_eq!(pass["parked"], 5, "{pass}");
    (id, story)
}

pub(crate) async fn letters(test: &TestApp, query: &str) -> Vec<Value> {
    let answer = dana(test).get(&format!("{LETTERS}?{query}")).await.ok();
    answer["deadLetters"].as_array().unwrap().clone()
}

pub(crate) async fn status(test: &TestApp, id: &str) -> Value {
    test.ada().get(&format!("/api/assets/{id}")).await.ok()["status"].clone()
}

#[tokio::test]
async fn parked_letters_are_listed_oldest_first_with_their_reason_and_history() {
    let test = shaky().await;
    parked(&test, "Parked").await;
    let all = letters(&test, "").await;
    assert_eq!(all.len(), 5);
    let seen: Vec<&str> = all.iter().map(|it| text(it, "firstSeen")).collect();
    assert!(seen.is_sorted(), "{seen:?}");
    assert_eq!(all[0]["state"]["kind"], "parked");
    assert_eq!(all[0]["reason"], "times-up");
    assert_eq!(all[0]["class"], "retryable");
    assert_eq!(all[0]["tries"], 1);
    let error = text(&all[0]["history"][0], "error");
    assert!(error.contains("the table did not answer"), "{error}");
    assert!(
        all[0].get("letter").is_none(),
        "what is in it is not listed"
    );
}

#[tokio::test]
async fn pages_of_letters_follow_each_other_and_a_time_is_its_bounds_too() {
    let test = shaky().await;
    parked(&test, "Paged").await;
    let all = letters(&test, "").await;
    let page = dana(&test).get(&format!("{LETTERS}?limit=2")).await.ok();
    let next = text(&page, "nextCursor");
    let second = letters(&test, &format!("limit=2&cursor={next}")).await;
    assert_eq!(second, all[2..4]);
    let (from, to) = (text(&all[1], "firstSeen"), text(&all[3], "firstSeen"));
    assert_eq!(
        letters(&test, &format!("from={from}&to={to}")).await,
        all[1..4]
    );
    dana(&test)
        .get(&format!("{LETTERS}?from={to}&to={from}"))
        .await
        .problem(422, "invalid-field");
    dana(&test)
        .get(&format!("{LETTERS}?cursor=nonsense"))
        .await
        .problem(422, "invalid-field");
}

#[tokio::test]
async fn a_letter_is_inspected_without_what_opens_something() {
    let test = shaky().await;
    parked(&test, "Inspected").await;
    let id = text(&letters(&test, "limit=1").await[0], "id").to_owned();
    let letter = dana(&test).get(&format!("{LETTERS}/{id}")).await.ok();
    assert_eq!(letter["event"]["type"], "video.upload.created");
    assert_eq!(letter["body"]["data"]["url"], "(hidden)");
    assert_eq!(letter["body"]["data"]["status"], "waiting");
    assert!(text(&letter["headers"], "mux-signature").starts_with("t="));
    assert!(letter["request"].is_string());
}

#[tokio::test]
async fn a_rehearsal_says_what_the_replay_then_does_item_by_item_and_writes_nothing() {
    let test = shaky().await;
    let (one, story) = parked(&test, "Rehearsed").await;
    let (other, _) = parked(&test, "Rehearsed too").await;
    // One of them came again meanwhile, and one is about nothing of ours.
    test.webhook(&story.happy()[2]).await.ok();
    let mut foreign = story.happy()[3].clone();
    foreign["id"] = "foreign".into();
    foreign["data"] = json!({"id": "another", "status": "ready"});
    test.table.down(true);
    test.webhook(&foreign).await.ok();
    test.webhook(&story.happy()[3]).await.ok();
    test.table.down(false);
    test.webhook(&json!({"type": "nonsense"}))
        .await
        .problem(400, "not-an-event");
    test.clock.advance(25.hours());
    test.table.never(Some("RECEIPT"));
    replay_run(&test).await;
    test.table.never(None);

    let before = test.dump().await;
    let dry = dana(&test).post(REPLAY, json!({"limit": 100})).await.ok();
    assert_eq!(dry["dryRun"], true, "unless told otherwise");
    assert!(test.dump().await == before, "nothing was written");
    assert_eq!(status(&test, &one).await, "MUX_PROCESSING");

    let real = json!({"limit": 100, "dryRun": false});
    let real = dana(&test).post(REPLAY, real).await.ok();
    assert_eq!(real["items"], dry["items"]);
    let outcomes: Vec<&str> = real["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["outcome"].as_str().unwrap_or("in vain"))
        .collect();
    assert_eq!(
        outcomes,
        [
            "applied",
            "applied",
            "duplicate",
            "applied",
            "applied",
            "applied",
            "applied",
            "applied",
            "applied",
            "applied",
            "unmatched",
            "duplicate",
            "in vain"
        ]
    );
    let ready = &real["items"][3];
    assert_eq!(ready["event"]["type"], "video.asset.ready");
    assert_eq!(ready["before"]["status"], "MUX_PROCESSING");
    assert_eq!(ready["after"]["status"], "READY");
    for id in [&one, &other] {
        assert_eq!(status(&test, id).await, "READY");
    }
    let left = letters(&test, "").await;
    assert_eq!(left.len(), 1, "what is no event is still there");
    assert_eq!(left[0]["reason"], "not-an-event");
    assert_eq!(left[0]["history"].as_array().unwrap().len(), 2);
    assert_eq!(test.count_events("letter.replayed").await, 13);
}

#[tokio::test]
async fn a_time_is_rehearsed_and_replayed_alone() {
    let test = shaky().await;
    let (id, _) = parked(&test, "A part of it").await;
    let all = letters(&test, "").await;
    let range = |dry_run: bool| json!({"from": text(&all[0], "firstSeen"), "to": text(&all[2], "firstSeen"), "dryRun": dry_run});
    let dry = dana(&test).post(REPLAY, range(true)).await.ok();
    let real = dana(&test).post(REPLAY, range(false)).await.ok();
    assert_eq!(real["items"], dry["items"]);
    assert_eq!(real["items"].as_array().unwrap().len(), 3);
    assert_eq!(status(&test, &id).await, "MUX_PROCESSING");
    assert_eq!(letters(&test, "").await, all[3..]);
    let both = json!({"ids": [all[3]["id"]], "state": "parked"});
    dana(&test)
        .post(REPLAY, both)
        .await
        .problem(422, "invalid-field");
    let one = json!({"ids": [all[3]["id"]], "dryRun": false});
    let one = dana(&test).post(REPLAY, one).await.ok();
    assert_eq!(one["items"][0]["after"]["status"], "READY");
    assert_eq!(status(&test, &id).await, "READY");
}

#[tokio::test]
async fn a_replay_that_fails_half_way_can_be_repeated() {
    let test = shaky().await;
    let (id, story) = parked(&test, "Half way").await;
    let created = story.happy()[2].clone();
    test.table.never(Some(text(&created, "id")));
    let body = json!({"dryRun": false});
    let first = dana(&test).post(REPLAY, body.clone()).await.ok();
    let in_vain: Vec<&Value> = first["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|it| it["error"].is_string())
        .collect();
    assert_eq!(in_vain.len(), 1, "each fails alone");
    test.table.never(None);
    let second = dana(&test).post(REPLAY, body).await.ok();
    assert_eq!(second["items"].as_array().unwrap().len(), 1);
    assert_eq!(second["items"][0]["outcome"], "applied");
    assert_eq!(status(&test, &id).await, "READY");
    let events = test.events_of(&id).await;
    assert_eq!(
        events,
        ["upload.requested", "upload.received", "asset.ready"]
    );
}

#[tokio::test]
async fn a_replay_whose_answer_was_lost_is_found_to_be_done() {
    let test = shaky().await;
    let (id, _) = parked(&test, "Lost answer").await;
    // The SDK asks twice.
    (0..2).for_each(|_| test.table.next(TableFault::DoneAndLost));
    let done = dana(&test)
        .post(REPLAY, json!({"dryRun": false}))
        .await
        .ok();
    assert_eq!(done["items"][0]["outcome"], "duplicate", "{done}");
    assert_eq!(letters(&test, "").await, Vec::<Value>::new());
    assert_eq!(status(&test, &id).await, "READY");
    assert_eq!(test.count_events("asset.ready").await, 1);
    assert_eq!(test.count_events("letter.replayed").await, 5);
}

#[tokio::test]
async fn a_discarded_letter_is_in_no_list_and_can_still_be_looked_at_and_replayed() {
    let test = shaky().await;
    parked(&test, "Discarded").await;
    let id = text(&letters(&test, "").await[0], "id").to_owned();
    let path = format!("{LETTERS}/{id}/discard");
    for wrong in [json!({"reason": " "}), json!({"reason": "a\nb"})] {
        dana(&test)
            .post(&path, wrong)
            .await
            .problem(422, "invalid-field");
    }
    dana(&test)
        .post(&path, json!({}))
        .await
        .problem(400, "invalid-request");
    let body = json!({"reason": "told by another event"});
    let discarded = dana(&test).post(&path, body.clone()).await.ok();
    assert_eq!(discarded["state"]["kind"], "discarded");
    assert_eq!(discarded["state"]["reason"], "told by another event");
    assert_eq!(dana(&test).post(&path, body).await.ok(), discarded);
    assert_eq!(letters(&test, "").await.len(), 4);
    let shown = dana(&test).get(&format!("{LETTERS}/{id}")).await.ok();
    assert_eq!(shown["state"]["kind"], "discarded");
    let again = json!({"ids": [id], "dryRun": false});
    let again = dana(&test).post(REPLAY, again).await.ok();
    assert_eq!(again["items"][0]["outcome"], "applied");
    assert_eq!(
        test.events_of(&id).await,
        ["letter.parked", "letter.discarded", "letter.replayed"]
    );
}

#[tokio::test]
async fn without_an_organisation_of_operators_nobody_is_one() {
    let test = TestApp::with(Wishes {
        variables: vec![("OPERATORS_ORGANISATION", "")],
        ..Wishes::default()
    })
    .await;
    for caller in [test.ada(), dana(&test)] {
        caller.get(LETTERS).await.problem(403, "forbidden");
    }
}

#[tokio::test]
async fn events_that_match_nothing_are_listed_newest_first() {
    let test = TestApp::new().await;
    let story = Story::new("ast_01KE6P4YM00000000000000000", test.clock.now());
    for event in &story.happy()[..3] {
        assert_eq!(test.webhook(event).await.ok()["outcome"], "unmatched");
        test.clock.advance(1.seconds());
    }
    let path = "/api/ops/unmatched-events";
    let page = dana(&test).get(&format!("{path}?limit=2")).await.ok();
    let kinds = |page: &Value| -> Vec<String> {
        let events = page["events"].as_array().unwrap().iter();
        events.map(|it| text(it, "type").to_owned()).collect()
    };
    assert_eq!(
        kinds(&page),
        ["video.asset.created", "video.upload.asset_created"]
    );
    let next = text(&page, "nextCursor");
    let rest = format!("{path}?limit=2&cursor={next}");
    assert_eq!(
        kinds(&dana(&test).get(&rest).await.ok()),
        ["video.upload.created"]
    );
}

#[tokio::test]
async fn a_run_that_sends_recorded_events_is_written_down_at_both_ends() {
    let test = TestApp::new().await;
    let body = json!({"events": 12, "digest": "ab".repeat(32)});
    let run = dana(&test)
        .post("/api/ops/replay-runs", body)
        .await
        .created();
    let (run, secret) = (text(&run, "run"), text(&run, "secret"));
    let end = format!("/api/ops/replay-runs/{run}/end");
    let wrong = json!({"secret": "guessed", "accepted": 11, "refused": 1});
    dana(&test)
        .post(&end, wrong)
        .await
        .problem(404, "not-found");
    assert!(!test.dump().await.contains(secret));
    let body = json!({"secret": secret, "accepted": 11, "refused": 1});
    for _ in 0..2 {
        test.anonymous().post(&end, body.clone()).await.ok();
    }
    assert_eq!(test.events_of(run).await, ["replay.begun", "replay.ended"]);
    dana(&test)
        .post("/api/ops/replay-runs", json!({"events": 1, "digest": "no"}))
        .await
        .problem(422, "invalid-field");
}
