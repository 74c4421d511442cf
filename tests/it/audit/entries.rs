//! What leaves an entry, what stands in it, and how it is found again.

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Value, json};
use shared::{assets::Asset, clock::Clock, store::keys};
use time::{ext::NumericalDuration, format_description::well_known::Rfc3339};

use super::{audited, entries, row, types};
use crate::support::{Caller, Story, TestApp, actors::order, answer::text};

/// Each entry's `change.after` is the next one's `change.before`: nothing happened in between.
#[track_caller]
fn are_a_chain(newest_first: &[&Value]) {
    let oldest = newest_first.last().unwrap();
    assert_eq!(oldest["change"]["before"], Value::Null, "{oldest}");
    for pair in newest_first.windows(2) {
        assert_eq!(
            pair[0]["change"]["before"], pair[1]["change"]["after"],
            "{pair:#?}"
        );
    }
}

#[tokio::test]
async fn every_change_of_a_link_leaves_its_entry_with_the_row_before_and_after() {
    let test = audited().await;
    let asset = test.ada().video("Shared").await;
    let share = test.ada().share(&asset, "for Sam").await;
    let (id, token) = (text(&share, "id"), text(&share, "token"));
    let path = format!("/api/shares/{id}");
    test.ada()
        .patch(&path, json!({"label": "for Kim"}))
        .await
        .ok();
    test.ada()
        .patch(&path, json!({"expiresInHours": 48}))
        .await
        .ok();
    test.anonymous()
        .get(&format!("/api/share/{token}"))
        .await
        .ok();
    test.ada().delete(&path).await.ok();
    test.anonymous()
        .get(&format!("/api/share/{token}"))
        .await
        .problem(403, "share-revoked");
    let found = entries(&test, &format!("about={id}")).await;
    assert_eq!(
        types(&found),
        [
            "share.refused",
            "share.cutting",
            "share.revoked",
            "share.opened",
            "share.extended",
            "share.relabelled",
            "share.created",
        ]
    );
    let changes: Vec<&Value> = found.iter().filter(|it| !it["change"].is_null()).collect();
    assert_eq!(changes.len(), 6, "all but the refusal");
    are_a_chain(&changes);
}

#[tokio::test]
async fn every_change_of_a_video_leaves_its_entry_and_its_links_end_with_it() {
    let test = audited().await;
    let asset = test.ada().video("Renamed").await;
    let story = Story::new(&asset, test.clock.now());
    let updated = story.asset_event(9, "video.asset.updated", "ready");
    test.webhook(&updated).await.ok();
    let path = format!("/api/assets/{asset}");
    test.ada()
        .patch(&path, json!({"title": "Again"}))
        .await
        .ok();
    let known = test.dump().await;
    test.webhook(&updated).await.ok();
    assert_eq!(known, test.dump().await, "what is known is written nowhere");
    test.ada().delete(&path).await.ok();
    let found = entries(&test, &format!("about={asset}")).await;
    assert_eq!(
        types(&found),
        [
            "asset.deleted",
            "asset.renamed",
            "asset.updated",
            "asset.updated",
            "asset.ready",
            "asset.updated",
            "upload.received",
            "asset.updated",
            "asset.updated",
            "upload.requested"
        ]
    );
    are_a_chain(&found.iter().collect::<Vec<_>>());
    let now: Option<Asset> = test
        .app
        .store
        .get(&keys::asset(asset.parse().unwrap()))
        .await
        .unwrap();
    let digest = audit_verify::digest_of(&now.unwrap()).unwrap();
    assert_eq!(
        found[0]["change"]["after"],
        digest.as_str(),
        "the row as it stands"
    );
}

#[tokio::test]
async fn an_upload_that_is_called_off_leaves_its_entries() {
    let test = audited().await;
    let upload = test
        .ada()
        .post("/api/uploads", order("Off"))
        .await
        .created();
    let id = text(&upload, "id");
    test.ada().delete(&format!("/api/uploads/{id}")).await.ok();
    let found = entries(&test, &format!("about={id}")).await;
    assert_eq!(
        types(&found),
        ["upload.cancelled", "asset.updated", "upload.requested"]
    );
    are_a_chain(&found.iter().collect::<Vec<_>>());
}

