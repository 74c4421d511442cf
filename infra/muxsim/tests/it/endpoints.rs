//! Webhook endpoints by the API: made, changed, taken away, and how a secret is replaced.

use muxsim::Endpoint;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    inbox::Inbox,
    support::{Answer, Mux, text},
};

const PATH: &str = "/system/v1/webhooks";

async fn made(mux: &Mux, address: &str) -> Value {
    let body = json!({ "address": address });
    mux.post(PATH, &body).await.is(201)["data"].take()
}

async fn patched(mux: &Mux, webhook: &Value, body: &Value) -> Answer {
    let path = format!("{PATH}/{}", text(&webhook["id"]));
    Answer::to(mux.api(Method::PATCH, &path).json(body)).await
}

async fn deleted(mux: &Mux, webhook: &Value) -> Answer {
    mux.delete(&format!("{PATH}/{}", text(&webhook["id"])))
        .await
}

#[tokio::test]
async fn a_secret_is_told_once() {
    let mux = Mux::new().await;
    let inbox = Inbox::new().await;
    let mut webhook = made(&mux, &inbox.endpoint.address).await;
    let secret = webhook
        .as_object_mut()
        .unwrap()
        .remove("signing_secret")
        .unwrap();
    let secret = text(&secret);
    assert_eq!(secret.len(), 32);
    assert_eq!(
        webhook,
        json!({
            "id": webhook["id"],
            "address": inbox.endpoint.address,
            "created_at": "2026-01-05T09:00:00Z",
            "enabled": true,
        })
    );
    let path = format!("{PATH}/{}", text(&webhook["id"]));
    assert_eq!(mux.get(&path).await.is(200)["data"], webhook);
    assert_eq!(mux.get(PATH).await.is(200)["data"], json!([webhook]));
    mux.signed_upload().await;
    mux.sim.deliver().await.unwrap();
    assert!(inbox.only().signed_at(secret).is_some());
}

#[tokio::test]
async fn a_second_endpoint_replaces_the_secret_of_the_first_without_a_gap() {
    let mux = Mux::new().await;
    let (old, new) = (Inbox::new().await, Inbox::new().await);
    let first = made(&mux, &old.endpoint.address).await;
    let second = made(&mux, &new.endpoint.address).await;
    assert_ne!(first["signing_secret"], second["signing_secret"]);
    mux.signed_upload().await;
    mux.sim.deliver().await.unwrap();
    let (by_old, by_new) = (old.only(), new.only());
    assert_eq!(by_old.event["id"], by_new.event["id"]);
    assert!(by_old.signed_at(text(&first["signing_secret"])).is_some());
    assert!(by_new.signed_at(text(&second["signing_secret"])).is_some());
    deleted(&mux, &first).await.is(204);
    mux.signed_upload().await;
    mux.sim.deliver().await.unwrap();
    assert_eq!(old.take().len(), 0);
    new.only();
    let again = made(&mux, &old.endpoint.address).await;
    assert_ne!(again["id"], first["id"]);
    assert_ne!(again["signing_secret"], first["signing_secret"]);
}

#[tokio::test]
async fn an_endpoint_can_be_moved_and_switched_off() {
    let mux = Mux::new().await;
    let (one, other) = (Inbox::new().await, Inbox::new().await);
    let webhook = made(&mux, &one.endpoint.address).await;
    let secret = text(&webhook["signing_secret"]);
    let body = json!({"address": other.endpoint.address});
    let moved = patched(&mux, &webhook, &body).await.is(200);
    assert_eq!(moved["data"]["address"], other.endpoint.address.as_str());
    mux.signed_upload().await;
    mux.sim.deliver().await.unwrap();
    assert_eq!(one.take().len(), 0);
    assert!(other.only().signed_at(secret).is_some());
    patched(&mux, &webhook, &json!({"enabled": false}))
        .await
        .is(200);
    mux.signed_upload().await;
    mux.sim.deliver().await.unwrap();
    assert_eq!(other.take().len(), 0);
    assert_eq!(mux.sim.pending().unwrap(), 0);
}

#[tokio::test]
async fn an_address_belongs_to_one_endpoint() {
    let mux = Mux::new().await;
    let webhook = made(&mux, "http://127.0.0.1:9/a").await;
    made(&mux, "http://127.0.0.1:9/b").await;
    for answer in [
        mux.post(PATH, &json!({"address": "http://127.0.0.1:9/a"}))
            .await,
        mux.post(PATH, &json!({"address": "ftp://127.0.0.1/"}))
            .await,
        mux.post(PATH, &json!({})).await,
        patched(&mux, &webhook, &json!({})).await,
        patched(&mux, &webhook, &json!({"address": "http://127.0.0.1:9/b"})).await,
    ] {
        answer.refuses(400, "invalid_parameters");
    }
    deleted(&mux, &webhook).await.is(204);
    deleted(&mux, &webhook).await.refuses(404, "not_found");
    patched(&mux, &webhook, &json!({"enabled": true}))
        .await
        .refuses(404, "not_found");
}

#[tokio::test]
async fn the_endpoints_of_the_options_are_those_of_the_last_start() {
    let named = |address: &str| Endpoint {
        address: address.to_owned(),
        secret: "of-the-options".to_owned(),
    };
    let mut mux =
        Mux::with(|options| options.endpoints = vec![named("http://127.0.0.1:9/a")]).await;
    let made = made(&mux, "http://127.0.0.1:9/made").await;
    let before = mux.get(PATH).await.is(200)["data"][1]["id"].clone();
    mux.options.endpoints = vec![named("http://127.0.0.1:9/a"), named("http://127.0.0.1:9/b")];
    let mut mux = mux.reopened().await;
    let all = mux.get(PATH).await.is(200)["data"].take();
    let addresses: Vec<&str> = all
        .as_array()
        .unwrap()
        .iter()
        .map(|it| text(&it["address"]).rsplit('/').next().unwrap())
        .collect();
    assert_eq!(addresses, ["b", "made", "a"]);
    assert_eq!(all[2]["id"], before);
    mux.options.endpoints.clear();
    let mux = mux.reopened().await;
    let left = mux.get(PATH).await.is(200)["data"].take();
    assert_eq!(left[0]["id"], made["id"]);
    assert_eq!(left.as_array().unwrap().len(), 1);
}
