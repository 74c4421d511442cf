//! Facts about what a link asks of a viewer, and what it allows.

use reqwest::Client;
use serde_json::{Value, json};
use time::ext::NumericalDuration;

use crate::support::{
    Answer, Caller, TestApp, Wishes,
    answer::text,
    viewer::{addresses, claims, status},
};

async fn with_mail() -> TestApp {
    TestApp::with(Wishes {
        mail: true,
        ..Wishes::default()
    })
    .await
}

/// Shows something to a link, with what was given before.
async fn show(test: &TestApp, share: &Value, key: Value, before: Option<&Value>) -> Answer {
    let grant = before.map_or("", |it| text(it, "grant"));
    let viewer = test.anonymous().with("x-share-grant", grant);
    let path = format!("/api/share/{}/session", text(share, "token"));
    viewer.post(&path, key).await
}

async fn ask_for_code(test: &TestApp, share: &Value, email: &str) {
    let path = format!("/api/share/{}/code", text(share, "token"));
    let answer = test.anonymous().post(&path, json!({"email": email})).await;
    assert_eq!((answer.status.as_u16(), answer.body), (202, Value::Null));
}

/// The code in the last letter, and to whom it went.
fn last_code(test: &TestApp) -> (String, String) {
    let letter = test.mail.letters().pop().unwrap();
    let code = letter.text.split("Your code: ").nth(1).unwrap();
    (code[..6].to_owned(), letter.to[0].clone())
}

#[tokio::test]
async fn a_link_with_a_password_opens_for_who_knows_it() {
    let test = TestApp::new().await;
    let id = test.ada().video("Secret training").await;
    let share = test.link(&id, json!({"password": "long jump"})).await;
    assert_eq!(share["hasPassword"], true);
    test.open(&share, None)
        .await
        .problem(403, "share-password-required");
    show(&test, &share, json!({"password": "high jump"}), None)
        .await
        .problem(403, "share-password-wrong");
    let shown = show(&test, &share, json!({"password": "long jump"}), None).await;
    let shown = shown.ok();
    assert!(shown["required"].is_null());
    let opened = test.open(&share, Some(&shown)).await.ok();
    test.open(&share, Some(&opened)).await.ok();
    let dump = test.dump().await;
    assert!(!dump.contains("long jump") && !dump.contains("high jump"));
    assert!(dump.contains("$argon2id$"));
}

#[tokio::test]
async fn what_was_shown_to_one_link_opens_no_other_and_ends_with_a_new_password() {
    let test = TestApp::new().await;
    let id = test.ada().video("Two doors").await;
    let password = json!({"password": "long jump"});
    let (one, other) = (
        test.link(&id, password.clone()).await,
        test.link(&id, password.clone()).await,
    );
    let shown = show(&test, &one, password, None).await.ok();
    test.open(&other, Some(&shown))
        .await
        .problem(403, "share-password-required");
    let path = format!("/api/shares/{}", text(&one, "id"));
    let change = json!({"password": "triple jump"});
    test.ada().patch(&path, change).await.ok();
    test.open(&one, Some(&shown))
        .await
        .problem(403, "share-password-required");
    // Without any, everybody may.
    test.ada()
        .patch(&path, json!({"password": null}))
        .await
        .ok();
    test.open(&one, None).await.ok();
}

#[tokio::test]
async fn a_link_for_named_addresses_opens_with_a_code_that_is_sent_to_one() {
    let test = with_mail().await;
    let id = test.ada().video("Named").await;
    let emails = json!({"allowedEmails": ["sam@example.com", "@club.example"]});
    let share = test.link(&id, emails).await;
    test.open(&share, None)
        .await
        .problem(403, "share-code-required");
    ask_for_code(&test, &share, "stranger@example.com").await;
    assert!(
        test.mail.letters().is_empty(),
        "nothing is sent to a stranger"
    );
    ask_for_code(&test, &share, "Kim@Club.example").await;
    let (code, to) = last_code(&test);
    assert_eq!(to, "kim@club.example");
    let wrong = if code == "000000" { "000001" } else { "000000" };
    show(
        &test,
        &share,
        json!({"email": "kim@club.example", "code": wrong}),
        None,
    )
    .await
    .problem(403, "share-code-wrong");
    // It is Kim's, not Sam's.
    show(
        &test,
        &share,
        json!({"email": "sam@example.com", "code": code}),
        None,
    )
    .await
    .problem(403, "share-code-wrong");
    let key = json!({"email": "kim@club.example", "code": code});
    let shown = show(&test, &share, key.clone(), None).await.ok();
    test.open(&share, Some(&shown)).await.ok();
    show(&test, &share, key, None)
        .await
        .problem(403, "share-code-wrong");
    let events = test.dump().await;
    assert!(
        !events.contains("kim@club"),
        "who came stands nowhere in clear"
    );
}

#[tokio::test]
async fn a_code_counts_for_ten_minutes_and_the_last_one_only() {
    let test = with_mail().await;
    let id = test.ada().video("Named").await;
    let share = test
        .link(&id, json!({"allowedEmails": ["sam@example.com"]}))
        .await;
    ask_for_code(&test, &share, "sam@example.com").await;
    let (first, _) = last_code(&test);
    ask_for_code(&test, &share, "sam@example.com").await;
    let (second, _) = last_code(&test);
    assert_ne!(first, second);
    let key = |code: &str| json!({"email": "sam@example.com", "code": code});
    show(&test, &share, key(&first), None)
        .await
        .problem(403, "share-code-wrong");
    test.clock.advance(10.minutes());
    show(&test, &share, key(&second), None)
        .await
        .problem(403, "share-code-wrong");
}

#[tokio::test]
async fn without_a_mail_server_no_link_can_ask_for_a_code() {
    let test = TestApp::new().await;
    let id = test.ada().video("No mail").await;
    let path = format!("/api/assets/{id}/shares");
    let body = json!({"label": "x", "allowedEmails": ["sam@example.com"]});
    test.ada()
        .post(&path, body)
        .await
        .problem(422, "invalid-field")
        .saying("mail");
}

#[tokio::test]
async fn a_link_can_ask_for_a_viewer_who_is_signed_in_wherever_they_belong() {
    let test = TestApp::new().await;
    let id = test.ada().video("Signed in").await;
    let share = test.link(&id, json!({"signInRequired": true})).await;
    test.open(&share, None)
        .await
        .problem(401, "share-sign-in-required");
    let path = format!("/api/share/{}", text(&share, "token"));
    test.cora().get(&path).await.ok();
    test.as_caller(Caller::Token("made.up.token".to_owned()))
        .get(&path)
        .await
        .problem(401, "unauthenticated");
}

#[tokio::test]
async fn everything_that_a_link_asks_for_has_to_be_shown() {
    let test = with_mail().await;
    let id = test.ada().video("Both").await;
    let wishes = json!({"password": "long jump", "allowedEmails": ["sam@example.com"]});
    let share = test.link(&id, wishes).await;
    let first = show(&test, &share, json!({"password": "long jump"}), None).await;
    let first = first.ok();
    assert_eq!(first["required"], "code");
    test.open(&share, Some(&first))
        .await
        .problem(403, "share-code-required");
    ask_for_code(&test, &share, "sam@example.com").await;
    let key = json!({"email": "sam@example.com", "code": last_code(&test).0});
    let both = show(&test, &share, key, Some(&first)).await.ok();
    test.open(&share, Some(&both)).await.ok();
}

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
        let story = crate::support::Story::new(
            text(&upload, "id"),
            shared::clock::Clock::now(&*test.clock),
        );
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
