//! The stand-in's own handles: what happened, and again.

use muxsim::events::TYPES;
use serde_json::{Value, json};
use time::Duration;

use crate::{
    inbox::Inbox,
    support::{Mux, text},
};

#[tokio::test]
async fn what_happened_is_remembered_with_what_became_of_it() {
    let inbox = Inbox::new().await;
    inbox.answer([500]);
    let mux = Mux::telling(&[&inbox]).await;
    let upload = mux.signed_upload().await;
    mux.sim.deliver().await.unwrap();
    mux.sim.advance(Duration::seconds(2)).await.unwrap();
    mux.cancel(&upload).await.is(200);
    let [_, again] = inbox.take().try_into().unwrap();
    let events = mux.get("/_muxsim/events").await.is(200)["data"].take();
    let kinds: Vec<&str> = events
        .as_array()
        .unwrap()
        .iter()
        .map(|it| text(&it["event"]["type"]))
        .collect();
    assert_eq!(kinds, ["video.upload.cancelled", "video.upload.created"]);
    assert_eq!(events[0]["attempts"], json!([]));
    let address = &inbox.endpoint.address;
    assert_eq!(
        events[1]["attempts"],
        json!([
            {"address": address, "at": "2026-01-05T09:00:00Z", "status": 500},
            {"address": address, "at": "2026-01-05T09:00:02Z", "status": 200},
        ])
    );
    assert_eq!(events[1]["event"]["id"], again.event["id"]);
    let only = mux.get("/_muxsim/events?type=video.upload.created&limit=1");
    assert_eq!(only.await.is(200)["data"], json!([events[1]]));
}

#[tokio::test]
async fn an_event_is_sent_again_with_its_own_id() {
    let inboxes = [Inbox::new().await, Inbox::new().await];
    let mux = Mux::telling(&[&inboxes[0], &inboxes[1]]).await;
    mux.signed_upload().await;
    mux.sim.deliver().await.unwrap();
    let first = inboxes.each_ref().map(Inbox::only);
    let id = text(&first[0].event["id"]);
    let path = format!("/_muxsim/events/{id}/replay");
    let answer = mux.post(&path, &json!({})).await.is(200);
    assert_eq!(answer["data"], json!({"id": id, "endpoints": 2}));
    mux.sim.deliver().await.unwrap();
    for (inbox, first) in inboxes.iter().zip(&first) {
        assert_eq!(inbox.only().body, first.body);
    }
    let path = "/_muxsim/events/none/replay";
    mux.post(path, &json!({})).await.refuses(404, "not_found");
}

#[tokio::test]
async fn every_type_can_be_triggered() {
    let inbox = Inbox::new().await;
    let mux = Mux::telling(&[&inbox]).await;
    for kind in TYPES {
        mux.post("/_muxsim/trigger", &json!({"type": kind}))
            .await
            .is(200);
        mux.sim.deliver().await.unwrap();
        let got = inbox.only();
        assert_eq!(got.kind(), *kind);
        assert!(got.signed_at(&inbox.endpoint.secret).is_some());
        assert_eq!(got.event["object"]["id"], got.event["data"]["id"]);
        let object = text(&got.event["object"]["type"]);
        assert!(
            [
                "asset",
                "upload",
                "track",
                "static-rendition",
                "live-stream",
                "simulcast-target",
                "delivery"
            ]
            .contains(&object)
        );
    }
    let body = json!({"type": "video.asset.eaten"});
    let answer = mux.post("/_muxsim/trigger", &body).await;
    let why = answer.refuses(400, "invalid_parameters");
    assert!(why.contains("video.asset.eaten"), "{why}");
}

#[tokio::test]
async fn what_is_triggered_is_about_what_there_is() {
    let mux = Mux::new().await;
    let asset = mux.ready("signed").await;
    let trigger = async |kind: &str| -> Value {
        let body = json!({"type": kind, "send": false});
        mux.post("/_muxsim/trigger", &body).await.is(200)["data"].take()
    };
    let event = trigger("video.asset.errored").await;
    assert_eq!(event["data"]["id"], asset["id"]);
    assert_eq!(event["data"]["status"], "errored");
    assert_eq!(event["data"]["errors"]["type"], "invalid_input");
    let event = trigger("video.upload.errored").await;
    assert_eq!(event["data"]["id"], asset["upload_id"]);
    assert_eq!(mux.asset_of(&event["data"]).await["status"], "ready");
}