#[tokio::test]
async fn what_becomes_of_dead_letters_leaves_its_entries() {
    let test = audited().await;
    let story = Story::new("ast_01KE6P4YM00000000000000000", test.clock.now());
    let mut event = story.happy()[3].clone();
    event["id"] = "stuck".into();
    test.table.never(Some("EVENT#stuck"));
    assert_eq!(test.webhook(&event).await.ok()["outcome"], "queued");
    for _ in 0..5 {
        test.woken("dlq-replay").await.ok();
        test.clock.advance(16.minutes());
    }
    test.table.never(None);
    let dana = test.as_caller(Caller::Person("dana"));
    let letters = dana.get("/api/ops/dead-letters?state=waiting").await.ok();
    let id = text(&letters["deadLetters"][0], "id");
    let replay = json!({"ids": [id], "dryRun": false});
    dana.post("/api/ops/dead-letters/replay", replay).await.ok();
    let found = dana.get("/api/audit?type=letter").await.ok();
    let found = found["entries"].as_array().unwrap();
    let tried = "letter.tried";
    assert_eq!(
        types(found),
        [
            "letter.replayed",
            tried,
            "letter.stuck",
            tried,
            tried,
            tried
        ]
    );
    assert_eq!(found[0]["change"]["after"], Value::Null, "the case is gone");
    are_a_chain(&found.iter().collect::<Vec<_>>());
}

#[tokio::test]
async fn an_entry_is_found_by_time_actor_type_and_subject_and_by_all_of_them() {
    let test = audited().await;
    let asset = test.ada().video("Found").await;
    test.clock.advance(1.hours());
    let from = test.clock.now().format(&Rfc3339).unwrap();
    let share = test.ada().share(&asset, "one").await;
    test.ada().share(&asset, "two").await;
    assert_eq!(entries(&test, "").await.len(), 9);
    assert_eq!(
        types(&entries(&test, &format!("from={from}")).await),
        ["share.created"; 2]
    );
    assert_eq!(
        types(&entries(&test, &format!("to={from}&type=asset")).await),
        [
            "asset.updated",
            "asset.ready",
            "asset.updated",
            "asset.updated",
            "asset.updated"
        ]
    );
    assert_eq!(
        types(&entries(&test, "actor=mux&type=asset.ready").await),
        ["asset.ready"]
    );
    assert_eq!(entries(&test, "actor=mux").await.len(), 5);
    let user = text(&entries(&test, "type=share").await[0]["actor"], "id").to_owned();
    assert_eq!(entries(&test, &format!("actor={user}")).await.len(), 4);
    let about = format!(
        "about={}&actor={user}&type=share.created&from={from}",
        text(&share, "id")
    );
    assert_eq!(entries(&test, &about).await.len(), 1);
    assert_eq!(
        entries(&test, "about=shr_01KE6P4YM00000000000000000")
            .await
            .len(),
        0
    );
}

#[tokio::test]
async fn a_question_that_makes_no_sense_is_refused() {
    let test = audited().await;
    for query in ["about=upl_1", "from=yesterday", "limit=0", "limit=101"] {
        let answer = test.ada().get(&format!("/api/audit?{query}")).await;
        answer.problem(422, "invalid-field");
    }
    for query in ["cursor=x", "colour=red"] {
        let answer = test.ada().get(&format!("/api/audit?{query}")).await;
        answer.problem(400, "invalid-request");
    }
    let answer = test.ada().get("/api/audit/export?after=1").await;
    answer.problem(422, "invalid-field");
}

