//! Playback restrictions: made, changed, taken away, and kept.

use reqwest::{Method, RequestBuilder, header};
use serde_json::{Value, json};

use crate::{
    support::{Answer, Mux, text},
    viewer::{Token, playback_id},
};

const PATH: &str = "/video/v1/playback-restrictions";

async fn made(mux: &Mux, body: &Value) -> Value {
    mux.post(PATH, body).await.is(201)["data"].take()
}

async fn put(mux: &Mux, id: &Value, what: &str, body: &Value) -> Answer {
    let path = format!("{PATH}/{}/{what}", text(id));
    Answer::to(mux.api(Method::PUT, &path).json(body)).await
}

/// The status of a play with a token that binds a restriction.
async fn played(
    mux: &Mux,
    playback: &str,
    restriction: &Value,
    with: impl FnOnce(RequestBuilder) -> RequestBuilder,
) -> u16 {
    let token = Token::new(mux, playback).claiming("playback_restriction_id", restriction.clone());
    let url = format!(
        "{}/stream/{playback}.m3u8?token={}",
        mux.url(),
        token.sign()
    );
    Answer::to(with(mux.http.get(url))).await.status
}

#[tokio::test]
async fn a_restriction_is_made_changed_and_taken_away() {
    let mux = Mux::new().await;
    let referrer = json!({"allowed_domains": ["*.example.com"], "allow_no_referrer": false});
    let made = made(&mux, &json!({ "referrer": referrer })).await;
    let seconds = mux.clock.unix().to_string();
    assert_eq!(
        made,
        json!({
            "id": made["id"], "created_at": seconds, "updated_at": seconds, "referrer": referrer,
            "user_agent": {"allow_no_user_agent": true, "allow_high_risk_user_agent": true},
        })
    );
    mux.clock.advance(time::Duration::seconds(5));
    let all = json!({"allowed_domains": ["*"], "allow_no_referrer": true});
    let changed = put(&mux, &made["id"], "referrer", &all).await.is(200)["data"].take();
    assert_eq!(changed["referrer"], all);
    assert_eq!(changed["updated_at"], (mux.clock.unix()).to_string());
    let agents = json!({"allow_no_user_agent": false, "allow_high_risk_user_agent": false});
    let changed = put(&mux, &made["id"], "user_agent", &agents).await.is(200)["data"].take();
    assert_eq!(changed["user_agent"], agents);
    assert_eq!(mux.get(PATH).await.is(200)["data"], json!([changed]));
    let one = format!("{PATH}/{}", text(&made["id"]));
    assert_eq!(mux.get(&one).await.is(200)["data"], changed);
    mux.delete(&one).await.is(204);
    mux.get(&one).await.refuses(404, "not_found");
    put(&mux, &made["id"], "referrer", &all)
        .await
        .refuses(404, "not_found");
}

#[tokio::test]
async fn a_token_with_a_restriction_plays_only_where_it_allows() {
    let mux = Mux::new().await;
    let asset = mux.ready("signed").await;
    let id = playback_id(&asset);
    let body = json!({
        "referrer": {"allowed_domains": ["*.example.com"], "allow_no_referrer": false},
        "user_agent": {"allow_no_user_agent": true, "allow_high_risk_user_agent": false},
    });
    let made = made(&mux, &body).await;
    let from = |page: &'static str| move |it: RequestBuilder| it.header(header::REFERER, page);
    let with = |agent: &'static str| {
        move |it: RequestBuilder| {
            from("https://www.example.com/")(it).header(header::USER_AGENT, agent)
        }
    };
    let restriction = &made["id"];
    assert_eq!(
        played(&mux, id, restriction, from("https://www.example.com/a")).await,
        200
    );
    assert_eq!(
        played(&mux, id, restriction, from("https://evil.example/")).await,
        403
    );
    assert_eq!(played(&mux, id, restriction, |it| it).await, 403);
    assert_eq!(
        played(&mux, id, restriction, with("Mozilla/5.0")).await,
        200
    );
    assert_eq!(played(&mux, id, restriction, with("curl/8.5.0")).await, 403);
    assert_eq!(
        played(&mux, id, &json!("nosuch"), from("https://www.example.com/")).await,
        403
    );
    mux.delete(&format!("{PATH}/{}", text(restriction)))
        .await
        .is(204);
    assert_eq!(
        played(&mux, id, restriction, from("https://www.example.com/a")).await,
        403
    );
}

#[tokio::test]
async fn more_than_ten_domains_are_refused() {
    let mux = Mux::new().await;
    for domains in [vec!["a.example"; 11], vec!["https://a.example"]] {
        let body = json!({"referrer": {"allowed_domains": domains}});
        let said = mux
            .post(PATH, &body)
            .await
            .refuses(400, "invalid_parameters");
        assert!(said.contains("allowed_domains"), "{said}");
    }
    let said = mux
        .post(PATH, &json!({}))
        .await
        .refuses(400, "invalid_parameters");
    assert!(said.contains("referrer"), "{said}");
}
