//! Credentials of AWS for tokens of the platform: exchanged at STS when they are needed, once for all who wait.

use std::{process::Command, sync::Arc, time::Duration as Lasting};

use axum::Router;
use dev::{
    settings::MUX_WEBHOOK_SECRET,
    sts::{Answering, Asked, Sts},
};
use futures::future::join_all;
use serde_json::json;
use shared::{
    clock::{Clock, SystemClock},
    federation::Role,
    router,
};
use time::ext::NumericalDuration;

use crate::{
    support::{Answer, TestApp, events::sign, listen, patience},
    vercel::{Function, variables},
};

const ROLE: &str = "arn:aws:iam::123456789012:role/portal";
const HEADER: &str = "x-vercel-oidc-token";
const TOKEN: &str = "eyJhbGciOiJSUzI1NiJ9.a-token-of-the-platform.signature";

/// The stand-in of STS, and where it is.
async fn sts(clock: Arc<dyn Clock>) -> (Sts, String) {
    let sts = Sts::new(clock);
    let listener = listen().await;
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = sts.router();
    tokio::spawn(async move { axum::serve(listener, router).await });
    (sts, url)
}

/// A portal whose credentials come from STS.
async fn portal() -> (TestApp, Sts, Router) {
    let test = TestApp::new().await;
    test.canaries.note_text(TOKEN);
    let (sts, url) = sts(test.clock.clone()).await;
    let role = Role {
        arn: ROLE.parse().unwrap(),
        token: None,
    };
    let clients = test
        .aws
        .federated(&url, role, test.clock.clone(), patience());
    let router = router::all(test.instance_reaching(clients));
    (test, sts, router)
}

/// A request that the table is needed for, with this token.
async fn asked(test: &TestApp, router: &Router, token: &str) -> Answer {
    let ada = test.ada().by(router).with(HEADER, token);
    ada.get("/api/assets").await
}

