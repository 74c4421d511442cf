//! Facts about what a link allows, what it leads to, and what an organisation demands of its links.

use reqwest::Client;
use serde_json::{Value, json};
use shared::clock::Clock;
use time::ext::NumericalDuration;

use crate::support::{
    Caller, Story, TestApp, Wishes,
    answer::text,
    viewer::{addresses, claims, status},
};

#[tokio::test]
async fn the_cap_of_the_resolution_stands_in_the_token_where_nobody_can_change_it() {
    let test = TestApp::new().await;
    let id = test.film("Small").await;
    let share = test.link(&id, json!({"maxResolution": "360p"})).await;
    let opened = test.open(&share, None).await.ok();
    let url = text(&opened, "playbackUrl");
    assert_eq!(claims(url)["max_resolution"], "360p");
    assert_eq!(addresses(url).await.len(), 1);
    assert_ne!(status(&format!("{url}&max_resolution=1080p")).await, 200);
    let path = format!("/api/assets/{id}/shares");
    let body = json!({"label": "x", "maxResolution": "361p"});
    test.ada()
        .post(&path, body)
        .await
        .problem(400, "invalid-request");
}

#[tokio::test]
async fn a_link_for_some_pages_plays_on_no_other() {
    let test = TestApp::new().await;
    let id = test.film("On the club's pages").await;
    let domains = json!({"allowedDomains": ["club.example", "*.club.example"]});
    let share = test.link(&id, domains.clone()).await;
    let opened = test.open(&share, None).await.ok();
    let fetched = async |referrer: &str| {
        let request = Client::new().get(text(&opened, "playbackUrl"));
        let request = request.header("referer", referrer);
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(fetched("https://club.example/videos").await, 200);
    assert_eq!(fetched("https://www.club.example/").await, 200);
    assert_eq!(
        fetched("https://portal.example/").await,
        200,
        "its own page"
    );
    assert_eq!(fetched("https://elsewhere.example/").await, 403);
    assert_eq!(status(text(&opened, "playbackUrl")).await, 403);
    // The same domains need nothing new of Mux.
    let other = test.link(&id, domains).await;
    let other = test.open(&other, None).await.ok();
    let restriction =
        |it: &Value| claims(text(it, "playbackUrl"))["playback_restriction_id"].clone();
    assert_eq!(restriction(&opened), restriction(&other));
    for wrong in [json!(["http://club.example"]), json!(["*"]), json!([""])] {
        let body = json!({"label": "x", "allowedDomains": wrong});
        let path = format!("/api/assets/{id}/shares");
        test.ada()
            .post(&path, body)
            .await
            .problem(422, "invalid-field");
    }
}

#[tokio::test]
async fn one_link_can_lead_to_several_videos() {
    let test = TestApp::new().await;
    let mut videos = Vec::new();
    for title in ["One", "Two", "Three"] {
        videos.push(test.ada().video(title).await);
    }
    let other = test.ada().video("Not shared").await;
    let body = json!({"label": "all", "assets": videos});
    let share = test.ada().post("/api/shares", body).await.created();
    let path = format!("/api/share/{}", text(&share, "token"));
    let opened = test
        .anonymous()
        .get(&format!("{path}?include=playlist"))
        .await
        .ok();
    assert_eq!(opened["title"], "One");
    let titles: Vec<&str> = opened["playlist"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| text(it, "title"))
        .collect();
    assert_eq!(titles, ["One", "Two", "Three"]);
    let third = test
        .anonymous()
        .get(&format!("{path}?asset={}", videos[2]))
        .await
        .ok();
    assert_eq!(third["title"], "Three");
    test.anonymous()
        .get(&format!("{path}?asset={other}"))
        .await
        .problem(404, "not-found");
    for video in &videos {
        let page = test
            .ada()
            .get(&format!("/api/assets/{video}/shares"))
            .await
            .ok();
        assert_eq!(page["shares"][0]["id"], share["id"], "each shows it");
    }
    // It ends with the last of them.
    test.ada()
        .delete(&format!("/api/assets/{}", videos[0]))
        .await
        .ok();
    test.anonymous()
        .get(&path)
        .await
        .problem(410, "asset-deleted");
    test.anonymous()
        .get(&format!("{path}?asset={}", videos[1]))
        .await
        .ok();
    let taken = format!("/api/assets/{}/shares/revoke", videos[2]);
    assert_eq!(test.ada().post(&taken, json!({})).await.ok()["revoked"], 1);
}

#[tokio::test]
async fn the_lists_of_a_video_go_on_after_a_link_of_either_kind() {
    let test = TestApp::new().await;
    let (first, second) = (
        test.ada().video("First").await,
        test.ada().video("Second").await,
    );
    let mut made = Vec::new();
    for n in 0..6 {
        test.clock.advance(1.seconds());
        let share = if n % 2 == 0 {
            test.ada().share(&second, "alone").await
        } else {
            let body = json!({"label": "both", "assets": [first, second]});
            test.ada().post("/api/shares", body).await.created()
        };
        made.insert(0, text(&share, "id").to_owned());
    }
    let (mut listed, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = test
            .ada()
            .get(&format!("/api/assets/{second}/shares?limit=1{cursor}"))
            .await
            .ok();
        let shares = page["shares"].as_array().unwrap().iter();
        listed.extend(shares.map(|it| text(it, "id").to_owned()));
        let Some(next) = page["nextCursor"].as_str() else {
            break;
        };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(listed, made);
}

#[tokio::test]
async fn a_policy_of_the_organisation_counts_for_every_new_link() {
    let test = TestApp::new().await;
    let id = test.ada().video("By the rules").await;
    let policy = json!({
        "maxHours": 48, "required": ["password", "signIn"], "commentsForbidden": true, "maxResolution": "720p",
    });
    test.as_caller(Caller::Role("agency"))
        .patch("/api/share-policy", policy.clone())
        .await
        .problem(403, "forbidden");
    test.ada()
        .patch("/api/share-policy", policy.clone())
        .await
        .ok();
    assert_eq!(test.ben().get("/api/share-policy").await.ok(), policy);
    let first = test.event("policy.changed").await;
    assert_eq!(
        first["change"]["before"],
        Value::Null,
        "there was none before"
    );
    assert_eq!(
        test.cora().get("/api/share-policy").await.ok()["required"],
        Value::Null
    );
    let path = format!("/api/assets/{id}/shares");
    test.ada()
        .post(&path, json!({"label": "x"}))
        .await
        .problem(422, "sharing-policy")
        .saying("password");
    let long = json!({"label": "x", "password": "long jump", "expiresInHours": 72});
    test.ada()
        .post(&path, long)
        .await
        .problem(422, "invalid-field");
    let share = test
        .link(
            &id,
            json!({"password": "long jump", "maxResolution": "1080p"}),
        )
        .await;
    assert_eq!(share["signInRequired"], true);
    assert_eq!(share["commentsAllowed"], false);
    assert_eq!(share["maxResolution"], "720p");
    assert_eq!(share["expiresAt"], "2026-01-07T09:00:00Z");
    let change = format!("/api/shares/{}", text(&share, "id"));
    test.clock.advance(1.hours());
    test.ada()
        .patch(&change, json!({"expiresInHours": 48}))
        .await
        .problem(422, "sharing-policy");
    test.ada()
        .patch(&change, json!({"password": null}))
        .await
        .problem(422, "sharing-policy");
    test.ada()
        .patch("/api/share-policy", json!({"maxHours": 1}))
        .await
        .problem(422, "invalid-field");
}

#[tokio::test]
async fn a_public_playback_id_is_given_out_only_if_somebody_wants_it_and_loudly() {
    for (enforced, expected) in [("true", 409), ("false", 200)] {
        let test = TestApp::with(Wishes {
            variables: vec![("SIGNED_PLAYBACK_ENFORCED", enforced)],
            ..Wishes::default()
        })
        .await;
        let upload = test.ada().upload("Public").await;
        let story = Story::new(text(&upload, "id"), test.clock.now());
        for mut event in story.happy() {
            if !event["data"]["playback_ids"].is_null() {
                event["data"]["playback_ids"] = json!([{"id": "everybodys", "policy": "public"}]);
            }
            test.webhook(&event).await.ok();
        }
        let share = test.ada().share(text(&upload, "id"), "for all").await;
        let opened = test.open(&share, None).await;
        assert_eq!(opened.status.as_u16(), expected, "{enforced}");
        let health = test.anonymous().get("/api/health").await.ok();
        assert_eq!(health["warnings"].is_array(), enforced == "false");
        if enforced == "false" {
            assert!(text(&opened.body, "playbackUrl").ends_with("/everybodys.m3u8"));
        }
    }
}
