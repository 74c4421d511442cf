//! Facts about session tokens: what holds, and everything that does not.

use std::sync::Arc;

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use dev::issuer::Issuer;
use jsonwebtoken::{Algorithm, EncodingKey, Header, jwk::Jwk};
use muxsim::SigningKey;
use serde_json::{Value, json};
use shared::clock::Clock;
use time::ext::NumericalDuration;

use crate::support::{Caller, KEY, ORIGIN, TestApp};

impl TestApp {
    /// Ada's claims, bent.
    fn bent(&self, bend: impl Fn(&mut Value)) -> String {
        let mut claims = self.issuer.claims(Self::person("ada"), ORIGIN);
        bend(&mut claims);
        self.issuer.sign(&claims).unwrap()
    }

    async fn status_with(&self, token: String) -> u16 {
        let caller = self.as_caller(Caller::Token(token));
        caller.get("/api/assets").await.status.as_u16()
    }
}

fn encoded(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

#[tokio::test]
async fn a_session_token_holds_for_a_minute_and_a_little_skew() {
    let test = TestApp::new().await;
    let token = test.bent(|_| {});
    assert_eq!(test.status_with(token.clone()).await, 200);
    test.clock.advance(64.seconds());
    assert_eq!(test.status_with(token.clone()).await, 200);
    test.clock.advance(1.seconds());
    assert_eq!(test.status_with(token).await, 401);
}

#[tokio::test]
async fn claims_of_version_one_are_understood() {
    let test = TestApp::new().await;
    let token = test.bent(|claims| {
        let claims = claims.as_object_mut().unwrap();
        claims.remove("o");
        claims.remove("v");
        claims.insert("org_id".to_owned(), "org_northside".into());
        claims.insert("org_role".to_owned(), "org:admin".into());
    });
    assert_eq!(test.status_with(token).await, 200);
}

#[tokio::test]
async fn a_claim_that_does_not_hold_is_a_401() {
    let test = TestApp::new().await;
    let now = test.issuer.claims(TestApp::person("ada"), ORIGIN)["iat"]
        .as_i64()
        .unwrap();
    for (claim, value) in [
        ("iss", json!("https://evil.example")),
        (
            "iss",
            json!([test.issuer.claims(TestApp::person("ada"), ORIGIN)["iss"]]),
        ),
        ("azp", json!("https://evil.example")),
        ("azp", Value::Null),
        ("sub", json!("")),
        ("sub", json!("mch_machine")),
        ("sub", json!(7)),
        ("exp", json!(now - 5)),
        ("exp", Value::Null),
        ("exp", json!("tomorrow")),
        ("nbf", json!(now + 6)),
        ("iat", json!(now + 6)),
        ("iat", json!(i64::MAX)),
        ("sts", json!("pending")),
    ] {
        let token = test.bent(|claims| {
            claims[claim] = value.clone();
            if value.is_null() {
                claims.as_object_mut().unwrap().remove(claim);
            }
        });
        assert_eq!(test.status_with(token).await, 401, "{claim}: {value}");
    }
}

#[tokio::test]
async fn a_signature_that_is_not_the_issuers_is_a_401() {
    let test = TestApp::new().await;
    let good = test.bent(|_| {});
    let [header, claims, signature] = good.split('.').collect::<Vec<_>>()[..] else {
        panic!("a token has three parts");
    };
    let another = json!({"alg": "RS256", "typ": "JWT", "kid": "another"});
    let other = encoded(&json!({"sub": "user_ada"}));
    for token in [
        format!(
            "{}.{claims}.",
            encoded(&json!({"alg": "none", "kid": KEY.id}))
        ),
        format!(
            "{}.{claims}.{signature}",
            encoded(&json!({"alg": "HS256", "kid": KEY.id}))
        ),
        format!("{}.{claims}.{signature}", encoded(&json!({"alg": "RS256"}))),
        format!("{}.{claims}.{signature}", encoded(&another)),
        format!("{header}.{other}.{signature}"),
        format!("{header}.{claims}"),
        format!("{header}.{claims}.{signature}.x"),
        "a".repeat(100_000),
        "..".to_owned(),
        "é".to_owned(),
    ] {
        assert_eq!(test.status_with(token.clone()).await, 401, "{token:.80}");
    }
}

/// The issuer's key signs other things too, and headers can ask for much.
#[tokio::test]
async fn a_good_signature_under_another_header_is_a_401() {
    let test = TestApp::new().await;
    let claims = test.issuer.claims(TestApp::person("ada"), ORIGIN);
    let signed = |bend: fn(&mut Header)| {
        let mut header = Issuer::header(&KEY.id);
        bend(&mut header);
        test.issuer.sign_with(&header, &claims).unwrap()
    };
    assert_eq!(test.status_with(signed(|_| {})).await, 200);
    for bend in [
        (|header| header.crit = Some(vec!["b64".to_owned()])) as fn(&mut Header),
        |header| header.typ = Some("at+jwt".to_owned()),
        |header| header.kid = None,
        |header| header.extras.insert("cat", "cl_B7d4PD222AAA"),
        |header| header.extras.insert("cat", 7),
    ] {
        assert_eq!(test.status_with(signed(bend)).await, 401);
    }
}

/// Somebody signs with a key of their own, and names it as ours or brings it along.
#[tokio::test]
async fn a_key_that_the_token_brings_along_is_not_believed() {
    let test = TestApp::new().await;
    let own = SigningKey::generate(&*KEY.id).unwrap();
    let clock = test.clock.clone();
    let address = format!("{}/sign-in", test.url);
    let forger = Issuer::new(address, &own, Arc::new(move || clock.now())).unwrap();
    let claims = test.issuer.claims(TestApp::person("ada"), ORIGIN);
    let mut header = Issuer::header(&KEY.id);
    assert_eq!(
        test.status_with(forger.sign_with(&header, &claims).unwrap())
            .await,
        401
    );
    let pem = STANDARD.decode(&own.private_key).unwrap();
    let key = EncodingKey::from_rsa_pem(&pem).unwrap();
    header.jwk = Some(Jwk::from_encoding_key(&key, Algorithm::RS256).unwrap());
    assert_eq!(
        test.status_with(forger.sign_with(&header, &claims).unwrap())
            .await,
        401
    );
}

#[tokio::test]
async fn without_an_organisation_or_a_known_role_there_is_nothing_to_see() {
    let test = TestApp::new().await;
    for bend in [
        (|claims| claims["o"] = Value::Null) as fn(&mut Value),
        |claims| claims["o"]["rol"] = "emperor".into(),
        |claims| claims["o"]["rol"] = Value::Null,
        |claims| claims["o"]["rol"] = "compliance".into(),
        |claims| {
            claims["o"] = Value::Null;
            claims["org_id"] = "org_northside".into(); // version 1 in a token of version 2
            claims["org_role"] = "org:admin".into();
        },
    ] {
        assert_eq!(test.status_with(test.bent(bend)).await, 403);
    }
}

#[tokio::test]
async fn a_refusal_says_how_to_sign_in_and_not_what_was_wrong() {
    let test = TestApp::new().await;
    let answer = test.anonymous().get("/api/assets").await;
    assert_eq!(answer.headers["www-authenticate"], "Bearer");
    answer.problem(401, "unauthenticated");
    let expired = test.bent(|claims| claims["exp"] = 1.into());
    let answer = test
        .as_caller(Caller::Token(expired))
        .get("/api/assets")
        .await;
    answer
        .problem(401, "unauthenticated")
        .saying("the session token does not hold");
}
