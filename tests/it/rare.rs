//! What functions seldom do, and their roles have to allow all the same: whether they do, each of these
//! tests checks when it ends.

use dev::permissions;
use reqwest::Method;
use serde_json::{Value, json};
use shared::{
    ids::{TenantId, from_external},
    router::Deployable,
    store::keys,
    vendors,
};
use time::ext::NumericalDuration;

use crate::support::{CRON, Caller, TestApp, answer::text};

/// A link to two videos, and their ids: the row of the link is found by way of a pointer from the second.
async fn both(test: &TestApp) -> (Value, [String; 2]) {
    let videos = [test.film("One").await, test.film("Other").await];
    let body = json!({"label": "both", "assets": videos, "allowedDomains": ["club.example"]});
    let link = test.ada().post("/api/shares", body).await.created();
    test.open(&link, None).await.ok();
    (link, videos)
}

async fn portal() -> TestApp {
    TestApp::given(vec![CRON]).await
}

#[tokio::test]
async fn operators_find_a_link_by_each_of_its_videos() {
    let test = portal().await;
    let (_, [_, other]) = both(&test).await;
    let path = format!("assets/{}/playback-ids", test.mux_asset(&other).await);
    let signed = json!({"policy": "signed"});
    test.at_mux(Method::POST, &path, signed).await;
    let dana = test.as_caller(Caller::Person("dana"));
    let path = "/api/debug/verify-mux-playback-ids";
    let found = dana.post(path, json!({})).await.ok();
    assert_eq!((&found["checked"], &found["stray"]), (&2.into(), &1.into()));
}

#[tokio::test]
async fn the_comparison_follows_a_link_from_a_video_that_is_gone() {
    let test = portal().await;
    let (link, [_, other]) = both(&test).await;
    test.woken("reconcile").await.ok();
    test.ada()
        .delete(&format!("/api/assets/{other}"))
        .await
        .ok();
    test.clock.advance(24.hours());
    let found = test.woken("reconcile").await.ok();
    assert_eq!(found["pass"]["compared"]["failed"], 0, "{found}");
    let links = test.ada().get("/api/shares").await.ok();
    assert_eq!(links["shares"][0]["id"], text(&link, "id"));
}

#[tokio::test]
async fn a_video_that_is_gone_while_mux_is_away_comes_again() {
    let test = portal().await;
    let id = test.film("Gone").await;
    let link = test.ada().share(&id, "for Sam").await;
    test.open(&link, None).await.ok();
    test.faults.out(true);
    let _ = test.ada().delete(&format!("/api/assets/{id}")).await;
    test.clock.advance(5.minutes());
    let _ = test.woken("retire").await;
    test.faults.out(false);
    for _ in 0..3 {
        test.clock.advance(30.minutes());
        test.woken("retire").await.ok();
    }
    assert_eq!(test.playback_ids().await.len(), 0);
}

#[tokio::test]
async fn what_mux_delivered_of_a_video_that_does_not_name_itself_is_found_by_its_pointer() {
    let test = portal().await;
    let id = test.film("Nameless").await;
    let path = format!("assets/{}", test.mux_asset(&id).await);
    test.at_mux(Method::PATCH, &path, json!({"passthrough": ""}))
        .await;
    let learnt = test.woken("usage").await.ok();
    assert_eq!(learnt["pass"]["failed"], 0, "{learnt}");
    test.clock.advance(1.days());
    test.woken("usage").await.ok();
    let report = test.ada().get("/api/cost-report?period=2026-01").await.ok();
    assert!(report.to_string().contains(&id), "{report}");
}

#[tokio::test]
async fn much_traffic_has_the_budget_of_one_organisation_looked_at() {
    let test = TestApp::given(vec![CRON, ("BUDGETS", "all=1")]).await;
    let tenant: TenantId = from_external(&test.app.config.clerk_issuer, "org_northside");
    let app = test.instance_with(1, "BUDGETS", format!("{tenant}=1"));
    let body = json!({
        "type": "video.delivery.high_traffic", "id": "traffic",
        "created_at": "2026-01-05T09:00:00.000000Z",
        "object": {"type": "delivery", "id": "much"},
        "environment": {"name": "Development", "id": "muxsim"},
        "data": {"id": "much", "threshold": 1, "timeframe": [0, 1], "data": []},
        "request_id": null, "accessor": null, "accessor_source": null, "attempts": [],
    });
    assert_eq!(test.webhook(&body).await.ok()["outcome"], "ignored");
    let told = async || {
        let told: Option<Value> = test.app.store.get(&keys::much_traffic()).await.unwrap();
        told.is_some()
    };
    assert!(told().await);
    let looked = permissions::within(Deployable::Watch, vendors::watch(&app)).await;
    looked.unwrap();
    assert!(!told().await);
}
