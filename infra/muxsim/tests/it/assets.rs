//! Assets and playback ids: how they look, how they come and go.

use serde_json::json;

use crate::{
    inbox::Inbox,
    support::{AUDIO, Mux, VIDEO, text},
};

#[tokio::test]
async fn an_asset_is_found_by_its_upload() {
    let mux = Mux::new().await;
    let other = mux.ready("signed").await;
    let asset = mux.ready("signed").await;
    let path = format!("/video/v1/assets?upload_id={}", text(&asset["upload_id"]));
    assert_eq!(
        mux.get(&path).await.is(200),
        json!({"data": [asset], "next_cursor": null})
    );
    let all = mux.get("/video/v1/assets").await.is(200);
    assert_eq!(all, json!({"data": [asset, other], "next_cursor": null}));
    let none = mux.get("/video/v1/assets?upload_id=some").await.is(200);
    assert_eq!(none, json!({"data": [], "next_cursor": null}));
}

#[tokio::test]
async fn a_list_of_assets_goes_on_behind_its_cursor() {
    let mux = Mux::new().await;
    let mut made = Vec::new();
    for _ in 0..3 {
        made.insert(0, mux.ready("signed").await["id"].clone());
    }
    let first = mux.get("/video/v1/assets?limit=2").await.is(200);
    let cursor = text(&first["next_cursor"]);
    let rest = mux
        .get(&format!("/video/v1/assets?cursor={cursor}"))
        .await
        .is(200);
    assert_eq!(rest["next_cursor"], json!(null));
    let pages = [&first, &rest].map(|it| it["data"].as_array().unwrap().clone());
    let found: Vec<_> = pages.iter().flatten().map(|it| it["id"].clone()).collect();
    assert_eq!(found, made);
    let bad = mux.get("/video/v1/assets?cursor=made-up").await;
    bad.refuses(400, "invalid_parameters");
}

#[tokio::test]
async fn passthrough_and_meta_can_be_changed_and_everybody_is_told() {
    let inbox = Inbox::new().await;
    let mux = Mux::telling(&[&inbox]).await;
    let asset = mux.ready("signed").await;
    let path = format!("/video/v1/assets/{}", text(&asset["id"]));
    let change = async |body: &serde_json::Value| {
        let request = mux.api(reqwest::Method::PATCH, &path).json(body);
        crate::support::Answer::to(request).await
    };
    let changed = change(&json!({"passthrough": "mine", "meta": {"title": "New"}}))
        .await
        .is(200);
    assert_eq!(changed["data"]["passthrough"], "mine");
    assert_eq!(changed["data"]["meta"]["title"], "New");
    let cleared = change(&json!({"passthrough": ""})).await.is(200);
    assert_eq!(cleared["data"].get("passthrough"), None);
    assert_eq!(cleared["data"]["meta"]["title"], "New");
    let long = "x".repeat(256);
    change(&json!({"passthrough": long}))
        .await
        .refuses(400, "invalid_parameters");
    assert_eq!(mux.get(&path).await.is(200), cleared);
    assert!(mux.sim.deliver().await.unwrap() >= 2);
}

#[tokio::test]
async fn what_cannot_be_a_name_is_a_bad_request() {
    let mux = Mux::new().await;
    for path in [
        "assets/not-a-name",
        "uploads/a.b",
        "playback-ids/a_b",
        "assets/x/playback-ids/-",
    ] {
        let refused = mux.get(&format!("/video/v1/{path}")).await;
        assert_eq!(
            refused.refuses(400, "invalid_parameters"),
            "Failed to parse ID"
        );
    }
}

#[tokio::test]
async fn an_asset_says_what_is_in_its_file() {
    let mux = Mux::new().await;
    let asset = mux.ready("signed").await;
    assert_eq!(asset["created_at"], mux.clock.unix().to_string());
    assert_eq!(asset["aspect_ratio"], "4:3");
    assert_eq!(asset["resolution_tier"], "720p");
    assert_eq!(asset["max_stored_resolution"], "SD");
    assert_eq!(asset["max_stored_frame_rate"], 25.0);
    assert_eq!(
        asset["progress"],
        json!({"state": "completed", "progress": 100})
    );
    let seconds = asset["duration"].as_f64().unwrap();
    assert!((2.9..3.2).contains(&seconds), "{seconds}");
    assert_eq!(asset["tracks"][0]["type"], "video");
    assert_eq!(asset["tracks"][0]["max_width"], 160);
    assert_eq!(asset["tracks"][1]["type"], "audio");
    assert_eq!(asset["tracks"][1]["max_channels"], 2);
    assert_eq!(asset.get("test"), None);

    let upload = mux.upload(&json!({"test": true})).await;
    assert_eq!(upload["test"], true);
    mux.put(&upload, AUDIO).await.is(200);
    mux.sim.process().await.unwrap();
    let asset = mux.asset_of(&upload).await;
    assert_eq!(asset["status"], "ready");
    assert_eq!(asset["test"], true);
    assert_eq!(asset["resolution_tier"], "audio-only");
    assert_eq!(asset.get("aspect_ratio"), None);
}

