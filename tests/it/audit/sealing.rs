//! Sealing: everything, once, whatever dies or runs at the same time.

use aws_sdk_dynamodb::{primitives::Blob, types::AttributeValue};
use serde_json::json;
use shared::{
    audit::seal,
    events::{Act, Event},
    store::{Guard, keys},
};
use time::ext::NumericalDuration;

use super::{audited, checked, compliance, entries, export, sealed, tamper, verified};
use crate::support::{Caller, TableFault, TestApp, answer::text};

#[tokio::test]
async fn a_run_seals_all_tenants_and_the_next_one_changes_nothing() {
    let test = audited().await;
    test.ada().video("One").await;
    test.cora().video("Other").await;
    let pass = sealed(&test).await;
    assert_eq!(
        pass,
        json!({"checkpoints": 2, "entries": 14, "left": 0, "archived": 0, "unarchived": 0, "failed": 0})
    );
    let once = test.dump().await;
    let again = sealed(&test).await;
    let nothing = json!({"checkpoints": 0, "entries": 0, "left": 0, "archived": 0, "unarchived": 0, "failed": 0});
    // The watch's first look is no entry, so nothing at all is new.
    assert_eq!(again, nothing, "{once}");
    let listed = entries(&test, "").await;
    assert!(listed.iter().all(|it| it["sealedIn"] == 1), "{listed:#?}");
    let (file, pages) = export(&test.ada()).await;
    assert_eq!(
        (
            verified(checked(&compliance(&test), &file).await).entries,
            pages
        ),
        (7, 1)
    );
}

#[tokio::test]
async fn what_comes_later_goes_on_from_what_was_sealed() {
    let test = audited().await;
    for number in 1..=3 {
        test.ada().upload(&format!("Video {number}")).await;
        test.clock.advance(5.minutes());
        assert_eq!(sealed(&test).await["entries"], 2);
    }
    let (file, _) = export(&test.ada()).await;
    let verified = verified(checked(&compliance(&test), &file).await);
    assert_eq!(
        (
            verified.entries,
            verified.last_checkpoint,
            verified.unsealed
        ),
        (6, 3, 0)
    );
}

