//! Facts about what a link asks of a viewer before it opens.

use serde_json::{Value, json};
use time::ext::NumericalDuration;

use crate::support::{Answer, Caller, TestApp, Wishes, answer::text};

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
    (code[..8].to_owned(), letter.to[0].clone())
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
    let wrong = if code == "00000000" {
        "00000001"
    } else {
        "00000000"
    };
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
    // Who came can be proved, and erased.
    let unlocked = test.event("share.unlocked").await;
    let sent = test.event("share.code-sent").await;
    for entry in [unlocked, sent] {
        assert_eq!(entry["clear"]["email"]["value"], "kim@club.example");
    }
    assert_eq!(test.dump().await.matches("kim@club").count(), 2);
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
async fn five_wrong_passwords_lock_a_link_for_ten_minutes_and_right_ones_do_not_count() {
    let test = TestApp::new().await;
    let id = test.ada().video("Guarded").await;
    let share = test.link(&id, json!({"password": "long jump"})).await;
    let right = async || show(&test, &share, json!({"password": "long jump"}), None).await;
    let wrong = async || show(&test, &share, json!({"password": "high jump"}), None).await;
    for _ in 0..6 {
        right().await.ok();
    }
    let many = futures::future::join_all((0..8).map(|_| wrong())).await;
    let looked_at = many.iter().filter(|it| it.status == 403).count();
    assert_eq!(looked_at, 5, "however many come at once");
    let limited = right().await;
    assert_eq!(limited.retry_after(), Some("600"));
    limited.problem(429, "rate-limited");
    test.clock.advance(10.minutes());
    right().await.ok();
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
async fn a_code_counts_for_nobody_who_is_no_longer_on_the_list() {
    let test = with_mail().await;
    let id = test.ada().video("Changed").await;
    let emails = json!({"allowedEmails": ["sam@example.com", "kim@example.com"]});
    let share = test.link(&id, emails).await;
    ask_for_code(&test, &share, "sam@example.com").await;
    let path = format!("/api/shares/{}", text(&share, "id"));
    let fewer = json!({"allowedEmails": ["kim@example.com"]});
    test.ada().patch(&path, fewer).await.ok();
    let key = json!({"email": "sam@example.com", "code": last_code(&test).0});
    show(&test, &share, key, None)
        .await
        .problem(403, "share-code-wrong");
}

#[tokio::test]
async fn what_was_shown_counts_for_an_evening_however_often_it_is_used() {
    let test = TestApp::new().await;
    let id = test.ada().video("A long evening").await;
    let share = test.link(&id, json!({"password": "long jump"})).await;
    let shown = show(&test, &share, json!({"password": "long jump"}), None).await;
    let first = test.open(&share, Some(&shown.ok())).await.ok();
    test.clock.advance(11.hours());
    let second = test.open(&share, Some(&first)).await.ok();
    test.clock.advance(1.hours());
    test.open(&share, Some(&second))
        .await
        .problem(403, "share-password-required");
}

#[tokio::test]
async fn who_begins_to_watch_opens_and_who_goes_on_renews_unless_from_elsewhere() {
    let test = TestApp::new().await;
    let id = test.ada().video("Watched").await;
    let share = test.link(&id, json!({"password": "long jump"})).await;
    let shown = show(&test, &share, json!({"password": "long jump"}), None).await;
    let path = format!("/api/share/{}", text(&share, "token"));
    let watch = async |before: &Value, from: &str| {
        let viewer = test.anonymous().from(from);
        let viewer = viewer.with("x-share-grant", text(before, "grant"));
        viewer.get(&path).await.ok()
    };
    let first = watch(&shown.ok(), "203.0.113.7").await;
    let second = watch(&first, "203.0.113.8").await;
    watch(&second, "198.51.100.7").await;
    let events = test.events_of(text(&share, "id")).await;
    let watched: Vec<&str> = events
        .iter()
        .map(String::as_str)
        .filter(|it| matches!(*it, "share.opened" | "share.renewed"))
        .collect();
    assert_eq!(watched, ["share.opened", "share.renewed", "share.opened"]);
}

#[tokio::test]
async fn a_scanner_that_only_looks_is_no_viewer() {
    let test = TestApp::new().await;
    let id = test.ada().video("Looked at").await;
    let share = test.ada().share(&id, "for Sam").await;
    let path = format!("/api/share/{}", text(&share, "token"));
    let looked = test
        .anonymous()
        .send(axum::http::Method::HEAD, &path, None)
        .await;
    assert_eq!(looked.status, 405);
    assert_eq!(test.events_of(text(&share, "id")).await, ["share.created"]);
}
