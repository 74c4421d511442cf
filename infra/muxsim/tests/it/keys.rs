//! Signing keys by the API.

use muxsim::SigningKey;
use serde_json::{Value, json};

use crate::{
    support::{Mux, text},
    viewer::{Token, playback_id, private, refuses},
};

async fn made(mux: &Mux, path: &str) -> Value {
    mux.post(path, &json!({})).await.is(201)["data"].take()
}

/// The key as its owner holds it.
fn held(key: &Value) -> SigningKey {
    let mut key = key.clone();
    key["public_key"] = json!([]);
    serde_json::from_value(key).unwrap()
}

#[tokio::test]
async fn a_key_signs_until_it_is_deleted() {
    let mux = Mux::new().await;
    let asset = mux.ready("signed").await;
    let id = playback_id(&asset);
    for path in ["/system/v1/signing-keys", "/video/v1/signing-keys"] {
        let key = made(&mux, path).await;
        let token = Token::new(&mux, id)
            .without_kid_in_header()
            .claiming("kid", key["id"].clone())
            .signed_with(private(&held(&key)))
            .sign();
        mux.play(id, Some(&token)).await.is(200);
        mux.delete(&format!("{path}/{}", text(&key["id"])))
            .await
            .is(204);
        refuses(&mux.play(id, Some(&token)).await, 403, 7, "Forbidden");
    }
}

#[tokio::test]
async fn the_private_half_is_told_once() {
    let mux = Mux::with(|options| options.signing_keys.clear()).await;
    let path = "/system/v1/signing-keys";
    let mut key = made(&mux, path).await;
    assert!(key.as_object_mut().unwrap().remove("private_key").is_some());
    let seconds = mux.clock.unix().to_string();
    assert_eq!(key, json!({"id": key["id"], "created_at": seconds}));
    assert_eq!(mux.get(path).await.is(200)["data"], json!([key]));
    let one = format!("{path}/{}", text(&key["id"]));
    assert_eq!(mux.get(&one).await.is(200)["data"], key);
    mux.delete(&one).await.is(204);
    mux.get(&one).await.refuses(404, "not_found");
    mux.delete(&one).await.refuses(404, "not_found");
}
