//! After a restore: what was taken back since the backup stays taken back, and drills leave a record.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use dev::aws::TABLE;
use serde_json::{Value, json};
use time::ext::NumericalDuration;

use crate::support::{Actor, CRON, Caller, PLENTY, TestApp, Wishes, answer::text, viewer::status};

type Items = Vec<HashMap<String, AttributeValue>>;

async fn operated() -> TestApp {
    let test = TestApp::with(Wishes {
        variables: vec![CRON, PLENTY],
        ..Wishes::default()
    })
    .await;
    minute(&test).await;
    test.woken("reconcile").await.ok(); // the first run compares nothing
    test
}

/// A minute later the job looks.
async fn minute(test: &TestApp) {
    test.clock.advance(1.minutes());
    test.woken("watch").await.ok();
}

/// Five minutes later everything is compared with Mux, if that is due.
async fn reconciled(test: &TestApp) -> Value {
    test.clock.advance(5.minutes());
    test.woken("reconcile").await.ok()["pass"]["compared"].clone()
}

fn dana(test: &TestApp) -> Actor<'_> {
    test.as_caller(Caller::Person("dana"))
}

async fn standing(test: &TestApp) -> Value {
    dana(test).get("/api/ops/restores").await.ok()
}

/// Incidents of restoring, by subject and state.
async fn incidents(test: &TestApp) -> Vec<(String, String)> {
    let body = dana(test).get("/api/ops/incidents").await.ok();
    let all = body["incidents"].as_array().unwrap().iter();
    let restores = all.filter(|it| it["kind"] == "restore");
    restores
        .map(|it| (text(it, "subject").to_owned(), text(it, "state").to_owned()))
        .collect()
}

/// The rows of links, as a backup has them.
async fn backup(test: &TestApp) -> Items {
    let client = test.clients().dynamodb;
    let items = client.scan().table_name(TABLE).send().await.unwrap().items;
    let links = items.unwrap().into_iter();
    links
        .filter(|it| it["pk"].as_s().unwrap().starts_with("SHARE#"))
        .collect()
}

/// The table as it is after a restore: those rows are as they were, and it has another name than it
/// knows.
async fn restore(test: &TestApp, backup: Items) {
    let client = test.clients().dynamodb;
    for item in backup {
        let put = client.put_item().table_name(TABLE);
        put.set_item(Some(item)).send().await.unwrap();
    }
    let name = AttributeValue::S("the-table-before".to_owned());
    let call = client.update_item().table_name(TABLE);
    call.key("pk", AttributeValue::S("RESTORE".to_owned()))
        .key("sk", AttributeValue::S("TABLE".to_owned()))
        .update_expression("SET #table = :name")
        .expression_attribute_names("#table", "table")
        .expression_attribute_values(":name", name)
        .send()
        .await
        .unwrap();
}

#[tokio::test]
async fn a_link_that_was_taken_back_after_the_backup_plays_neither_before_nor_after_it_is_found() {
    let test = operated().await;
    let video = test.film("Restored").await;
    let kept = test.ada().share(&video, "Kept").await;
    let lost = test
        .ada()
        .share(&video, "Taken back after the backup")
        .await;
    for link in [&kept, &lost] {
        test.clock.advance(1.seconds());
        test.open(link, None).await.ok();
    }
    let backup = backup(&test).await;
    test.revoke(&lost).await;
    restore(&test, backup).await;
    minute(&test).await;
    // The row knows nothing, and Mux everything.
    let opened = test.open(&lost, None).await.ok();
    assert_ne!(status(text(&opened, "playbackUrl")).await, 200);
    let found = reconciled(&test).await;
    assert_eq!(
        (&found["linksWithdrawn"], &found["failed"]),
        (&json!(1), &json!(0)),
        "{found}"
    );
    test.open(&lost, None).await.problem(403, "share-revoked");
    let opened = test.open(&kept, None).await.ok();
    assert_eq!(status(text(&opened, "playbackUrl")).await, 200);
    test.woken("retire").await.ok();
    let path = format!("/api/assets/{video}/shares");
    let links = test.ada().get(&path).await.ok();
    let found = links["shares"].as_array().unwrap().iter();
    let found = found.clone().find(|it| it["id"] == lost["id"]).unwrap();
    assert_eq!(found["state"], "REVOKED");
    assert_eq!(test.count_events("share.revoked").await, 2);
    assert_eq!(test.count_events("share.cut").await, 2, "{found}");
}

