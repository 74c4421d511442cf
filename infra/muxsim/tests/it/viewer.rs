//! A viewer: tokens, good and bad, and the way from a playlist to its segments.

use base64::{Engine, engine::general_purpose::STANDARD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use m3u8_rs::{MasterPlaylist, MediaPlaylist};
use muxsim::SigningKey;
use serde_json::{Value, json};

use crate::support::{Answer, KEY, Mux, text};

/// What a token is made of, good unless a test changes it.
pub(crate) struct Token {
    pub(crate) header: Header,
    claims: Value,
    key: EncodingKey,
}

impl Token {
    pub(crate) fn new(mux: &Mux, playback: &str) -> Self {
        let mut header = Header::new(Algorithm::RS256);
        header.kid = Some(KEY.id.clone());
        let exp = mux.clock.unix() + 600;
        Self {
            header,
            claims: json!({"sub": playback, "aud": "v", "exp": exp, "kid": KEY.id}),
            key: private(&KEY),
        }
    }

    pub(crate) fn claiming(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims[name] = value.into();
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.claims.as_object_mut().unwrap().remove(name);
        self
    }

    pub(crate) fn without_kid_in_header(mut self) -> Self {
        self.header.kid = None;
        self
    }

    pub(crate) fn signed_with(mut self, key: EncodingKey) -> Self {
        self.key = key;
        self
    }

    pub(crate) fn sign(&self) -> String {
        jsonwebtoken::encode(&self.header, &self.claims, &self.key).unwrap()
    }
}

pub(crate) fn private(key: &SigningKey) -> EncodingKey {
    let pem = STANDARD.decode(&key.private_key).unwrap();
    EncodingKey::from_rsa_pem(&pem).unwrap()
}

pub(crate) fn playback_id(asset: &Value) -> &str {
    text(&asset["playback_ids"][0]["id"])
}

impl Mux {
    pub(crate) async fn play(&self, playback: &str, token: Option<&str>) -> Answer {
        let query = token.map(|it| format!("?token={it}")).unwrap_or_default();
        self.fetch(&format!("{}/stream/{playback}.m3u8{query}", self.url()))
            .await
    }

    /// The playlist of an asset, by a good token.
    pub(crate) async fn master(&self, asset: &Value) -> MasterPlaylist {
        let playback = playback_id(asset);
        let answer = self
            .play(playback, Some(&Token::new(self, playback).sign()))
            .await;
        answer.is(200);
        m3u8_rs::parse_master_playlist_res(&answer.bytes).unwrap()
    }

    pub(crate) async fn media(&self, address: &str) -> MediaPlaylist {
        let answer = self.fetch(address).await;
        answer.is(200);
        m3u8_rs::parse_media_playlist_res(&answer.bytes).unwrap()
    }

    pub(crate) async fn first_rendition(&self, asset: &Value) -> String {
        self.master(asset).await.variants[0].uri.clone()
    }
}

#[track_caller]
pub(crate) fn refuses(answer: &Answer, status: u16, code: u8, message: &str) {
    assert_eq!(answer.is(status), json!({"code": code, "message": message}));
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
}