/// Lets others go on until STS was asked so often.
async fn until_asked(sts: &Sts, times: usize) {
    while sts.asked().len() < times {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn however_many_come_at_once_there_is_one_exchange_and_none_after_it() {
    let (test, sts, router) = portal().await;
    sts.hold(true);
    let release = async {
        until_asked(&sts, 1).await;
        sts.hold(false);
    };
    let all = join_all((0..20).map(|_| asked(&test, &router, TOKEN)));
    let (answers, ()) = tokio::join!(all, release);
    for answer in answers {
        answer.ok();
    }
    asked(&test, &router, "another-token-of-the-platform")
        .await
        .ok();
    asked(&test, &router, "").await.ok();
    let expected = Asked {
        role_arn: ROLE.to_owned(),
        role_session_name: "motion-mavericks-portal".to_owned(),
        web_identity_token: TOKEN.to_owned(),
    };
    assert_eq!(sts.asked(), [expected]);
}

#[tokio::test]
async fn before_credentials_end_the_newest_token_is_exchanged() {
    let (test, sts, router) = portal().await;
    asked(&test, &router, TOKEN).await.ok();
    test.clock.advance(57.minutes());
    let newer = "a-newer-token-of-the-platform";
    asked(&test, &router, newer).await.ok();
    assert_eq!(sts.asked().len(), 1);
    test.clock.advance(3.minutes());
    asked(&test, &router, "").await.ok();
    assert_eq!(sts.asked()[1].web_identity_token, newer);
    assert_eq!(sts.asked().len(), 2);
}

#[tokio::test]
async fn without_any_token_nobody_is_asked_and_the_log_says_why() {
    let (test, sts, router) = portal().await;
    let answer = asked(&test, &router, "").await;
    assert_eq!(answer.retry_after(), Some("1"));
    answer.problem(503, "unavailable");
    assert!(sts.asked().is_empty());
    let said = test
        .canaries
        .line(["no request has brought a token", "error"]);
    assert!(said.is_some());
    asked(&test, &router, "x").await.problem(503, "unavailable");
    assert!(sts.asked().is_empty(), "what is no token is not sent");
    asked(&test, &router, TOKEN).await.ok();
}

#[tokio::test]
async fn a_token_that_sts_refuses_is_not_sent_again_for_a_while_and_is_not_shown() {
    for (how, code) in [
        (Answering::Denied, "AccessDenied"),
        (Answering::Expired, "ExpiredTokenException"),
    ] {
        let (test, sts, router) = portal().await;
        sts.answer(how);
        let all = (0..5).map(|_| asked(&test, &router, TOKEN));
        for answer in join_all(all).await {
            let shown = String::from_utf8(answer.bytes.clone()).unwrap();
            assert!(!shown.contains("token") && !shown.contains(code), "{shown}");
            answer.problem(503, "unavailable");
        }
        assert_eq!(sts.asked().len(), 1, "{code}");
        assert!(test.canaries.line(["STS refused", code]).is_some());
        sts.answer(Answering::Giving(Lasting::from_hours(1)));
        asked(&test, &router, TOKEN)
            .await
            .problem(503, "unavailable");
        asked(&test, &router, "a-newer-token-of-the-platform")
            .await
            .ok();
        assert_eq!(sts.asked().len(), 2, "another token is sent at once");
    }
}

#[tokio::test]
async fn a_refused_token_is_tried_again_when_the_policy_may_have_been_mended() {
    let (test, sts, router) = portal().await;
    sts.answer(Answering::Denied);
    asked(&test, &router, TOKEN)
        .await
        .problem(503, "unavailable");
    sts.answer(Answering::Giving(Lasting::from_hours(1)));
    test.clock.advance(11.seconds());
    asked(&test, &router, TOKEN).await.ok();
}

#[tokio::test]
async fn an_answer_without_credentials_is_none() {
    let (test, sts, router) = portal().await;
    sts.answer(Answering::Nonsense);
    asked(&test, &router, TOKEN)
        .await
        .problem(503, "unavailable");
    sts.answer(Answering::Giving(Lasting::from_hours(1)));
    asked(&test, &router, TOKEN).await.ok();
}

#[tokio::test]
async fn what_sts_was_asked_is_not_lost_when_who_asked_goes_away() {
    let (test, sts, router) = portal().await;
    sts.hold(true);
    tokio::select! {
        _ = asked(&test, &router, TOKEN) => panic!("nobody has answered"),
        () = until_asked(&sts, 1) => {}
    }
    sts.hold(false);
    asked(&test, &router, "").await.ok();
    assert_eq!(sts.asked().len(), 1);
}

/// A function of Vercel that has no key of AWS, but a role.
fn function(binary: &str, test: &TestApp, sts: &str) -> Function {
    let mut command = Command::new(binary);
    command
        .env_clear()
        .env("AWS_REGION", "ap-southeast-2")
        .env("AWS_ROLE_ARN", ROLE)
        .env(
            "AWS_ENDPOINT_URL_DYNAMODB",
            format!("http://{}", test.aws.dynamodb),
        )
        .env("AWS_ENDPOINT_URL_SQS", format!("http://{}", test.aws.sqs))
        .env("AWS_ENDPOINT_URL_STS", sts)
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("NO_PROXY", "127.0.0.1")
        .env("VERCEL", "1")
        .envs(variables());
    Function::of(&mut command)
}

#[tokio::test]
async fn a_function_starts_without_credentials_and_is_healthy() {
    let test = TestApp::new().await;
    let (sts, url) = sts(Arc::new(SystemClock)).await;
    sts.hold(true);
    let function = function(env!("CARGO_BIN_EXE_api-ops"), &test, &url);
    let health = format!("{}/api/health", function.url);
    let answer = reqwest::get(&health).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(sts.asked().is_empty());
}

#[tokio::test]
async fn a_function_of_vercel_stores_what_it_is_told_with_the_credentials_of_its_role() {
    let test = TestApp::new().await;
    let (sts, url) = sts(Arc::new(SystemClock)).await;
    let function = function(env!("CARGO_BIN_EXE_api-webhooks-mux"), &test, &url);
    let webhook = async |id: &str, token: Option<&str>| {
        let body = json!({"type": "x", "id": id, "created_at": "2026-01-05T09:00:00Z"}).to_string();
        let now = SystemClock.now().unix_timestamp();
        let mut request = reqwest::Client::new()
            .post(format!("{}/api/webhooks/mux", function.url))
            .header("mux-signature", sign(MUX_WEBHOOK_SECRET, now, &body))
            .body(body);
        if let Some(token) = token {
            request = request.header(HEADER, token);
        }
        request.send().await.unwrap().status().as_u16()
    };
    assert!(webhook("without", None).await >= 500);
    assert!(sts.asked().is_empty());
    // Credentials that have ended when they come: they serve once.
    sts.answer(Answering::Giving(Lasting::ZERO));
    assert_eq!(webhook("first", Some(TOKEN)).await, 200);
    let exchanged = sts.asked().len();
    assert!(exchanged > 0);
    sts.answer(Answering::Giving(Lasting::from_hours(1)));
    assert_eq!(webhook("second", Some(TOKEN)).await, 200);
    assert_eq!(sts.asked().len(), exchanged + 1);
    for (id, token) in [("third", Some(TOKEN)), ("fourth", None)] {
        assert_eq!(webhook(id, token).await, 200);
    }
    assert_eq!(sts.asked().len(), exchanged + 1);
    let stored = test.dump().await;
    for id in ["first", "second", "third", "fourth"] {
        assert!(stored.contains(&format!("EVENT#{id}")), "{id}");
    }
    assert!(!stored.contains("EVENT#without"));
}