#[tokio::test]
async fn a_link_that_was_never_played_is_held_until_somebody_vouches_for_the_table() {
    let test = operated().await;
    let video = test.film("Restored").await;
    let unplayed = test.ada().share(&video, "Never played").await;
    let backup = backup(&test).await;
    restore(&test, backup).await;
    let ids = test.playback_ids().await;
    test.open(&unplayed, None)
        .await
        .problem(403, "share-paused"); // even before a job has looked
    minute(&test).await;
    test.open(&unplayed, None)
        .await
        .problem(403, "share-paused");
    assert_eq!(test.playback_ids().await, ids, "nothing was made at Mux");
    assert_eq!(incidents(&test).await, [("table".into(), "open".into())]);
    test.clock.advance(1.seconds());
    let new = test.ada().share(&video, "Made after the restore").await;
    let opened = test.open(&new, None).await.ok();
    assert_eq!(status(text(&opened, "playbackUrl")).await, 200);
    let release = async || {
        let body = json!({"reason": "what was taken back since is taken back"});
        dana(&test).post("/api/ops/restores/release", body).await
    };
    release().await.problem(409, "conflict");
    assert_eq!(standing(&test).await["comparedAt"], Value::Null);
    reconciled(&test).await;
    assert_eq!(standing(&test).await["from"], "the-table-before");
    let released = release().await.ok();
    assert_eq!(released["held"], false);
    assert_eq!(released, release().await.ok(), "once more changes nothing");
    let opened = test.open(&unplayed, None).await.ok();
    assert_eq!(status(text(&opened, "playbackUrl")).await, 200);
    assert_eq!(incidents(&test).await, [("table".into(), "closed".into())]);
    assert_eq!(test.count_events("restore.released").await, 1);
    minute(&test).await;
    assert_eq!(incidents(&test).await.len(), 1, "it stays so");
}

#[tokio::test]
async fn what_could_not_be_compared_vouches_for_nothing() {
    let test = operated().await;
    let video = test.film("Restored").await;
    let link = test.ada().share(&video, "Played").await;
    test.open(&link, None).await.ok();
    let backup = backup(&test).await;
    test.revoke(&link).await;
    restore(&test, backup).await;
    minute(&test).await;
    test.faults.out(true);
    reconciled(&test).await;
    assert_eq!(standing(&test).await["comparedAt"], Value::Null);
    test.faults.out(false);
    for _ in 0..3 {
        reconciled(&test).await;
    }
    assert_ne!(standing(&test).await["comparedAt"], Value::Null);
    test.open(&link, None).await.problem(403, "share-revoked");
}

#[tokio::test]
async fn a_table_that_is_the_one_it_knows_holds_nothing() {
    let test = operated().await;
    let video = test.film("At home").await;
    let link = test.ada().share(&video, "for Sam").await;
    test.open(&link, None).await.ok();
    assert_eq!(standing(&test).await, json!({"held": false}));
    let reason = json!({"reason": "just in case"});
    let answer = dana(&test).post("/api/ops/restores/release", reason).await;
    assert_eq!(answer.ok(), json!({"held": false}));
    assert_eq!(test.count_events("restore.released").await, 0);
}

fn drill(outcome: &str) -> Value {
    json!({
        "table": "portal-drill-20260105", "items": 1_234, "digest": "ab".repeat(32),
        "seconds": 61, "outcome": outcome,
    })
}

#[tokio::test]
async fn a_drill_is_in_the_audit_log_once_and_one_that_fails_is_an_incident_until_one_does_not() {
    let test = operated().await;
    let told = async |body: Value| {
        let path = "/api/ops/restore-drills";
        dana(&test).post(path, body).await
    };
    told(drill("restored")).await.created();
    told(drill("restored")).await.created(); // an answer was lost
    assert_eq!(
        test.event_data("backup.restore-tested").await,
        [json!({
            "table": "portal-drill-20260105", "items": 1_234, "digest": "ab".repeat(32),
            "seconds": 61, "restored": true,
        })]
    );
    assert!(incidents(&test).await.is_empty());
    told(drill("failed")).await.created();
    assert_eq!(incidents(&test).await, [("drill".into(), "open".into())]);
    assert_eq!(standing(&test).await["drill"]["outcome"], "failed");
    test.clock.advance(1.hours());
    told(drill("restored")).await.created();
    assert_eq!(incidents(&test).await, [("drill".into(), "closed".into())]);
    for (field, wrong) in [("table", json!("a b")), ("digest", json!("short"))] {
        let mut body = drill("restored");
        body[field] = wrong;
        told(body).await.problem(422, "invalid-field");
    }
    let path = "/api/audit?type=backup.restore-tested";
    let log = dana(&test).get(path).await.ok();
    assert_eq!(log["entries"].as_array().unwrap().len(), 3);
}
