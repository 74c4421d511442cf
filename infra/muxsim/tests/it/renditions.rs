//! Static renditions, `mp4_support` and the master.

use reqwest::{Method, header};
use serde_json::{Value, json};
use time::Duration;

use crate::{
    inbox::Inbox,
    support::{Answer, Mux, VIDEO, text},
    viewer::{Token, playback_id, refuses},
};

fn path(asset: &Value, what: &str) -> String {
    format!("/video/v1/assets/{}/{what}", text(&asset["id"]))
}

async fn shown(mux: &Mux, asset: &Value) -> Value {
    let path = format!("/video/v1/assets/{}", text(&asset["id"]));
    mux.get(&path).await.is(200)["data"].take()
}

async fn put(mux: &Mux, asset: &Value, what: &str, body: &Value) -> Answer {
    Answer::to(mux.api(Method::PUT, &path(asset, what)).json(body)).await
}

/// What was told since, in order.
async fn told(mux: &Mux, inbox: &Inbox) -> Vec<Value> {
    mux.sim.deliver().await.unwrap();
    inbox.take().into_iter().map(|it| it.event).collect()
}

/// A stand-in with an asset, and somebody who is told what happens to it.
async fn with_asset(policy: &str) -> (Mux, Inbox, Value) {
    let inbox = Inbox::new().await;
    let mux = Mux::telling(&[&inbox]).await;
    let asset = mux.ready(policy).await;
    told(&mux, &inbox).await;
    (mux, inbox, asset)
}

#[tokio::test]
async fn the_highest_rendition_is_a_file_to_take_away() {
    let (mux, inbox, asset) = with_asset("signed").await;
    let body = json!({"resolution": "highest", "passthrough": "ours"});
    let created = mux
        .post(&path(&asset, "static-renditions"), &body)
        .await
        .is(201)["data"]
        .take();
    assert_eq!(
        created,
        json!({
            "id": created["id"], "name": "highest.mp4", "ext": "mp4", "status": "preparing",
            "resolution": "highest", "type": "standard", "passthrough": "ours",
        })
    );
    assert_eq!(mux.sim.process().await.unwrap(), 1);
    let [first, ready] = told(&mux, &inbox).await.try_into().unwrap();
    assert_eq!(first["type"], "video.asset.static_rendition.created");
    assert_eq!(ready["type"], "video.asset.static_rendition.ready");
    assert_eq!(
        ready["object"],
        json!({"type": "static-rendition", "id": created["id"]})
    );
    assert_eq!(ready["data"]["asset_id"], asset["id"]);
    assert_eq!(ready["data"]["passthrough"], "ours");
    assert_eq!(ready["data"]["filesize"], VIDEO.len().to_string());
    let files = shown(&mux, &asset).await["static_renditions"].take();
    assert_eq!(files["files"][0]["filesize"], VIDEO.len().to_string());
    mux.post("/_muxsim/trigger", &json!({"type": "video.asset.updated"}))
        .await
        .is(200);
    let [updated] = told(&mux, &inbox).await.try_into().unwrap();
    let in_event = &updated["data"]["static_renditions"]["files"][0];
    assert_eq!(in_event["filesize"], VIDEO.len());
    assert_eq!(files["files"][0]["width"], asset["tracks"][0]["max_width"]);
    assert_eq!(files.get("status"), None);

    let id = playback_id(&asset);
    let address = |token: &str| format!("{}/stream/{id}/highest.mp4{token}", mux.url());
    refuses(&mux.fetch(&address("")).await, 403, 7, "Forbidden");
    let token = format!("?token={}", Token::new(&mux, id).sign());
    let whole = mux.fetch(&address(&token)).await;
    whole.is(200);
    assert_eq!(whole.bytes, VIDEO);
    assert_eq!(whole.header("content-type"), Some("video/mp4"));
    let part = mux
        .http
        .get(address(&token))
        .header(header::RANGE, "bytes=0-99");
    let part = Answer::to(part).await;
    part.is(206);
    assert_eq!(part.bytes, VIDEO[..100]);
    let counted = mux.sim.delivered_seconds(id).unwrap();
    let seconds = asset["duration"].as_f64().unwrap();
    assert!(
        counted > seconds * 0.99 && counted < seconds * 1.1,
        "{counted}"
    );
    let download = mux
        .fetch(&address(&format!("{token}&download=clip.mp4")))
        .await;
    download.is(200);

    let rendition = format!("static-renditions/{}", text(&created["id"]));
    mux.delete(&path(&asset, &rendition)).await.is(204);
    let [deleted] = told(&mux, &inbox).await.try_into().unwrap();
    assert_eq!(deleted["type"], "video.asset.static_rendition.deleted");
    refuses(&mux.fetch(&address(&token)).await, 404, 5, "Not Found");
    mux.delete(&path(&asset, &rendition))
        .await
        .refuses(404, "not_found");
}