#[tokio::test]
async fn playback_ids_come_and_go() {
    let inbox = Inbox::new().await;
    let mux = Mux::telling(&[&inbox]).await;
    let asset = mux.ready("signed").await;
    mux.sim.deliver().await.unwrap();
    inbox.take();
    let of_asset = format!("/video/v1/assets/{}", text(&asset["id"]));
    let all = format!("{of_asset}/playback-ids");
    let made = mux.post(&all, &json!({"policy": "public"})).await.is(201)["data"].take();
    assert_eq!(made["policy"], "public");
    let one = format!("{all}/{}", text(&made["id"]));
    assert_eq!(mux.get(&one).await.is(200), json!({ "data": made }));
    let look_up = format!("/video/v1/playback-ids/{}", text(&made["id"]));
    let object = json!({"type": "asset", "id": asset["id"]});
    let found = json!({"id": made["id"], "policy": "public", "object": object});
    assert_eq!(mux.get(&look_up).await.is(200), json!({ "data": found }));
    let shown = mux.get(&of_asset).await.is(200);
    assert_eq!(
        shown["data"]["playback_ids"],
        json!([asset["playback_ids"][0], made])
    );

    assert!(mux.delete(&one).await.is(204).is_null());
    for path in [&one, &look_up] {
        mux.get(path).await.refuses(404, "not_found");
    }
    mux.delete(&one).await.refuses(404, "not_found");
    let shown = mux.get(&of_asset).await.is(200);
    assert_eq!(shown["data"]["playback_ids"], asset["playback_ids"]);
    mux.sim.deliver().await.unwrap();
    assert_eq!(
        inbox.take_kinds(),
        ["video.asset.updated", "video.asset.updated"]
    );

    for body in [json!({"policy": "drm"}), json!({"policy": 1}), json!({})] {
        mux.post(&all, &body)
            .await
            .refuses(400, "invalid_parameters");
    }
}

#[tokio::test]
async fn a_deleted_asset_leaves_nothing() {
    let inbox = Inbox::new().await;
    let mux = Mux::telling(&[&inbox]).await;
    let asset = mux.ready("public").await;
    mux.sim.deliver().await.unwrap();
    inbox.take();
    let (id, playback) = (text(&asset["id"]), text(&asset["playback_ids"][0]["id"]));
    let media = mux.file("media").join(id);
    let file = mux.file("uploads").join(text(&asset["upload_id"]));
    assert!(media.join("source/init.mp4").exists() && file.exists());
    let path = format!("/video/v1/assets/{id}");
    assert!(mux.delete(&path).await.is(204).is_null());
    assert!(!media.exists() && !file.exists());
    mux.get(&path).await.refuses(404, "not_found");
    mux.delete(&path).await.refuses(404, "not_found");
    let look_up = format!("/video/v1/playback-ids/{playback}");
    mux.get(&look_up).await.refuses(404, "not_found");
    assert_eq!(
        mux.get("/video/v1/assets").await.is(200),
        json!({"data": [], "next_cursor": null})
    );
    mux.sim.deliver().await.unwrap();
    let told = inbox.only();
    assert_eq!(told.kind(), "video.asset.deleted");
    assert_eq!(told.event["data"]["id"], asset["id"]);
    assert_eq!(told.event["data"]["duration"], asset["duration"]);
}

#[tokio::test]
async fn an_asset_deleted_while_it_is_processed_leaves_nothing_either() {
    let mux = Mux::new().await;
    let mut paths = Vec::new();
    for _ in 0..20 {
        let upload = mux.signed_upload().await;
        mux.put(&upload, VIDEO).await.is(200);
        let asset = mux.asset_of(&upload).await;
        paths.push(format!("/video/v1/assets/{}", text(&asset["id"])));
    }
    let in_media = || std::fs::read_dir(mux.file("media")).unwrap().count();
    let delete_all = async {
        while in_media() == 0 {
            tokio::task::yield_now().await;
        }
        futures::future::join_all(paths.iter().map(|it| mux.delete(it))).await
    };
    let (processed, deleted) = tokio::join!(mux.sim.process(), delete_all);
    let processed = processed.unwrap();
    assert!((1..=20).contains(&processed), "{processed}");
    for answer in deleted {
        answer.is(204);
    }
    assert_eq!(in_media(), 0);
    assert_eq!(mux.sim.process().await.unwrap(), 0);
}
