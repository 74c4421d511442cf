//! After a year entries leave the log's partition, and the proof goes on.

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Value, json};
use time::ext::NumericalDuration;

use super::{audited, checked, compliance, entries, export, sealed, tamper, verified};
use crate::support::{TestApp, answer::text};

async fn a_year_ago(test: &TestApp) -> Vec<Value> {
    let asset = test.ada().from("203.0.113.7").video("Old").await;
    test.ada()
        .from("203.0.113.7")
        .share(&asset, "for Sam")
        .await;
    sealed(test).await;
    let old = entries(test, "").await;
    test.clock.advance(366.days());
    test.ada().upload("New").await;
    old
}

#[tokio::test]
async fn what_is_older_than_a_year_is_archived_once_and_still_exported() {
    let test = audited().await;
    a_year_ago(&test).await;
    let pass = sealed(&test).await;
    assert_eq!(
        (&pass["archived"], &pass["entries"]),
        (&json!(1), &json!(2))
    );
    assert_eq!(sealed(&test).await["archived"], 0);
    assert_eq!(
        entries(&test, "").await.len(),
        2,
        "what is archived is not searched"
    );
    let (file, _) = export(&test.ada()).await;
    let verified = verified(checked(&compliance(&test), &file).await);
    assert_eq!((verified.entries, verified.last_checkpoint), (10, 2));
    assert_eq!(verified.erased.fields, 3, "nobody's address is archived");
    assert_eq!(
        (verified.erased.archived, verified.erased.unexplained),
        (3, 0)
    );
    assert_eq!(sealed(&test).await["entries"], 1, "that it was exported");
}

#[tokio::test]
async fn what_is_not_what_was_sealed_is_not_archived_and_stays_as_it_is() {
    let test = audited().await;
    let old = a_year_ago(&test).await;
    tamper(&test, &old[1], "at", AttributeValue::S("2026".to_owned())).await;
    let pass = sealed(&test).await;
    assert_eq!(
        (&pass["archived"], &pass["unarchived"]),
        (&json!(0), &json!(1))
    );
    assert_eq!(entries(&test, "").await.len(), 10);
    let (file, _) = export(&test.ada()).await;
    let audit_verify::Outcome::Damaged(finding) = checked(&compliance(&test), &file).await else {
        panic!("nothing was found")
    };
    assert_eq!(finding.id.as_deref(), old[1]["id"].as_str());
}

#[tokio::test]
async fn an_archiving_that_died_half_way_is_finished_by_the_next_run() {
    let test = audited().await;
    let old = a_year_ago(&test).await;
    sealed(&test).await;
    // As if it had died when it had removed all but one, and its mark was still there.
    let (id, tenant) = (
        text(&old[2], "id"),
        text(&old[2], "tenant").parse().unwrap(),
    );
    let mut bare = old[2].clone();
    bare.as_object_mut().unwrap().remove("clear");
    let key = shared::store::keys::event(tenant, id.parse().unwrap());
    let none = shared::store::Guard::None;
    test.app.store.put(&key, &bare, none).await.unwrap();
    let at = time::macros::datetime!(2026-01-05 09:00 UTC);
    let mark = shared::store::keys::live_checkpoint(tenant, 1, at);
    let live = json!({"tenant": tenant, "number": 1, "sealed_at": "2026-01-05T09:00:00Z"});
    test.app.store.put(&mark, &live, none).await.unwrap();
    let (file, _) = export(&test.ada()).await;
    verified(checked(&compliance(&test), &file).await);
    assert_eq!(sealed(&test).await["archived"], 1);
    assert_eq!(entries(&test, "").await.len(), 3);
    let (file, _) = export(&test.ada()).await;
    assert_eq!(
        verified(checked(&compliance(&test), &file).await).entries,
        11
    );
}
