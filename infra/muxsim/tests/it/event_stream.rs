//! The stream of events, as Mux's own command line reads it.

use futures::StreamExt;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Mux, VIDEO};

const PATH: &str = "/system/v1/webhook-events/stream";

#[tokio::test]
async fn every_event_from_now_on_is_in_the_stream() {
    let mux = Mux::new().await;
    mux.signed_upload().await; // before: not in it
    let response = mux.api(Method::GET, PATH).send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut bytes = response.bytes_stream();
    let mut text = String::new();
    let mut until = async |wanted: usize| -> Vec<Value> {
        loop {
            let events: Vec<Value> = text
                .lines()
                .filter_map(|it| it.strip_prefix("data: "))
                .map(|it| serde_json::from_str(it).unwrap())
                .filter(|it: &Value| it["type"].is_string())
                .collect();
            if events.len() >= wanted {
                assert!(text.starts_with("event: connected\n"), "{text}");
                return events;
            }
            let part = bytes.next().await.unwrap().unwrap();
            text.push_str(std::str::from_utf8(&part).unwrap());
        }
    };
    let upload = mux.signed_upload().await;
    let [created] = until(1).await.try_into().unwrap();
    assert_eq!(created["type"], "video.upload.created");
    assert_eq!(created["data"], upload);
    mux.put(&upload, VIDEO).await.is(200);
    mux.sim.process().await.unwrap();
    let kinds: Vec<Value> = until(4)
        .await
        .into_iter()
        .map(|mut it| it["type"].take())
        .collect();
    assert_eq!(
        kinds,
        [
            "video.upload.created",
            "video.upload.asset_created",
            "video.asset.created",
            "video.asset.ready"
        ]
    );
    assert_eq!(mux.sim.pending().unwrap(), 0);
}

#[tokio::test]
async fn the_stream_asks_for_the_token() {
    let mux = Mux::new().await;
    let nobody = mux.http.get(format!("{}{PATH}", mux.url()));
    Answer::to(nobody).await.refuses(401, "unauthorized");
    let body = json!({"type": "video.asset.ready"});
    let nobody = mux
        .http
        .post(format!("{}/_muxsim/trigger", mux.url()))
        .json(&body);
    Answer::to(nobody).await.refuses(401, "unauthorized");
}
