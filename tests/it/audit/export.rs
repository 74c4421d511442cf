//! The export, and what an outsider finds when the table was tampered with.

use audit_verify::{Damage, Finding, Outcome};
use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Value, json};
use shared::store::{Guard, keys};

use super::{
    audited, checked, compliance, entries, events_of, export, remove, sealed, tamper, verified,
};
use crate::support::{TestApp, answer::text};

#[track_caller]
fn found(outcome: Outcome) -> Finding {
    match outcome {
        Outcome::Damaged(finding) => finding,
        other @ (Outcome::Verified(_) | Outcome::Unusable | Outcome::Uncompared) => {
            panic!("{other:?}")
        }
    }
}

/// A history in two checkpoints, sealed; its entries, the newest first.
async fn history(test: &TestApp) -> Vec<Value> {
    let asset = test.ada().from("203.0.113.7").video("Proved").await;
    let share = test
        .ada()
        .from("203.0.113.7")
        .share(&asset, "for Sam")
        .await;
    sealed(test).await;
    test.ada()
        .delete(&format!("/api/shares/{}", text(&share, "id")))
        .await
        .ok();
    sealed(test).await;
    entries(test, "").await
}

async fn check(test: &TestApp) -> Outcome {
    let (file, _) = export(&compliance(test)).await;
    checked(&compliance(test), &file).await
}

#[tokio::test]
async fn an_export_proves_everything_that_was_sealed_and_says_what_was_not() {
    let test = audited().await;
    history(&test).await;
    test.ada().upload("Not yet").await;
    let verified = verified(check(&test).await);
    assert_eq!(
        (
            verified.entries,
            verified.last_checkpoint,
            verified.unsealed
        ),
        (10, 2, 2)
    );
    assert_eq!(verified.erased.fields, 0);
}

#[tokio::test]
async fn an_export_of_nothing_is_an_end_that_says_so() {
    let test = audited().await;
    let verified = verified(check(&test).await);
    assert_eq!((verified.entries, verified.lines), (0, 1));
}

#[tokio::test]
async fn an_entry_that_was_changed_in_the_table_is_found() {
    for (place, name, value) in [
        (
            0,
            "at",
            AttributeValue::S("2026-01-05T08:00:00Z".to_owned()),
        ),
        (1, "type", AttributeValue::S("share.opened".to_owned())),
        (2, "added", AttributeValue::Bool(true)),
        (3, "tenant", AttributeValue::S("ten_other".to_owned())),
    ] {
        let test = &audited().await;
        let entry = &history(test).await[place];
        tamper(test, entry, name, value).await;
        let finding = found(check(test).await);
        assert_eq!(finding.damage, Damage::Edited, "{name}: {finding:?}");
        assert_eq!(finding.id.as_deref(), entry["id"].as_str());
    }
}

#[tokio::test]
async fn a_pseudonym_that_was_exchanged_is_found() {
    let test = audited().await;
    let history = history(&test).await;
    let entry = history
        .iter()
        .find(|it| it["type"] == "share.created")
        .unwrap();
    let field = |salt: &str, value: &str| {
        let word = |it: &str| AttributeValue::S(it.to_owned());
        let members = [("salt", word(salt)), ("value", word(value))];
        AttributeValue::M(members.map(|(name, it)| (name.to_owned(), it)).into())
    };
    let clear = [(
        "address".to_owned(),
        field(&"0".repeat(64), &"f".repeat(32)),
    )];
    tamper(&test, entry, "clear", AttributeValue::M(clear.into())).await;
    let finding = found(check(&test).await);
    assert_eq!(
        (finding.damage, finding.id.as_deref()),
        (Damage::Commitment, entry["id"].as_str())
    );
}

#[tokio::test]
async fn an_entry_that_was_deleted_from_the_table_is_found_and_named() {
    for place in 0..4 {
        let test = &audited().await;
        let entry = &history(test).await[place];
        remove(test, events_of(entry), text(entry, "id")).await;
        let finding = found(check(test).await);
        assert_eq!(finding.damage, Damage::Deleted, "{finding:?}");
        assert_eq!(finding.id.as_deref(), entry["id"].as_str());
    }
}

#[tokio::test]
async fn checkpoints_that_were_deleted_or_rewritten_are_found() {
    let partition =
        |entry: &Value| AttributeValue::S(format!("TENANT#{}#CHECKPOINTS", text(entry, "tenant")));
    for (number, damage) in [
        ("000000000001", Damage::Gap),
        ("000000000002", Damage::Truncated),
    ] {
        let test = audited().await;
        let entry = &history(&test).await[0];
        remove(&test, partition(entry), number).await;
        let finding = found(check(&test).await);
        assert_eq!(finding.damage, damage, "{finding:?}");
    }
    let test = audited().await;
    let entry = &history(&test).await[0];
    let client = test.clients().dynamodb;
    client
        .update_item()
        .table_name(dev::aws::TABLE)
        .key("pk", partition(entry))
        .key("sk", AttributeValue::S("000000000001".to_owned()))
        .update_expression("SET checkpoint.sealedAt = :at")
        .expression_attribute_values(":at", AttributeValue::S("2026-01-05T08:00:00Z".to_owned()))
        .send()
        .await
        .unwrap();
    assert_eq!(found(check(&test).await).damage, Damage::BadSignature);
}

#[tokio::test]
async fn a_place_of_sealing_that_was_set_back_or_removed_gives_no_export() {
    for number in [None, Some(1)] {
        let test = audited().await;
        let entry = &history(&test).await[0];
        let tenant = text(entry, "tenant").parse().unwrap();
        let key = keys::place_of_sealing(tenant);
        match number {
            Some(number) => {
                let place: Option<Value> = test.app.store.get(&key).await.unwrap();
                let mut place = place.unwrap();
                place["number"] = number.into();
                test.app.store.put(&key, &place, Guard::None).await.unwrap();
            }
            None => test.app.store.delete(&key, Guard::None).await.unwrap(),
        }
        let answer = compliance(&test).get("/api/audit/export").await;
        answer.problem(500, "internal");
    }
}

#[tokio::test]
async fn who_exports_leaves_an_entry_of_it() {
    let test = audited().await;
    history(&test).await;
    export(&test.ada()).await;
    let found = &entries(&test, "type=audit").await[0];
    assert_eq!(found["type"], "audit.exported");
    assert_eq!(found["data"], json!({"after": 0, "last": 2}));
    assert_eq!(found["actor"]["kind"], "user");
}
