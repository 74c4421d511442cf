//! The hot paths of one request, each beside what it can at best cost or what a library would cost.
#![expect(clippy::unwrap_used, reason = "a bench fails by panicking")]

use base64::{Engine, engine::general_purpose::STANDARD};
use divan::{Bencher, black_box};
use hmac::{Hmac, KeyInit, Mac};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use muxsim::SigningKey;
use serde_json::{Value, json};
use sha2::Sha256;
use shared::mux::{Audience, MuxEvent, PlaybackId, PlaybackSigner, Terms, WebhookVerifier};
use time::OffsetDateTime;

const SECRET: &str = "webhook-secret-of-32-characters!";
const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH.saturating_add(time::Duration::weeks(2_900));

fn main() {
    divan::main();
}

/// A `video.asset.ready` of the size that real ones have: about 2.9 kB.
fn body() -> Vec<u8> {
    let track = json!({
        "type": "video", "max_width": 1920, "max_height": 1080, "max_frame_rate": 29.97,
        "id": "p3AUxxHVj600DwUD01p02XXMFI0118lGbNjDeJbYFe7Xyh00", "status": "ready", "duration": 23.8238,
    });
    let event = json!({
        "type": "video.asset.ready", "request_id": null, "id": "4813455b-8fe8-40cc-9150-9aa5e2de67ca",
        "object": {"type": "asset", "id": "z3K6DX4yhJJ2CAe7ZcXCuWpNd501wa9axPmtROO5I5tc"},
        "environment": {"name": "Development", "id": "dvlv0o"},
        "data": {
            "id": "z3K6DX4yhJJ2CAe7ZcXCuWpNd501wa9axPmtROO5I5tc", "status": "ready", "duration": 23.872,
            "passthrough": "ast_01KE6P4YM00000000000000002", "aspect_ratio": "16:9",
            "upload_id": "gjjg48rGLX4hBM9NVLzfTs13r8nr02CkYWE02Byd8jgV00", "created_at": 1_656_362_193,
            "playback_ids": [{"policy": "signed", "id": "pZRRUL8HyLpvw8Cc01SZyKKgAzwT01lF02FUK5CFmw013HQ"}],
            "tracks": vec![track; 12], "mp4_support": "none", "master_access": "none",
        },
        "created_at": "2025-07-31T00:00:00.000000Z", "attempts": [], "accessor": null, "accessor_source": null,
    });
    event.to_string().into_bytes()
}

fn signature(body: &[u8]) -> String {
    let t = NOW.unix_timestamp();
    let mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    let mac = mac
        .chain_update(format!("{t}."))
        .chain_update(body)
        .finalize()
        .into_bytes();
    format!("t={t},v1={}", hex::encode(mac))
}

/// Ours: signature and event. Goal: 6.5 µs.
#[divan::bench]
fn webhook_verify_and_parse(bencher: Bencher<'_, '_>) {
    let (body, verifier) = (body(), WebhookVerifier::new(&[SECRET.to_owned().into()]));
    let signature = signature(&body);
    bencher.bench_local(|| {
        verifier
            .verify(Some(&signature), black_box(&body), NOW)
            .unwrap();
        MuxEvent::parse(black_box(&body)).unwrap()
    });
}

/// The floor below ours: the MAC alone.
#[divan::bench]
fn webhook_floor_mac_alone(bencher: Bencher<'_, '_>) {
    let (body, key) = (
        body(),
        Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap(),
    );
    bencher.bench_local(|| key.clone().chain_update(black_box(&body)).finalize());
}

/// The peer: the same JSON read without types.
#[divan::bench]
fn webhook_peer_untyped_parse(bencher: Bencher<'_, '_>) {
    let body = body();
    bencher.bench_local(|| serde_json::from_slice::<Value>(black_box(&body)).unwrap());
}

/// Ours: one playback address, with its signature. Goal: 1.1 × `openssl speed rsa2048`.
#[divan::bench]
fn playback_address(bencher: Bencher<'_, '_>) {
    let (signer, playback) = signer();
    let terms = Terms::default();
    let mut expires = NOW;
    bencher.bench_local(|| {
        // Far enough from the last one, which is remembered.
        expires += time::Duration::HOUR;
        signer
            .address(black_box(&playback), Audience::Video, &terms, expires)
            .unwrap()
    });
}

/// Ours: the same address for the next viewer, half a minute long.
#[divan::bench]
fn playback_address_remembered(bencher: Bencher<'_, '_>) {
    let (signer, playback) = signer();
    let terms = Terms::default();
    bencher.bench_local(|| {
        signer
            .address(black_box(&playback), Audience::Video, &terms, NOW)
            .unwrap()
    });
}

fn signer() -> (PlaybackSigner, PlaybackId) {
    let key = SigningKey::generate("key").unwrap();
    let url: url::Url = "https://stream.mux.com".parse().unwrap();
    let private = key.private_key.clone().into();
    let signer = PlaybackSigner::new("key", &private, url.clone(), url).unwrap();
    let playback = PlaybackId::new("pZRRUL8HyLpvw8Cc01SZyKKgAzwT01lF02FUK5CFmw013HQ");
    (signer, playback)
}

/// The peer: the same token by the library that everybody uses, with its key kept.
#[divan::bench]
fn playback_peer_jsonwebtoken(bencher: Bencher<'_, '_>) {
    let key = SigningKey::generate("key").unwrap();
    let pem = STANDARD.decode(&key.private_key).unwrap();
    let key = EncodingKey::from_rsa_pem(&pem).unwrap();
    let claims = json!({"sub": "pZRRUL8HyLpvw8Cc01SZyKKgAzwT01lF02FUK5CFmw013HQ", "aud": "v", "exp": 1, "kid": "key"});
    bencher.bench_local(|| {
        jsonwebtoken::encode(&Header::new(Algorithm::RS256), black_box(&claims), &key).unwrap()
    });
}
