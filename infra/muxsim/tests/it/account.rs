//! What the account allows: how often the API may be called.

use muxsim::RateLimit;
use reqwest::{Method, StatusCode};
use serde_json::json;
use time::ext::NumericalDuration;

use crate::support::Mux;

async fn limited(burst: f64) -> Mux {
    Mux::with(|options| {
        options.rate_limit = Some(RateLimit {
            burst,
            ..RateLimit::default()
        });
    })
    .await
}

async fn status(mux: &Mux, method: Method) -> StatusCode {
    let request = mux.api(method, "/video/v1/uploads").json(&json!({}));
    request.send().await.unwrap().status()
}

#[tokio::test]
async fn one_upload_a_second_may_be_made_after_the_burst_is_used_up() {
    let mux = limited(3.0).await;
    for _ in 0..3 {
        assert_eq!(status(&mux, Method::POST).await, StatusCode::CREATED);
    }
    assert_eq!(
        status(&mux, Method::POST).await,
        StatusCode::TOO_MANY_REQUESTS
    );
    mux.clock.advance(1.seconds());
    assert_eq!(status(&mux, Method::POST).await, StatusCode::CREATED);
    assert_eq!(
        status(&mux, Method::POST).await,
        StatusCode::TOO_MANY_REQUESTS
    );
    mux.clock.advance(1.hours());
    for _ in 0..3 {
        assert_eq!(
            status(&mux, Method::POST).await,
            StatusCode::CREATED,
            "no more than the burst is saved"
        );
    }
    assert_eq!(
        status(&mux, Method::POST).await,
        StatusCode::TOO_MANY_REQUESTS
    );
}

#[tokio::test]
async fn five_other_calls_a_second_are_counted_apart() {
    let mux = limited(1.0).await;
    assert_eq!(status(&mux, Method::POST).await, StatusCode::CREATED);
    assert_eq!(status(&mux, Method::GET).await, StatusCode::OK);
    assert_eq!(
        status(&mux, Method::GET).await,
        StatusCode::TOO_MANY_REQUESTS
    );
    mux.clock.advance(1.seconds());
    assert_eq!(status(&mux, Method::GET).await, StatusCode::OK);
}

#[tokio::test]
async fn a_refusal_has_the_body_of_mux_and_no_word_on_when_to_come_back() {
    let mux = limited(0.0).await;
    let refused = mux
        .api(Method::GET, "/video/v1/assets")
        .send()
        .await
        .unwrap();
    assert!(refused.headers().get("retry-after").is_none());
    assert_eq!(
        refused.headers()["content-type"],
        "application/json; charset=utf-8"
    );
    let body = refused.text().await.unwrap();
    assert_eq!(body, r#"{"errors":["Too many requests, retry later."]}"#);
    assert_eq!(body.len(), 46);
}

#[tokio::test]
async fn who_cannot_name_the_account_uses_nothing_of_it_up() {
    let mux = limited(1.0).await;
    for _ in 0..5 {
        let nobody = mux.http.post(format!("{}/video/v1/uploads", mux.url()));
        assert_eq!(
            nobody.send().await.unwrap().status(),
            StatusCode::UNAUTHORIZED
        );
    }
    assert_eq!(status(&mux, Method::POST).await, StatusCode::CREATED);
}

#[tokio::test]
async fn only_what_is_made_of_videos_counts_as_making() {
    let mux = limited(2.0).await;
    for _ in 0..2 {
        assert_eq!(status(&mux, Method::POST).await, StatusCode::CREATED);
    }
    let key = mux.api(Method::POST, "/system/v1/signing-keys").send();
    assert_eq!(key.await.unwrap().status(), StatusCode::CREATED);
}