#[tokio::test]
async fn a_filter_that_finds_little_reads_a_bounded_number_of_rows_and_says_where_to_go_on() {
    let test = audited().await;
    let asset = test.ada().upload("Old").await;
    let act = shared::events::Act::of_job("test", test.app.ids.mint());
    let tenant = entries(&test, "").await[0]["tenant"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    for _ in 0..1_050 {
        test.clock.advance(1.milliseconds());
        let event = shared::events::Event::AlertCleared {
            alert: shared::alerts::Alert::AuditLate,
        };
        act.note(&test.app, tenant, event).await.unwrap();
    }
    let page = test.ada().get("/api/audit?type=upload").await.ok();
    assert_eq!(page["entries"], json!([]));
    let path = format!(
        "/api/audit?type=upload&cursor={}",
        text(&page, "nextCursor")
    );
    let page = test.ada().get(&path).await.ok();
    assert_eq!(page["entries"][0]["data"]["asset"], asset["id"]);
    assert_eq!(page["nextCursor"], Value::Null);
}

#[tokio::test]
async fn another_tenant_sees_nothing() {
    let test = audited().await;
    let asset = test.ada().video("Private").await;
    let mut claims = test
        .issuer
        .claims(TestApp::person("cora"), crate::support::ORIGIN);
    claims["o"]["rol"] = "admin".into();
    let token = test.issuer.sign(&claims).unwrap();
    let cora = test.as_caller(Caller::Token(token));
    for query in ["", &format!("?about={asset}"), "?actor=mux"] {
        let page = cora.get(&format!("/api/audit{query}")).await.ok();
        assert_eq!(page, json!({"entries": []}));
    }
    let entry = &entries(&test, "").await[0];
    cora.post("/api/audit/erase", json!({"entry": entry["id"]}))
        .await
        .problem(404, "not-found");
    let page = cora.get("/api/audit/export").await;
    let line: Value = serde_json::from_slice(&page.bytes).unwrap();
    assert_eq!(
        (&line["end"]["latest"], &line["end"]["unsealed"]),
        (&json!(0), &json!(0))
    );
}

/// An item costs a write unit a kilobyte, in the table and in each index.
#[tokio::test]
async fn an_entry_with_everything_fits_a_kilobyte() {
    let test = audited().await;
    let asset = test.ada().video("Small").await;
    let share = test.ada().share(&asset, "for Sam").await;
    let path = format!("/api/shares/{}", text(&share, "id"));
    test.ada().from("2001:db8::7").delete(&path).await.ok();
    let entry = &entries(&test, "type=share.revoked").await[0];
    assert_eq!(text(&entry["clear"], "address").len(), 32);
    assert_eq!(text(&entry["personal"], "address").len(), 64);
    let bytes: usize = row(&test, entry)
        .await
        .iter()
        .map(|(name, it)| name.len() + size(it))
        .sum();
    assert!((700..1_000).contains(&bytes), "{bytes}");
}

/// As DynamoDB counts (`CapacityUnitCalculations.html`): text by its bytes, three for a map and one
/// for each of its members.
fn size(value: &AttributeValue) -> usize {
    if let Ok(text) = value.as_s() {
        return text.len();
    }
    let members = value.as_m().unwrap().iter();
    3 + members
        .map(|(name, it)| 1 + name.len() + size(it))
        .sum::<usize>()
}

#[tokio::test]
async fn no_address_stands_in_the_table() {
    let test = audited().await;
    let asset = test.ada().from("203.0.113.7").video("Address").await;
    let share = test
        .ada()
        .from("203.0.113.7")
        .share(&asset, "for Sam")
        .await;
    let opened = test.anonymous().from("198.51.100.9");
    opened
        .get(&format!("/api/share/{}", text(&share, "token")))
        .await
        .ok();
    let table = test.dump().await;
    assert!(!table.contains("203.0.113.7") && !table.contains("198.51.100.9"));
    let of = |kind: &str| format!("type={kind}");
    let requested = entries(&test, &of("upload.requested")).await;
    let created = entries(&test, &of("share.created")).await;
    let opened = entries(&test, &of("share.opened")).await;
    assert_eq!(
        requested[0]["clear"], created[0]["clear"],
        "one address has one pseudonym"
    );
    assert_ne!(
        requested[0]["personal"], created[0]["personal"],
        "and a salt each time"
    );
    assert_ne!(opened[0]["clear"], created[0]["clear"]);
    assert_eq!(
        entries(&test, &of("asset.ready")).await[0]["clear"],
        Value::Null
    );
}
