//! Erasing what is about a person, without breaking the proof.

use serde_json::{Value, json};

use super::{audited, checked, compliance, entries, export, sealed, verified};
use crate::support::answer::text;

#[tokio::test]
async fn what_a_person_left_is_erased_and_the_proof_holds() {
    let test = audited().await;
    let asset = test.ada().from("203.0.113.7").video("Erased").await;
    let share = test
        .ada()
        .from("203.0.113.7")
        .share(&asset, "for Sam")
        .await;
    let guest = test.anonymous().from("198.51.100.9");
    guest
        .get(&format!("/api/share/{}", text(&share, "token")))
        .await
        .ok();
    sealed(&test).await;
    let created = &entries(&test, "type=share.created").await[0];
    let user = text(&created["actor"], "id");
    let body = json!({"actor": user});
    let erased = compliance(&test)
        .post("/api/audit/erase", body.clone())
        .await
        .ok();
    assert_eq!(erased, json!({"erased": 3}));
    let again = compliance(&test).post("/api/audit/erase", body).await.ok();
    assert_eq!(again, json!({"erased": 0}), "and nobody is told twice");
    let events = entries(&test, "type=audit.erased").await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["data"], json!({"actor": user, "entries": 3}));
    for entry in entries(&test, &format!("actor={user}")).await {
        assert_eq!(entry["clear"], Value::Null, "{entry}");
    }
    let opened = &entries(&test, "type=share.opened").await[0];
    assert_ne!(opened["clear"], Value::Null, "the guest's stays");
    sealed(&test).await;
    let (file, _) = export(&test.ada()).await;
    let verified = verified(checked(&compliance(&test), &file).await);
    assert_eq!(
        (
            verified.entries,
            verified.erased.fields,
            verified.erased.unexplained
        ),
        (10, 3, 0)
    );
}

#[tokio::test]
async fn one_entry_is_erased_before_or_after_it_is_sealed() {
    let test = audited().await;
    test.ada().from("203.0.113.7").upload("One").await;
    test.ada().from("203.0.113.7").upload("Two").await;
    let ids: Vec<Value> = entries(&test, "")
        .await
        .iter()
        .map(|it| it["id"].clone())
        .collect();
    let erase = async |id: &Value| {
        let erased = test
            .ada()
            .post("/api/audit/erase", json!({"entry": id}))
            .await
            .ok();
        assert_eq!(erased["erased"], 1);
    };
    erase(&ids[0]).await;
    sealed(&test).await;
    erase(&ids[1]).await;
    sealed(&test).await;
    let (file, _) = export(&test.ada()).await;
    let verified = verified(checked(&compliance(&test), &file).await);
    assert_eq!(
        (verified.entries, verified.erased.fields, verified.unsealed),
        (6, 2, 0)
    );
}

#[tokio::test]
async fn what_names_nobody_is_refused() {
    let test = audited().await;
    for body in [
        json!({}),
        json!({"actor": "mux"}),
        json!({"actor": "usr_1"}),
        json!({"actor": "usr_01KE6P4YM00000000000000000", "entry": "evt_01KE6P4YM00000000000000000"}),
    ] {
        let answer = test.ada().post("/api/audit/erase", body).await;
        answer.problem(422, "invalid-field");
    }
}
