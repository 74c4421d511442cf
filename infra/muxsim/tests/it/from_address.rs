//! Assets of an address: Mux fetches the file itself.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{
    inbox::Inbox,
    origin::Origin,
    support::{Mux, VIDEO, text},
};

const ASSETS: &str = "/video/v1/assets";

async fn asset(mux: &Mux, id: &Value) -> Value {
    let path = format!("{ASSETS}/{}", text(id));
    mux.get(&path).await.is(200)["data"].take()
}

#[tokio::test]
async fn an_asset_is_made_of_an_address() {
    let inbox = Inbox::new().await;
    let mux = Mux::telling(&[&inbox]).await;
    let origin = Origin::of(&[("clip.mp4", VIDEO)]).await;
    for inputs in [
        json!({"inputs": [{"url": origin.url("clip.mp4")}]}),
        json!({"input": [{"url": origin.url("moved-clip.mp4")}]}),
        json!({"input": origin.url("clip.mp4")}),
        json!({"inputs": [{"url": origin.url("clip.mp4"), "type": "audio"}]}),
    ] {
        let mut body = inputs;
        body["playback_policy"] = "public".into();
        body["passthrough"] = "ours".into();
        let created = mux.post(ASSETS, &body).await.is(201)["data"].take();
        assert_eq!(created["status"], "preparing");
        assert_eq!(created["ingest_type"], "on_demand_url");
        assert_eq!(created["playback_ids"][0]["policy"], "public");
        assert!(created["created_at"].is_string());
        assert_eq!(mux.sim.process().await.unwrap(), 1);
        mux.sim.deliver().await.unwrap();
        assert_eq!(
            inbox.take_kinds(),
            ["video.asset.created", "video.asset.ready"]
        );
        let ready = asset(&mux, &created["id"]).await;
        assert_eq!(ready["status"], "ready", "{ready:#}");
        assert_eq!(ready["passthrough"], "ours");
        assert_eq!(ready.get("upload_id"), None);
        assert_eq!(ready["tracks"].as_array().unwrap().len(), 2);
        let id = text(&ready["playback_ids"][0]["id"]);
        mux.play(id, None).await.is(200);
    }
}

#[tokio::test]
async fn what_cannot_be_fetched_errors_its_asset() {
    let inbox = Inbox::new().await;
    let mux = Mux::telling(&[&inbox]).await;
    let origin = Origin::of(&[("text", b"not a video")]).await;
    for (address, kind, why) in [
        (origin.url("missing"), "download_failed", "404"),
        (
            "http://127.0.0.1:9/".to_owned(),
            "download_failed",
            "could not be reached",
        ),
        (
            origin.url("text"),
            "invalid_input",
            "not a valid video file",
        ),
    ] {
        let created = mux
            .post(ASSETS, &json!({"inputs": [{"url": address}]}))
            .await
            .is(201);
        mux.sim.process().await.unwrap();
        mux.sim.deliver().await.unwrap();
        assert_eq!(
            inbox.take_kinds(),
            ["video.asset.created", "video.asset.errored"]
        );
        let errored = asset(&mux, &created["data"]["id"]).await;
        assert_eq!(errored["errors"]["type"], kind);
        let message = text(&errored["errors"]["messages"][0]);
        assert!(message.contains(why), "{message}");
    }
}

#[tokio::test]
async fn settings_that_cannot_be_are_refused_by_name() {
    let mux = Mux::new().await;
    let url = "http://127.0.0.1:9/clip.mp4";
    for (wrong, why) in [
        (json!({}), "inputs needs a url"),
        (json!({"inputs": []}), "inputs needs a url"),
        (
            json!({"inputs": ["file:///etc/passwd"]}),
            "inputs[0] url must be http or https",
        ),
        (
            json!({"inputs": [{"url": url}, {"type": "text"}]}),
            "inputs[1] needs a url",
        ),
        (
            json!({"input": url, "passthrough": 5}),
            "passthrough: invalid type",
        ),
        (
            json!({"input": url, "meta": {"title": 7}}),
            "meta.title: invalid type",
        ),
        (
            json!({"input": url, "normalize_audio": "yes"}),
            "normalize_audio: invalid type",
        ),
        (
            json!({"input": url, "static_renditions": "highest"}),
            "static_renditions: invalid type",
        ),
        (
            json!({"inputs": [{"url": 5}]}),
            "inputs[0].url: invalid type",
        ),
        (
            json!({"inputs": ["http://"]}),
            "inputs[0] url must be http or https",
        ),
        (
            json!({"inputs": [{"url": url, "start_time": 5}]}),
            "start_time are not supported here",
        ),
        (
            json!({"input": url, "static_renditions": [{"resolution": "720p"}, {"resolution": "720p"}]}),
            "static_renditions names a resolution twice",
        ),
        (
            json!({"input": url, "advanced_playback_policies": [{"policy": "drm"}]}),
            "drm is not supported",
        ),
        (json!([url]), "must be a JSON object"),
        (
            json!({"inputs": [{"url": url, "generated_subtitles": [{"language_code": "en"}]}]}),
            "generated_subtitles are not supported here",
        ),
        (
            json!({"inputs": [{"url": url, "overlay_settings": {}}]}),
            "overlay_settings",
        ),
        (
            json!({"input": url, "video_quality": "best"}),
            "video_quality",
        ),
        (
            json!({"input": url, "max_resolution_tier": "4k"}),
            "max_resolution_tier",
        ),
        (
            json!({"input": url, "playback_policies": ["drm"]}),
            "drm is not supported",
        ),
        (
            json!({"input": url, "passthrough": "x".repeat(256)}),
            "passthrough",
        ),
        (
            json!({"input": url, "meta": {"title": "x".repeat(513)}}),
            "meta.title",
        ),
        (
            json!({"input": url, "static_renditions": [{"resolution": "4k"}]}),
            "resolution",
        ),
        (
            json!({"input": url, "static_renditions": [{"resolution": "highest"}], "mp4_support": "audio-only"}),
            "exclude each other",
        ),
    ] {
        let said = mux
            .post(ASSETS, &wrong)
            .await
            .refuses(400, "invalid_parameters");
        assert!(said.contains(why), "{wrong}: {said}");
    }
}

