//! What the table does on a bad day, and what comes at the same time.

use futures::future::join_all;
use serde_json::json;
use shared::clock::Clock;
use time::ext::NumericalDuration;

use crate::support::{Fault, Story, TableFault, TestApp, Wishes, actors::order, answer::text};

async fn shaky(variables: Vec<(&'static str, &'static str)>) -> TestApp {
    TestApp::with(Wishes {
        shaky_table: true,
        variables,
        ..Wishes::default()
    })
    .await
}

#[tokio::test]
async fn a_transaction_that_met_another_one_is_sent_again() {
    let test = shaky(vec![]).await;
    let upload = test.ada().upload("Collided").await;
    let story = Story::new(text(&upload, "id"), test.clock.now());
    for event in story.happy() {
        test.table.next(TableFault::Collision);
        test.table.next(TableFault::Collision);
        assert_eq!(test.webhook(&event).await.ok()["outcome"], "applied");
    }
    assert!(test.dead_letters().await.is_empty());
}

#[tokio::test]
async fn an_answer_of_the_table_that_was_lost_does_nothing_twice() {
    let test = shaky(vec![]).await;
    test.table.next(TableFault::DoneAndLost);
    let upload = test.ada().upload("Lost").await;
    let id = text(&upload, "id");
    let story = Story::new(id, test.clock.now());
    for event in story.happy() {
        test.table.next(TableFault::DoneAndLost);
        test.webhook(&event).await.ok();
    }
    let events = test.events_of(id).await;
    assert_eq!(
        events,
        ["upload.requested", "upload.received", "asset.ready"]
    );
}

#[tokio::test]
async fn a_webhook_that_met_no_table_and_no_queue_is_sent_again_by_mux_and_heard_once() {
    let test = shaky(vec![("MUX_WEBHOOK_DLQ_ENABLED", "false")]).await;
    let upload = test.ada().upload("Later").await;
    test.table.down(true);
    assert_eq!(test.mux.deliver().await.unwrap(), 1);
    assert_eq!(test.mux.pending().unwrap(), 1, "it was not acknowledged");
    test.table.down(false);
    assert_eq!(test.mux.deliver().await.unwrap(), 0, "not before its time");
    test.clock.advance(1.hours());
    assert_eq!(test.mux.deliver().await.unwrap(), 1);
    assert_eq!(test.mux.pending().unwrap(), 0);
    let path = format!("/api/uploads/{}", text(&upload, "id"));
    assert_eq!(
        test.ada().get(&path).await.ok()["status"],
        "AWAITING_UPLOAD"
    );
}

#[tokio::test]
async fn copies_of_one_event_at_the_same_time_are_heard_once() {
    let test = TestApp::new().await;
    let upload = test.ada().upload("At once").await;
    let id = text(&upload, "id");
    let ready = &Story::new(id, test.clock.now()).happy()[3];
    let answers = join_all((0..32).map(|_| test.webhook(ready))).await;
    let outcomes: Vec<_> = answers
        .into_iter()
        .map(|it| it.ok()["outcome"].clone())
        .collect();
    assert_eq!(
        outcomes.iter().filter(|it| **it == "applied").count(),
        1,
        "{outcomes:?}"
    );
    assert_eq!(
        outcomes.iter().filter(|it| **it == "duplicate").count(),
        31,
        "{outcomes:?}"
    );
}

#[tokio::test]
async fn all_events_of_a_video_at_the_same_time_are_all_heard() {
    let test = TestApp::new().await;
    let upload = test.ada().upload("All at once").await;
    let id = text(&upload, "id");
    let story = Story::new(id, test.clock.now());
    let events = story.happy();
    for answer in join_all(events.iter().map(|it| test.webhook(it))).await {
        assert_eq!(answer.ok()["outcome"], "applied");
    }
    let status = test.ada().get(&format!("/api/uploads/{id}")).await.ok();
    assert_eq!(status["status"], "READY");
    let ready = test
        .events_of(id)
        .await
        .into_iter()
        .filter(|it| it == "asset.ready");
    assert_eq!(ready.count(), 1);
}

