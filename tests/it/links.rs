//! Share links that change: another label, another time to live, many taken back at once.

use serde_json::json;
use time::ext::NumericalDuration;

use crate::support::{Actor, PLENTY, TestApp, answer::text};

/// Takes back step by step, as a page with a progress bar does; how many links in all, and in how many steps.
async fn take_back(actor: &Actor<'_>, path: &str) -> (u64, usize) {
    let (mut revoked, mut steps, mut body) = (0, 0, json!({}));
    loop {
        let step = actor.post(path, body).await.ok();
        revoked += step["revoked"].as_u64().unwrap();
        steps += 1;
        if step["nextCursor"].is_null() {
            return (revoked, steps);
        }
        body = json!({"cursor": step["nextCursor"]});
    }
}

async fn states(test: &TestApp, path: &str) -> Vec<String> {
    let list = test.ada().get(path).await.ok();
    let shares = list["shares"].as_array().unwrap().iter();
    shares.map(|it| text(it, "state").to_owned()).collect()
}

#[tokio::test]
async fn a_link_is_extended_from_now_on_and_opens_again() {
    let test = TestApp::new().await;
    let video = test.ada().video("Extended").await;
    let share = test.ada().share(&video, "for Sam").await;
    let (id, token) = (text(&share, "id"), text(&share, "token"));
    let (path, opened) = (format!("/api/shares/{id}"), format!("/api/share/{token}"));
    test.clock.advance(7.days());
    let guest = test.anonymous();
    guest.get(&opened).await.problem(403, "share-expired");
    let body = json!({"expiresInHours": 48, "label": "for Sam, again"});
    let changed = test.ada().patch(&path, body).await.ok();
    assert_eq!(changed["state"], "ACTIVE");
    assert_eq!(changed["label"], "for Sam, again");
    assert_eq!(changed["expiresAt"], "2026-01-14T09:00:00Z");
    guest.get(&opened).await.ok();
    test.clock.advance(48.hours());
    guest.get(&opened).await.problem(403, "share-expired");
    assert_eq!(
        test.events_of(id).await,
        [
            "share.created",
            "share.refused",
            "share.relabelled",
            "share.extended",
            "share.opened",
            "share.refused"
        ]
    );
}

#[tokio::test]
async fn a_change_that_changes_nothing_or_breaks_a_rule_leaves_the_link_as_it_is() {
    let test = TestApp::new().await;
    let video = test.ada().video("Unchanged").await;
    let share = test.ada().share(&video, "for Sam").await;
    let path = format!("/api/shares/{}", text(&share, "id"));
    let same = test.ada().patch(&path, json!({"label": "for Sam"})).await;
    assert_eq!(same.ok()["expiresAt"], share["expiresAt"]);
    for wrong in [
        json!({"expiresInHours": 23}),
        json!({"expiresInHours": 24 * 31}),
        json!({"label": ""}),
    ] {
        let answer = test.ada().patch(&path, wrong).await;
        answer.problem(422, "invalid-field");
    }
    let unknown = json!({"expiresAt": "tomorrow"});
    let unknown = test.ada().patch(&path, unknown).await;
    unknown.problem(400, "invalid-request");
    assert_eq!(test.events_of(text(&share, "id")).await, ["share.created"]);
}

#[tokio::test]
async fn what_was_taken_back_is_not_extended() {
    let test = TestApp::new().await;
    let video = test.ada().video("Taken back").await;
    let share = test.ada().share(&video, "for Sam").await;
    let path = format!("/api/shares/{}", text(&share, "id"));
    test.ada().delete(&path).await.ok();
    let answer = test.ada().patch(&path, json!({"expiresInHours": 48})).await;
    answer.problem(403, "share-revoked");
    let opened = format!("/api/share/{}", text(&share, "token"));
    let refused = test.anonymous().get(&opened).await;
    refused.problem(403, "share-revoked");
}

#[tokio::test]
async fn all_links_of_a_video_are_taken_back_and_those_of_others_are_not() {
    let test = TestApp::given(vec![PLENTY]).await;
    let (one, other) = (
        test.ada().video("One").await,
        test.ada().video("Other").await,
    );
    let mut tokens = Vec::new();
    for n in 0..105 {
        let share = test.ada().share(&one, &format!("for {n}")).await;
        tokens.push(text(&share, "token").to_owned());
    }
    let kept = test.ada().share(&other, "for Sam").await;
    let path = format!("/api/assets/{one}/shares/revoke");
    assert_eq!(take_back(&test.ada(), &path).await, (105, 2));
    assert_eq!(take_back(&test.ada(), &path).await, (0, 2), "once");
    for token in &tokens {
        let refused = test.anonymous().get(&format!("/api/share/{token}")).await;
        refused.problem(403, "share-revoked");
    }
    let opened = format!("/api/share/{}", text(&kept, "token"));
    test.anonymous().get(&opened).await.ok();
    assert_eq!(test.count_events("share.revoked").await, 105);
}

#[tokio::test]
async fn all_links_of_a_tenant_are_taken_back_and_those_of_another_tenant_are_not() {
    let test = TestApp::new().await;
    let (ours, theirs) = (
        test.ada().video("Ours").await,
        test.cora().video("Theirs").await,
    );
    for label in ["one", "two", "three"] {
        test.ada().share(&ours, label).await;
    }
    let kept = test.cora().share(&theirs, "for Kim").await;
    let panic = take_back(&test.ada(), "/api/shares/revoke").await;
    assert_eq!(panic, (3, 1));
    assert_eq!(
        states(&test, "/api/shares").await,
        ["REVOKED", "REVOKED", "REVOKED"]
    );
    let opened = format!("/api/share/{}", text(&kept, "token"));
    test.anonymous().get(&opened).await.ok();
}