#[tokio::test]
async fn an_entry_whose_transaction_lands_late_is_in_a_later_checkpoint() {
    let test = audited().await;
    test.ada().upload("Begun").await;
    let tenant = entries(&test, "").await[0]["tenant"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    let act = Act::of_job("test", test.app.ids.mint());
    let event = Event::AlertCleared {
        alert: shared::alerts::Alert::AuditLate,
    };
    // It has its id, and is written only when everything after it has been sealed.
    let late = act.write(&test.app, tenant, event).unwrap();
    test.clock.advance(1.minutes());
    test.ada().upload("Later").await;
    assert_eq!(sealed(&test).await["entries"], 4);
    test.app.store.commit(vec![late]).await.unwrap();
    assert_eq!(sealed(&test).await["entries"], 1);
    let listed = entries(&test, "").await;
    let sealed_in: Vec<u64> = listed
        .iter()
        .map(|it| it["sealedIn"].as_u64().unwrap())
        .collect();
    assert_eq!(sealed_in, [1, 1, 2, 1, 1]);
    let (file, _) = export(&test.ada()).await;
    verified(checked(&compliance(&test), &file).await);
}

#[tokio::test]
async fn many_entries_are_several_checkpoints_and_several_pages() {
    let test = audited().await;
    test.ada().upload("Many").await;
    let tenant = entries(&test, "").await[0]["tenant"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    let act = Act::of_job("test", test.app.ids.mint());
    for chunk in 0..40 {
        let large = if chunk < 20 { 1 } else { 3_000 };
        let event = || Event::AuditErased {
            entry: None,
            actor: Some("x".repeat(large)),
            entries: 1,
        };
        let writes = (0..60).map(|_| act.write(&test.app, tenant, event()).unwrap());
        test.app.store.commit(writes.collect()).await.unwrap();
        test.clock.advance(1.milliseconds());
    }
    let pass = sealed(&test).await;
    let whole = json!({"checkpoints": 4, "entries": 2_402, "left": 0, "archived": 0, "unarchived": 0, "failed": 0});
    assert_eq!(pass, whole, "1,000; as many as fit 1.5 MB; the rest");
    let (file, pages) = export(&test.ada()).await;
    let verified = verified(checked(&compliance(&test), &file).await);
    assert_eq!((verified.entries, verified.last_checkpoint), (2_402, 4));
    assert_eq!(pages, 2);
}

#[tokio::test]
async fn a_run_that_died_before_it_unlisted_is_finished_by_the_next_one() {
    let test = audited().await;
    test.ada().video("Died").await;
    let before = entries(&test, "").await;
    sealed(&test).await;
    // As if it had died right after its checkpoint: the entries are as they were, the place is open.
    let tenant = before[0]["tenant"].as_str().unwrap().parse().unwrap();
    for entry in &before {
        relist(&test, entry).await;
    }
    let key = keys::place_of_sealing(tenant);
    let place: Option<serde_json::Value> = test.app.store.get(&key).await.unwrap();
    let mut place = place.unwrap();
    place["open"] = true.into();
    test.app.store.put(&key, &place, Guard::None).await.unwrap();
    test.ada().upload("New").await;
    assert_eq!(sealed(&test).await["entries"], 2, "only what is new");
    assert_eq!(sealed(&test).await["entries"], 0);
    let (file, _) = export(&test.ada()).await;
    let verified = verified(checked(&compliance(&test), &file).await);
    assert_eq!(
        (
            verified.entries,
            verified.last_checkpoint,
            verified.unsealed
        ),
        (9, 2, 0)
    );
}

/// Puts an entry back where it was before it was sealed.
async fn relist(test: &TestApp, entry: &serde_json::Value) {
    let id = text(entry, "id").parse().unwrap();
    let tenant = text(entry, "tenant").parse().unwrap();
    let mut bare = entry.clone();
    bare.as_object_mut().unwrap().remove("sealedIn");
    let about = entry["data"]["asset"].as_str();
    let key = keys::unsealed_event(tenant, id, about);
    test.app.store.put(&key, &bare, Guard::None).await.unwrap();
}

#[tokio::test]
async fn an_answer_that_was_lost_seals_nothing_twice() {
    let test = audited().await;
    test.ada().video("Lost").await;
    // The lease is no transaction; the checkpoint is.
    test.table.next(TableFault::DoneAndLost);
    let _ = test.woken("audit-seal").await;
    test.clock.advance(5.minutes());
    sealed(&test).await;
    let (file, _) = export(&test.ada()).await;
    let verified = verified(checked(&compliance(&test), &file).await);
    assert_eq!(
        (
            verified.entries,
            verified.last_checkpoint,
            verified.unsealed
        ),
        (7, 1, 0)
    );
}

#[tokio::test]
async fn two_runs_at_once_make_no_fork() {
    let test = audited().await;
    for number in 0..20 {
        test.ada().upload(&format!("Video {number}")).await;
    }
    for _ in 0..4 {
        let lease = keys::job("audit-seal");
        let steal = async {
            // Whoever holds the lease loses it, as if it had run out.
            for _ in 0..50 {
                let _ = test.app.store.delete(&lease, Guard::None).await;
                tokio::task::yield_now().await;
            }
        };
        let (one, other, third, ()) =
            tokio::join!(seal(&test.app), seal(&test.app), seal(&test.app), steal);
        for done in [one, other, third] {
            done.unwrap();
        }
        test.ada().upload("Another").await;
    }
    sealed(&test).await;
    let (file, _) = export(&test.ada()).await;
    let verified = verified(checked(&compliance(&test), &file).await);
    assert_eq!((verified.entries, verified.unsealed), (48, 0));
}

#[tokio::test]
async fn a_checkpoint_that_somebody_planted_stops_the_sealing_and_is_alerted_of() {
    let test = audited().await;
    test.ada().upload("Planted").await;
    test.woken("dlq-replay").await.ok();
    let tenant = entries(&test, "").await[0]["tenant"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    let planted = keys::checkpoint(tenant, 1);
    test.app
        .store
        .put(&planted, &json!({"planted": true}), Guard::Absent)
        .await
        .unwrap();
    test.woken("audit-seal").await.problem(500, "internal");
    test.clock.advance(31.minutes());
    test.woken("audit-seal").await.problem(500, "internal");
    let dana = test.as_caller(Caller::Person("dana"));
    let alerts = dana.get("/api/ops/alerts").await.ok().to_string();
    assert!(alerts.contains("audit-late"), "{alerts}");
}

#[tokio::test]
async fn an_entry_that_cannot_be_read_keeps_no_other_from_being_sealed_and_is_told_of() {
    let test = audited().await;
    test.ada().video("Sound").await;
    test.ada().upload("Broken").await;
    let entry = &entries(&test, "").await[0];
    let binary = AttributeValue::B(Blob::new([0xff]));
    tamper(&test, entry, "request", binary).await;
    test.woken("audit-seal").await.problem(500, "internal");
    let tenant = text(entry, "tenant").parse().unwrap();
    let place: Option<serde_json::Value> = test
        .app
        .store
        .get(&keys::place_of_sealing(tenant))
        .await
        .unwrap();
    assert_eq!(place.unwrap()["total"], 8);
}

#[tokio::test]
async fn an_entry_that_says_it_is_sealed_and_is_not_is_late() {
    let test = audited().await;
    test.ada().upload("Hidden").await;
    let entry = &entries(&test, "").await[0];
    tamper(&test, entry, "sealedIn", AttributeValue::N("1".to_owned())).await;
    assert_eq!(sealed(&test).await["entries"], 1, "the other one");
    test.clock.advance(16.minutes());
    test.woken("audit-seal").await.problem(500, "internal");
}