#[tokio::test]
async fn one_request_sent_many_times_at_once_makes_one_upload() {
    let test = TestApp::new().await;
    let ada = test.ada().with("idempotency-key", "k-1");
    let answers = join_all((0..8).map(|_| ada.post("/api/uploads", order("Impatient")))).await;
    let made = answers.iter().filter(|it| it.status == 201).count();
    let waiting = answers.iter().filter(|it| it.status == 409).count();
    assert!(made >= 1 && made + waiting == 8, "{answers:?}");
    let list = test.ada().get("/api/assets").await.ok();
    assert_eq!(list["assets"].as_array().unwrap().len(), 1);
    assert_eq!(test.mux.pending().unwrap(), 1, "Mux was asked once");
}

#[tokio::test]
async fn cancelling_and_deleting_at_the_same_time_ends_in_deleted() {
    let test = TestApp::new().await;
    for _ in 0..10 {
        test.clock.advance(2.minutes()); // this is no outage
        test.faults.next(Fault::DoneAndLost);
        let busy = test.ada().post("/api/uploads", order("Both")).await;
        busy.problem(503, "video-service-busy");
        let list = test.ada().get("/api/assets").await.ok();
        let id = text(&list["assets"][0], "id").to_owned();
        let (upload, asset) = (format!("/api/uploads/{id}"), format!("/api/assets/{id}"));
        let (ada, also_ada) = (test.ada(), test.ada());
        let (_, deleted) = futures::join!(ada.delete(&upload), also_ada.delete(&asset));
        assert_eq!(deleted.ok()["status"], "DELETED");
        assert_eq!(test.ada().get(&asset).await.ok()["status"], "DELETED");
    }
}

#[tokio::test]
async fn a_cancel_whose_answer_was_lost_is_tried_again_and_found_out() {
    let test = TestApp::new().await;
    let upload = test.ada().upload("Cancelled, but who knows").await;
    let path = format!("/api/uploads/{}", text(&upload, "id"));
    test.faults.next(Fault::DoneAndLost);
    assert_eq!(test.ada().delete(&path).await.ok()["status"], "CANCELLED");
}

#[tokio::test]
async fn made_up_keys_of_sessions_fetch_the_real_ones_once() {
    let test = TestApp::new().await;
    test.ada().get("/api/assets").await.ok();
    let before = test.sign_ins();
    for n in 0..20 {
        test.with_key_id(&format!("made-up-{n}"))
            .get("/api/assets")
            .await
            .problem(401, "unauthenticated");
    }
    assert_eq!(test.sign_ins(), before, "the set was fetched just now");
    test.clock.advance(11.seconds());
    for n in 0..20 {
        test.with_key_id(&format!("made-up-{n}"))
            .get("/api/assets")
            .await
            .problem(401, "unauthenticated");
    }
    assert_eq!(test.sign_ins(), before + 1);
    test.clock.advance(5.minutes());
    let callers: Vec<_> = (0..8).map(|_| test.ada()).collect();
    for answer in join_all(callers.iter().map(|it| it.get("/api/assets"))).await {
        answer.ok();
    }
    assert_eq!(test.sign_ins(), before + 2, "many wait for one fetch");
}

#[tokio::test]
async fn a_video_deleted_at_mux_leaves_the_list() {
    let test = TestApp::new().await;
    let id = test.ada().video("Gone at Mux").await;
    let story = Story::new(&id, test.clock.now());
    test.webhook(&story.asset_event(9, "video.asset.deleted", "ready"))
        .await
        .ok();
    assert_eq!(
        test.ada().get("/api/assets").await.ok()["assets"],
        json!([])
    );
    let path = format!("/api/assets/{id}");
    test.ada()
        .patch(&path, json!({"title": "Still here"}))
        .await
        .problem(410, "asset-deleted");
}
