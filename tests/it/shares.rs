//! Facts about share links.

use serde_json::{Value, json};
use shared::clock::Clock;
use time::{OffsetDateTime, ext::NumericalDuration, format_description::well_known::Rfc3339};

use crate::support::{TestApp, Wishes, answer::text};

fn instant(body: &Value, name: &str) -> OffsetDateTime {
    OffsetDateTime::parse(text(body, name), &Rfc3339).unwrap()
}

#[tokio::test]
async fn a_link_plays_for_who_holds_it_and_nobody_has_to_sign_in() {
    let test = TestApp::new().await;
    let id = test.ada().video("Sprint starts").await;
    let mut share = test.ada().share(&id, "for Sam").await;
    let token = text(&share, "token").to_owned();
    assert_eq!(
        text(&share, "url"),
        format!("https://portal.example/s/{token}")
    );
    share["token"].take();
    share["url"].take();
    insta::assert_json_snapshot!(share, @r#"
    {
      "assetId": "ast_01KE6P4YM00000000000000002",
      "commentsAllowed": true,
      "createdAt": "2026-01-05T09:00:00Z",
      "expiresAt": "2026-01-12T09:00:00Z",
      "hasPassword": false,
      "id": "shr_01KE6P4YM0000000000000000H",
      "label": "for Sam",
      "signInRequired": false,
      "state": "ACTIVE",
      "token": null,
      "url": null
    }
    "#);
    let mut opened = test
        .anonymous()
        .get(&format!("/api/share/{token}"))
        .await
        .ok();
    let url = opened["playbackUrl"].take();
    opened["grant"].take();
    let stream = format!("{}/mux/stream/playback", test.url);
    assert!(url.as_str().unwrap().starts_with(&stream), "{url}");
    insta::assert_json_snapshot!(opened, @r#"
    {
      "aspectRatio": "16:9",
      "assetId": "ast_01KE6P4YM00000000000000002",
      "commentsAllowed": true,
      "expiresAt": "2026-01-05T09:15:00Z",
      "grant": null,
      "linkExpiresAt": "2026-01-12T09:00:00Z",
      "playbackUrl": null,
      "renewAfter": "2026-01-05T09:09:09Z",
      "title": "Sprint starts"
    }
    "#);
}

#[tokio::test]
async fn pictures_are_signed_only_when_they_are_asked_for() {
    let test = TestApp::new().await;
    let id = test.ada().video("With pictures").await;
    let share = test.ada().share(&id, "for Sam").await;
    let path = format!("/api/share/{}", text(&share, "token"));
    let with = test
        .anonymous()
        .get(&format!("{path}?include=poster,storyboard"))
        .await
        .ok();
    assert!(text(&with, "posterUrl").contains("/thumbnail.jpg?token="));
    assert!(text(&with, "storyboardUrl").contains("/storyboard.vtt?token="));
    test.anonymous()
        .get(&format!("{path}?include=master"))
        .await
        .problem(422, "invalid-field");
}

#[tokio::test]
async fn a_link_that_was_taken_back_is_refused_at_once_and_for_ever() {
    let test = TestApp::new().await;
    let id = test.ada().video("Taken back").await;
    let share = test.ada().share(&id, "for Sam").await;
    let other = test.ada().share(&id, "for Kim").await;
    let open = format!("/api/share/{}", text(&share, "token"));
    test.anonymous().get(&open).await.ok();
    let revoke = format!("/api/shares/{}", text(&share, "id"));
    let revoked = test.ada().delete(&revoke).await.ok();
    assert_eq!(revoked["state"], "REVOKED");
    assert_eq!(test.ada().delete(&revoke).await.ok(), revoked);
    test.anonymous()
        .get(&open)
        .await
        .problem(403, "share-revoked");
    test.clock.advance(8.days());
    test.anonymous()
        .get(&open)
        .await
        .problem(403, "share-revoked");
    test.clock.advance((-8).days());
    test.anonymous()
        .get(&format!("/api/share/{}", text(&other, "token")))
        .await
        .ok();
    let events = test.events_of(text(&share, "id")).await;
    let expected = [
        "share.created",
        "share.opened",
        "share.revoked",
        "share.cutting",
        "share.refused",
    ];
    assert_eq!(&events[..5], expected);
}

#[tokio::test]
async fn a_link_dies_at_its_expiry_and_its_last_token_with_it() {
    let test = TestApp::new().await;
    let id = test.ada().video("A day").await;
    let path = format!("/api/assets/{id}/shares");
    let body = json!({"label": "for a day", "expiresInHours": 24});
    let share = test.ada().post(&path, body).await.created();
    let open = format!("/api/share/{}", text(&share, "token"));
    let first = test.anonymous().get(&open).await.ok();
    assert_eq!(
        instant(&first, "expiresAt"),
        test.clock.now() + 15.minutes()
    );
    let renewal = instant(&first, "renewAfter") - test.clock.now();
    assert!(
        (9.minutes()..=630.seconds()).contains(&renewal),
        "{renewal}"
    );
    test.clock.advance(24.hours() - 4.minutes());
    let last = test.anonymous().get(&open).await.ok();
    assert_eq!(instant(&last, "expiresAt"), instant(&share, "expiresAt"));
    test.clock.advance(4.minutes());
    test.anonymous()
        .get(&open)
        .await
        .problem(403, "share-expired");
    let page = test.ada().get("/api/shares").await.ok();
    assert_eq!(page["shares"][0]["state"], "EXPIRED");
}

#[tokio::test]
async fn a_life_is_from_a_day_to_the_most_that_is_allowed() {
    let test = TestApp::new().await;
    let id = test.ada().video("Lives").await;
    let path = format!("/api/assets/{id}/shares");
    let post = async |hours: Value| {
        let body = json!({"label": "x", "expiresInHours": hours});
        test.ada().post(&path, body).await
    };
    for hours in [24, 720] {
        post(hours.into()).await.created();
    }
    for hours in [0, 23, 721] {
        post(hours.into())
            .await
            .problem(422, "invalid-field")
            .saying("expiresInHours");
    }
    for hours in [json!(-1), json!("24"), json!(1e30)] {
        post(hours).await.problem(400, "invalid-request");
    }
    let label = json!({"label": "a\u{0}b"});
    test.ada()
        .post(&path, label)
        .await
        .problem(422, "invalid-field")
        .saying("label");
}

#[tokio::test]
async fn the_table_holds_nothing_that_opens_a_link() {
    let test = TestApp::new().await;
    let id = test.ada().video("Secret").await;
    let share = test.ada().share(&id, "for Sam").await;
    let token = text(&share, "token");
    test.anonymous()
        .get(&format!("/api/share/{token}"))
        .await
        .ok();
    let dump = test.dump().await;
    assert!(dump.contains(text(&share, "id")));
    assert!(!dump.contains(token));
}

#[tokio::test]
async fn a_token_that_is_not_one_is_as_unknown_as_one_that_never_was() {
    let test = TestApp::new().await;
    let id = test.ada().video("Guessed").await;
    let share = test.ada().share(&id, "for Sam").await;
    let token = text(&share, "token");
    let mut wrong = token.to_owned();
    let last = token.len() - 1;
    let other = if token.as_bytes()[40] == b'A' {
        "B"
    } else {
        "A"
    };
    wrong.replace_range(40..41, other);
    let longer = format!("{token}A");
    for guess in [
        "x",
        &token[..last],
        &wrong,
        &longer,
        "%00",
        "..%2f..",
        text(&share, "id"),
    ] {
        let answer = test.anonymous().get(&format!("/api/share/{guess}")).await;
        answer.problem(404, "not-found");
    }
}

#[tokio::test]
async fn a_link_may_be_made_before_the_video_is_ready_and_says_so_meanwhile() {
    let test = TestApp::new().await;
    let upload = test.ada().upload("On its way").await;
    let id = text(&upload, "id");
    let share = test.ada().share(id, "for Sam").await;
    let open = format!("/api/share/{}", text(&share, "token"));
    let early = test.anonymous().get(&open).await;
    assert_eq!(early.retry_after(), Some("5"));
    early.problem(409, "asset-not-ready");
    test.story(id).tell_all().await;
    test.anonymous().get(&open).await.ok();
    test.ada().delete(&format!("/api/assets/{id}")).await.ok();
    test.anonymous()
        .get(&open)
        .await
        .problem(410, "asset-deleted");
    let path = format!("/api/assets/{id}/shares");
    test.ada()
        .post(&path, json!({"label": "too late"}))
        .await
        .problem(410, "asset-deleted");
}

#[tokio::test]
async fn links_are_listed_for_the_tenant_and_for_one_video_without_their_tokens() {
    let test = TestApp::new().await;
    let first = test.ada().video("First").await;
    let second = test.ada().video("Second").await;
    for (asset, label) in [(&first, "a"), (&second, "b"), (&first, "c")] {
        test.ada().share(asset, label).await;
        test.clock.advance(1.seconds());
    }
    let labels = async |path: &str| -> Vec<String> {
        let page = test.ben().get(path).await.ok();
        assert!(!page.to_string().contains("token"));
        let shares = page["shares"].as_array().unwrap().iter();
        shares.map(|it| text(it, "label").to_owned()).collect()
    };
    assert_eq!(labels("/api/shares").await, ["c", "b", "a"]);
    assert_eq!(
        labels(&format!("/api/assets/{first}/shares")).await,
        ["c", "a"]
    );
    let page = test.ada().get("/api/shares?limit=2").await.ok();
    let next = format!("/api/shares?cursor={}", text(&page, "nextCursor"));
    assert_eq!(labels(&next).await, ["a"]);
    let page = test
        .ada()
        .get(&format!("/api/assets/{first}/shares?limit=1"))
        .await
        .ok();
    let next = format!(
        "/api/assets/{first}/shares?cursor={}",
        text(&page, "nextCursor")
    );
    assert_eq!(labels(&next).await, ["a"]);
}

#[tokio::test]
async fn the_next_token_costs_one_read_one_count_and_its_event() {
    let test = TestApp::with(Wishes {
        shaky_table: true,
        ..Wishes::default()
    })
    .await;
    let id = test.film("Counted").await;
    let share = test.ada().share(&id, "for Sam").await;
    let first = test.open(&share, None).await.ok();
    test.table.calls();
    test.open(&share, Some(&first)).await.ok();
    insta::assert_json_snapshot!(test.table.calls(), @r#"
    {
      "BatchGetItem": 1,
      "PutItem": 1,
      "UpdateItem": 1
    }
    "#);
    // Another viewer is counted for the link, too.
    test.open(&share, None).await.ok();
    insta::assert_json_snapshot!(test.table.calls(), @r#"
    {
      "BatchGetItem": 1,
      "PutItem": 1,
      "UpdateItem": 2
    }
    "#);
}
