//! Facts about secrets that change while everybody goes on working.

mod load;

use dev::rotate::{
    self, Kept,
    plan::Document,
    secret::{Secret, Step},
};
use serde_json::{Value, json};
use time::{Duration, ext::NumericalDuration};

pub(crate) use self::load::NAMES;
use self::load::{ID, INSTANCES, Load, PASSWORD};
use crate::{
    audit::{checked, export, verified},
    support::Caller,
};

#[tokio::test]
async fn every_secret_is_replaced_and_nobody_is_refused() {
    let mut load = Load::new().await;
    let before: Value = serde_json::from_str(&load.store.current(ID).unwrap()).unwrap();
    for secret in [
        Secret::GrantKey,
        Secret::PseudonymKey,
        Secret::CronSecret,
        Secret::AuditSigningKey,
        Secret::MuxWebhookSigningSecret,
        Secret::MuxSigningKey,
        Secret::MuxToken,
        Secret::SmtpUrl,
    ] {
        load.replace(secret).await;
        load.everybody().await;
    }
    let after: Value = serde_json::from_str(&load.store.current(ID).unwrap()).unwrap();
    for name in NAMES {
        assert_ne!(before[name], after[name], "{name}");
        let value = after[name].as_str().unwrap();
        assert!(!value.contains(','), "{name}: the old one is gone");
    }
    assert!(load.requests > 1_000, "{}", load.requests);
    // What the first key sealed is verified as well as what the second one did.
    let auditor = load.test.as_caller(Caller::Role("compliance"));
    let auditor = load.by(auditor, 0);
    let (file, _) = export(&auditor).await;
    let seals = String::from_utf8(auditor.get("/api/audit/key").await.bytes).unwrap();
    assert_eq!(seals.matches("BEGIN PUBLIC KEY").count(), 2);
    verified(checked(&auditor, &file).await);
}

#[tokio::test]
async fn a_key_that_is_used_before_everybody_takes_it_refuses_somebody() {
    let load = Load::new().await;
    let mut kept: Value = serde_json::from_str(&load.store.current(ID).unwrap()).unwrap();
    kept["GRANT_KEY"] = "another-key-another-key-another-key".into();
    load.store.put(ID, &kept.to_string());
    // The first instance looks five minutes after it began, when the last one has not.
    load.test
        .clock
        .advance(5.minutes() - Duration::seconds(70 * i64::from(INSTANCES)) + 1.seconds());
    let (shown, path) = (
        json!({"password": PASSWORD}),
        load.path("password", "/session"),
    );
    let shown = load.viewer(0, None).post(&path, shown).await.ok();
    let path = load.path("password", "");
    load.viewer(0, Some(&shown)).get(&path).await.ok();
    load.viewer(usize::from(INSTANCES) - 1, Some(&shown))
        .get(&path)
        .await
        .problem(403, "share-password-required");
}

#[tokio::test]
async fn a_store_that_is_away_stops_nobody() {
    let mut load = Load::new().await;
    load.store.down(true);
    load.test.clock.advance(1.hours());
    load.everybody().await;
    load.store.down(false);
    load.test.clock.advance(30.seconds());
    let asked = load.store.asked();
    load.everybody().await;
    assert_eq!(
        load.store.asked() - asked,
        u32::from(INSTANCES),
        "each has looked once"
    );
    load.everybody().await;
    assert_eq!(load.store.asked() - asked, u32::from(INSTANCES));
}

#[tokio::test]
async fn what_cannot_be_used_is_not_taken_over() {
    let mut load = Load::new().await;
    for nonsense in ["", "[]", "{}", r#"{"GRANT_KEY":"short"}"#] {
        load.store.put(ID, nonsense);
        load.test.clock.advance(6.minutes());
        load.everybody().await;
    }
}

#[tokio::test]
async fn of_two_who_replace_at_once_one_is_told_so_and_nothing_is_lost() {
    let load = Load::new().await;
    let (one, other) = (load.kept().await, load.kept().await);
    let now = load.now();
    let next = |kept: &Kept, secret| {
        let fresh = Some(rotate::generated(secret).unwrap());
        kept.document
            .after(secret, Step::Accept, fresh, now)
            .unwrap()
    };
    let (first, second) = (
        next(&one, Secret::GrantKey),
        next(&other, Secret::CronSecret),
    );
    one.write(first.clone()).await.unwrap();
    let error = other.write(second).await.err().unwrap();
    assert!(
        error
            .to_string()
            .starts_with("somebody else has changed the secrets")
    );
    assert_eq!(load.store.current(ID).unwrap(), Document::text(&first));
}
