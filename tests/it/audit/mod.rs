//! The audit log: every change leaves its entry, entries are sealed, and an outsider can prove it.

mod archive;
mod entries;
mod erase;
mod export;
mod sealing;

use audit_verify::{Heads, KeyRing, Outcome, Verified, verify};
use aws_sdk_dynamodb::types::AttributeValue;
use dev::aws::TABLE;
use serde_json::Value;

use crate::support::{Actor, CRON, Caller, PLENTY, TestApp, Wishes, answer::text};

async fn audited() -> TestApp {
    TestApp::with(Wishes {
        shaky_table: true,
        variables: vec![CRON, PLENTY],
        ..Wishes::default()
    })
    .await
}

/// What a run of the job did.
async fn sealed(test: &TestApp) -> Value {
    let answer = test.woken("audit-seal").await.ok();
    assert_eq!(answer["ran"], true, "{answer}");
    answer["pass"].clone()
}

fn compliance(test: &TestApp) -> Actor<'_> {
    test.as_caller(Caller::Role("compliance"))
}

/// All entries that this query finds, the newest first, page by page.
async fn entries(test: &TestApp, query: &str) -> Vec<Value> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/api/audit?limit=3&{query}{cursor}");
        let page = compliance(test).get(&path).await.ok();
        all.extend(page["entries"].as_array().unwrap().clone());
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return all,
        }
    }
}

fn types(entries: &[Value]) -> Vec<&str> {
    entries.iter().map(|it| text(it, "type")).collect()
}

/// The whole export, its pages one after the other, and how many there were.
pub(crate) async fn export(caller: &Actor<'_>) -> (Vec<u8>, usize) {
    let (mut file, mut after, mut pages) = (Vec::new(), "0".to_owned(), 0);
    loop {
        let path = format!("/api/audit/export?after={after}");
        let page = caller.get(&path).await;
        assert_eq!(page.status, 200, "{}", page.body);
        assert_eq!(page.headers["content-type"], "application/jsonl");
        file.extend(page.bytes);
        pages += 1;
        match page.headers.get("x-audit-next") {
            Some(next) => next.to_str().unwrap().clone_into(&mut after),
            None => return (file, pages),
        }
    }
}

pub(crate) async fn checked(auditor: &Actor<'_>, file: &[u8]) -> Outcome {
    let key = auditor.get("/api/audit/key").await;
    let keys = KeyRing::parse(&String::from_utf8(key.bytes).unwrap()).unwrap();
    verify(file, &keys, &Heads::default(), false).unwrap()
}

#[track_caller]
pub(crate) fn verified(outcome: Outcome) -> Verified {
    match outcome {
        Outcome::Verified(verified) => *verified,
        other @ (Outcome::Damaged(_) | Outcome::Unusable | Outcome::Uncompared) => {
            panic!("{other:?}")
        }
    }
}

/// What the table really holds of an event.
async fn row(test: &TestApp, entry: &Value) -> std::collections::HashMap<String, AttributeValue> {
    let client = test.clients().dynamodb;
    let item = client
        .get_item()
        .table_name(TABLE)
        .key("pk", events_of(entry))
        .key("sk", AttributeValue::S(text(entry, "id").to_owned()))
        .send()
        .await
        .unwrap();
    item.item.unwrap()
}

fn events_of(entry: &Value) -> AttributeValue {
    AttributeValue::S(format!("TENANT#{}#EVENTS", text(entry, "tenant")))
}

/// Changes an attribute of a stored event behind the portal's back.
async fn tamper(test: &TestApp, entry: &Value, name: &str, value: AttributeValue) {
    let client = test.clients().dynamodb;
    client
        .update_item()
        .table_name(TABLE)
        .key("pk", events_of(entry))
        .key("sk", AttributeValue::S(text(entry, "id").to_owned()))
        .update_expression("SET #name = :value")
        .expression_attribute_names("#name", name)
        .expression_attribute_values(":value", value)
        .send()
        .await
        .unwrap();
}

async fn remove(test: &TestApp, pk: AttributeValue, sk: &str) {
    let client = test.clients().dynamodb;
    let call = client.delete_item().table_name(TABLE).key("pk", pk);
    let call = call.key("sk", AttributeValue::S(sk.to_owned()));
    call.send().await.unwrap();
}
