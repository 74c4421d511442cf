//! A viewer with a real player: what it fetches goes over HTTP to Mux's stand-in.

use std::{fs, path::Path};

use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

use super::{TestApp, answer::text};

pub(crate) fn clip() -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("infra/dev/clip.mp4")).unwrap()
}

/// The addresses in a playlist.
pub(crate) async fn addresses(url: &str) -> Vec<String> {
    let playlist = Client::new().get(url).send().await.unwrap();
    assert_eq!(playlist.status(), StatusCode::OK);
    let playlist = playlist.text().await.unwrap();
    playlist
        .lines()
        .filter(|line| line.starts_with("http"))
        .map(str::to_owned)
        .collect()
}

/// What whoever fetches this is answered.
pub(crate) async fn status(url: &str) -> u16 {
    let answer = Client::new().get(url).send().await.unwrap();
    answer.status().as_u16()
}

/// The claims of the token in an address.
pub(crate) fn claims(url: &str) -> Value {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    let token = url.split("token=").nth(1).unwrap();
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap());
    serde_json::from_slice(&payload.unwrap()).unwrap()
}

impl TestApp {
    /// Sends a file, lets Mux work and tell, and says what became of it.
    pub(crate) async fn send_file(&self, upload: &Value, file: Vec<u8>) -> Value {
        let put = Client::new()
            .put(text(upload, "uploadUrl"))
            .body(file)
            .send();
        assert_eq!(put.await.unwrap().status(), StatusCode::OK);
        self.mux_tells().await;
        let path = format!("/api/uploads/{}", text(upload, "id"));
        self.ada().get(&path).await.ok()
    }

    /// Mux does what it has to, and tells of it.
    pub(crate) async fn mux_tells(&self) {
        self.mux.process().await.unwrap();
        self.mux.deliver().await.unwrap();
        assert_eq!(self.mux.pending().unwrap(), 0, "every webhook was taken");
    }

    /// A video that Mux really has and plays, by its id.
    pub(crate) async fn film(&self, title: &str) -> String {
        let upload = self.ada().upload(title).await;
        assert_eq!(self.send_file(&upload, clip()).await["status"], "READY");
        text(&upload, "id").to_owned()
    }

    /// A call of Mux's own API, as somebody else who has the account's token.
    pub(crate) async fn at_mux(&self, method: Method, path: &str, body: Value) -> Value {
        let url = format!("{}/mux/video/v1/{path}", self.url);
        let call = Client::new()
            .request(method, url)
            .basic_auth(
                dev::settings::MUX_TOKEN_ID,
                Some(dev::settings::MUX_TOKEN_SECRET),
            )
            .json(&body);
        let answer = call.send().await.unwrap();
        assert!(answer.status().is_success(), "{:?}", answer.status());
        answer.json().await.unwrap_or_default()
    }

    /// The name of a video's asset at Mux.
    pub(crate) async fn mux_asset(&self, id: &str) -> String {
        let list = self
            .at_mux(Method::GET, "assets?limit=100", Value::Null)
            .await;
        let assets = list["data"].as_array().unwrap();
        let asset = assets.iter().find(|it| it["passthrough"] == id).unwrap();
        text(asset, "id").to_owned()
    }

    /// Every playback id that Mux has.
    pub(crate) async fn playback_ids(&self) -> Vec<String> {
        let list = self
            .at_mux(Method::GET, "assets?limit=100", Value::Null)
            .await;
        let assets = list["data"].as_array().unwrap().iter();
        let ids = assets.flat_map(|it| it["playback_ids"].as_array().unwrap());
        ids.map(|it| text(it, "id").to_owned()).collect()
    }

    /// Opens a link, or asks for the next token with what was given before.
    pub(crate) async fn open(&self, share: &Value, before: Option<&Value>) -> super::Answer {
        let grant = before.map_or("", |it| text(it, "grant"));
        let viewer = self.anonymous().with("x-share-grant", grant);
        viewer
            .get(&format!("/api/share/{}", text(share, "token")))
            .await
    }

    /// Takes a link back.
    pub(crate) async fn revoke(&self, share: &Value) -> Value {
        let path = format!("/api/shares/{}", text(share, "id"));
        self.ada().delete(&path).await.ok()
    }

    /// A link to this video with these wishes; the answer's body.
    pub(crate) async fn link(&self, asset: &str, mut wishes: Value) -> Value {
        if wishes["label"].is_null() {
            wishes["label"] = json!("for Sam");
        }
        let path = format!("/api/assets/{asset}/shares");
        self.ada().post(&path, wishes).await.created()
    }
}