#[tokio::test]
async fn a_rendition_taller_than_its_asset_is_skipped_and_one_that_needs_ffmpeg_says_so() {
    let (mux, inbox, asset) = with_asset("public").await;
    for (resolution, what) in [("2160p", "skipped"), ("audio-only", "errored")] {
        let body = json!({ "resolution": resolution });
        mux.post(&path(&asset, "static-renditions"), &body)
            .await
            .is(201);
        mux.sim.process().await.unwrap();
        let [_, ended] = told(&mux, &inbox).await.try_into().unwrap();
        assert_eq!(
            ended["type"],
            format!("video.asset.static_rendition.{what}")
        );
        assert_eq!(ended["data"]["status"], what);
        let twice = mux.post(&path(&asset, "static-renditions"), &body).await;
        twice.refuses(400, "invalid_parameters");
    }
    for wrong in ["4k", "capped-1080p", ""] {
        let body = json!({ "resolution": wrong });
        let answer = mux.post(&path(&asset, "static-renditions"), &body).await;
        let said = answer.refuses(400, "invalid_parameters");
        assert!(said.contains("highest, audio-only"), "{said}");
    }
}

#[tokio::test]
async fn renditions_can_come_with_an_upload() {
    let mux = Mux::new().await;
    let settings =
        json!({"playback_policies": ["public"], "static_renditions": [{"resolution": "highest"}]});
    let upload = mux.upload(&json!({ "new_asset_settings": settings })).await;
    mux.put(&upload, VIDEO).await.is(200);
    assert_eq!(mux.sim.process().await.unwrap(), 2);
    let asset = mux.asset_of(&upload).await;
    assert_eq!(asset["static_renditions"]["files"][0]["status"], "ready");
}

#[tokio::test]
async fn the_older_mp4_support_has_events_of_its_own() {
    let (mux, inbox, asset) = with_asset("public").await;
    let on = put(
        &mux,
        &asset,
        "mp4-support",
        &json!({"mp4_support": "capped-1080p"}),
    )
    .await;
    let on = on.is(200)["data"].take();
    assert_eq!(on["mp4_support"], "capped-1080p");
    assert_eq!(on["static_renditions"]["status"], "preparing");
    mux.sim.process().await.unwrap();
    let kinds: Vec<Value> = told(&mux, &inbox)
        .await
        .into_iter()
        .map(|mut it| it["type"].take())
        .collect();
    assert_eq!(
        kinds,
        [
            "video.asset.static_renditions.preparing",
            "video.asset.static_renditions.ready"
        ]
    );
    let file = format!(
        "{}/stream/{}/capped-1080p.mp4",
        mux.url(),
        playback_id(&asset)
    );
    mux.fetch(&file).await.is(200);
    put(&mux, &asset, "mp4-support", &json!({"mp4_support": "none"}))
        .await
        .is(200);
    let [deleted] = told(&mux, &inbox).await.try_into().unwrap();
    assert_eq!(deleted["type"], "video.asset.static_renditions.deleted");
    refuses(&mux.fetch(&file).await, 404, 5, "Not Found");
    let answer = put(&mux, &asset, "mp4-support", &json!({"mp4_support": "all"})).await;
    answer.refuses(400, "invalid_parameters");
}

#[tokio::test]
async fn the_master_can_be_taken_back_for_a_day() {
    let (mux, inbox, asset) = with_asset("signed").await;
    let on = json!({"master_access": "temporary"});
    let preparing = put(&mux, &asset, "master-access", &on).await.is(200)["data"].take();
    assert_eq!(preparing["master"], json!({"status": "preparing"}));
    put(&mux, &asset, "master-access", &on).await.is(200);
    mux.sim.process().await.unwrap();
    let ready = shown(&mux, &asset).await;
    assert_eq!(ready["master_access"], "temporary");
    let url = text(&ready["master"]["url"]);
    let file = mux.fetch(url).await;
    file.is(200);
    assert_eq!(file.bytes, VIDEO);
    refuses(
        &mux.fetch(url.split('?').next().unwrap()).await,
        403,
        7,
        "Forbidden",
    );
    mux.sim.advance(Duration::hours(24)).await.unwrap();
    mux.sim.process().await.unwrap();
    refuses(&mux.fetch(url).await, 403, 7, "Forbidden");
    let over = shown(&mux, &asset).await;
    assert_eq!(over["master_access"], "none");
    assert_eq!(over.get("master"), None);
    let kinds: Vec<Value> = told(&mux, &inbox)
        .await
        .into_iter()
        .map(|mut it| it["type"].take())
        .collect();
    assert_eq!(
        kinds,
        [
            "video.asset.master.preparing",
            "video.asset.master.ready",
            "video.asset.master.deleted"
        ]
    );
    let answer = put(
        &mux,
        &asset,
        "master-access",
        &json!({"master_access": "always"}),
    )
    .await;
    answer.refuses(400, "invalid_parameters");
}

#[tokio::test]
async fn the_two_ways_to_ask_for_files_exclude_each_other() {
    let (mux, _, asset) = with_asset("public").await;
    let older = json!({"mp4_support": "capped-1080p"});
    let newer = json!({"resolution": "highest"});
    put(&mux, &asset, "mp4-support", &older).await.is(200);
    let files = shown(&mux, &asset).await["static_renditions"]["files"].take();
    assert_eq!(files, json!([{"name": "capped-1080p.mp4", "ext": "mp4"}]));
    let refused = mux.post(&path(&asset, "static-renditions"), &newer).await;
    let said = refused.refuses(400, "invalid_parameters");
    assert!(said.contains("exclude each other"), "{said}");
    put(&mux, &asset, "mp4-support", &json!({"mp4_support": "none"}))
        .await
        .is(200);
    mux.post(&path(&asset, "static-renditions"), &newer)
        .await
        .is(201);
    let refused = put(&mux, &asset, "mp4-support", &older).await;
    refused.refuses(400, "invalid_parameters");
}