#[tokio::test]
async fn the_input_is_described() {
    let mux = Mux::new().await;
    let asset = mux.ready("signed").await;
    let path = format!("{ASSETS}/{}/input-info", text(&asset["id"]));
    let info = mux.get(&path).await.is(200)["data"].take();
    assert_eq!(info[0]["settings"], json!({}));
    let file = &info[0]["file"];
    assert_eq!(file["container_format"], "mov,mp4,m4a,3gp,3g2,mj2");
    let [video, audio] = [0, 1].map(|n| file["tracks"][n].clone());
    assert_eq!(video["type"], "video");
    assert_eq!(video["encoding"], "h264");
    assert_eq!(video["width"], asset["tracks"][0]["max_width"]);
    assert_eq!(video["frame_rate"], asset["max_stored_frame_rate"]);
    assert_eq!(audio["type"], "audio");
    assert_eq!(audio["encoding"], "aac");
    assert_eq!(audio["channels"], asset["tracks"][1]["max_channels"]);
    assert!(audio["sample_rate"].is_u64());
}

#[tokio::test]
async fn the_free_plan_ends_at_ten_assets() {
    let mux = Mux::with(|options| options.free_plan = true).await;
    let body = json!({"inputs": ["http://127.0.0.1:9/clip.mp4"]});
    for _ in 0..10 {
        mux.post(ASSETS, &body).await.is(201);
    }
    for path in [ASSETS, "/video/v1/uploads"] {
        let said = mux
            .post(path, &body)
            .await
            .refuses(400, "invalid_parameters");
        assert!(
            said.starts_with("Free plan is limited to 10 assets"),
            "{said}"
        );
    }
}

#[tokio::test]
async fn settings_have_older_names_too() {
    let mux = Mux::new().await;
    let url = "http://127.0.0.1:9/clip.mp4";
    let body = json!({
        "input": url, "encoding_tier": "smart", "test": true,
        "advanced_playback_policies": [{"policy": "signed"}],
    });
    let asset = mux.post(ASSETS, &body).await.is(201)["data"].take();
    assert_eq!(asset["encoding_tier"], "smart");
    assert_eq!(asset["video_quality"], "plus");
    assert_eq!(asset["playback_ids"][0]["policy"], "signed");
    assert_eq!(asset["test"], true);
    let none = mux.get(&format!("{ASSETS}?live_stream_id=x")).await.is(200);
    assert_eq!(none["data"], json!([]));
}

/// A server that begins an answer and never goes on holds a worker until somebody minds.
#[tokio::test]
async fn an_asset_that_is_deleted_is_not_fetched_any_further() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/clip.mp4", listener.local_addr().unwrap());
    let mux = Mux::with(|options| options.workers = 1).await;
    let asset = mux.post(ASSETS, &json!({"inputs": [url]})).await.is(201);
    let path = format!("{ASSETS}/{}", text(&asset["data"]["id"]));
    let delete = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let head = b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\nx";
        stream.write_all(head).await.unwrap();
        mux.delete(&path).await.is(204);
        let mut rest = Vec::new();
        // The connection ends, one way or the other.
        let _ = stream.read_to_end(&mut rest).await;
    };
    let (processed, ()) = tokio::join!(mux.sim.process(), delete);
    assert_eq!(processed.unwrap(), 1);
    assert_eq!(std::fs::read_dir(mux.file("uploads")).unwrap().count(), 0);
}

#[tokio::test]
async fn what_an_asset_was_to_be_given_fails_with_it() {
    let inbox = Inbox::new().await;
    let mux = Mux::telling(&[&inbox]).await;
    let origin = Origin::of(&[("text", b"not a video")]).await;
    let body = json!({
        "inputs": [
            {"url": origin.url("text")},
            {"url": origin.url("text"), "type": "text", "text_type": "subtitles", "language_code": "en"},
        ],
        "static_renditions": [{"resolution": "highest"}],
        "master_access": "temporary",
    });
    let created = mux.post(ASSETS, &body).await.is(201);
    mux.sim.process().await.unwrap();
    mux.sim.deliver().await.unwrap();
    assert_eq!(
        inbox.take_kinds(),
        [
            "video.asset.created",
            "video.asset.errored",
            "video.asset.master.errored",
            "video.asset.master.preparing",
            "video.asset.static_rendition.created",
            "video.asset.static_rendition.errored",
            "video.asset.track.created",
            "video.asset.track.errored",
        ]
    );
    let errored = asset(&mux, &created["data"]["id"]).await;
    assert_eq!(
        errored["static_renditions"]["files"][0]["status"],
        "errored"
    );
    assert_eq!(errored.get("master"), None);
    assert_eq!(mux.sim.process().await.unwrap(), 0);
}
