//! Tracks that are added: subtitles and further sound.

use m3u8_rs::AlternativeMediaType;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    inbox::{Inbox, Received},
    origin::Origin,
    support::{AUDIO, Answer, Mux, VIDEO, text},
    viewer::{Token, playback_id, refuses},
};

const VTT: &str =
    "WEBVTT\n\n00:00.000 --> 00:02.000\nHello\n\n00:02.000 --> 00:03.000\nworld\nagain\n";
const SRT: &str = "1\r\n00:00:00,500 --> 00:00:02,000\r\nHello\r\n\r\n2\r\n00:00:02,000 --> 00:00:03,000\r\nworld\r\n";

fn tracks(asset: &Value) -> String {
    format!("/video/v1/assets/{}/tracks", text(&asset["id"]))
}

fn subtitles(url: &str) -> Value {
    json!({
        "url": url, "type": "text", "text_type": "subtitles", "language_code": "en",
        "name": "English", "closed_captions": true, "passthrough": "ours",
    })
}

#[tokio::test]
async fn subtitles_are_fetched_and_shown() {
    let inbox = Inbox::new().await;
    let mux = Mux::telling(&[&inbox]).await;
    let origin = Origin::of(&[("a.vtt", VTT.as_bytes()), ("a.srt", SRT.as_bytes())]).await;
    let asset = mux.ready("signed").await;
    let id = playback_id(&asset);
    mux.sim.deliver().await.unwrap();
    inbox.take();
    for (name, first) in [
        ("a.vtt", "00:00.000 --> 00:02.000"),
        ("a.srt", "00:00:00.500 --> 00:00:02.000"),
    ] {
        let mut body = subtitles(&origin.url(name));
        body["name"] = name.into();
        let answer = mux.post(&tracks(&asset), &body).await;
        let track = answer.is(201)["data"].take();
        assert_eq!(track["status"], "preparing");
        assert_eq!(track["text_source"], "uploaded");
        assert_eq!(mux.sim.process().await.unwrap(), 1);
        mux.sim.deliver().await.unwrap();
        let got = inbox.take();
        let kinds: Vec<&str> = got.iter().map(Received::kind).collect();
        assert_eq!(
            kinds,
            [
                "video.asset.track.created",
                "video.asset.track.ready",
                "video.asset.updated"
            ]
        );
        let ready = &got[1].event;
        assert_eq!(ready["object"], json!({"type": "track", "id": track["id"]}));
        assert_eq!(ready["data"]["asset_id"], asset["id"]);
        assert_eq!(ready["data"]["passthrough"], "ours");
        assert_eq!(ready["data"]["status"], "ready");
        let of_asset = &got[2].event["data"]["tracks"];
        assert_eq!(
            of_asset.as_array().unwrap().last().unwrap()["id"],
            track["id"]
        );

        let token = Token::new(&mux, id).sign();
        let address = |form: &str| {
            format!(
                "{}/stream/{id}/text/{}.{form}?token={token}",
                mux.url(),
                text(&track["id"])
            )
        };
        let shown = mux.fetch(&address("vtt")).await;
        shown.is(200);
        assert!(shown.text().starts_with("WEBVTT\n"), "{}", shown.text());
        assert!(shown.text().contains(first), "{}", shown.text());
        let said = mux.fetch(&address("txt")).await;
        assert!(said.text().starts_with("Hello\nworld\n"), "{}", said.text());
        let bare = address("vtt").split('?').next().unwrap().to_owned();
        refuses(&mux.fetch(&bare).await, 403, 7, "Forbidden");
    }
    let master = mux.master(&asset).await;
    assert_eq!(master.alternatives.len(), 2);
    let text = &master.alternatives[0];
    assert_eq!(text.media_type, AlternativeMediaType::Subtitles);
    assert_eq!(text.language.as_deref(), Some("en"));
    assert_eq!(master.variants[0].subtitles.as_deref(), Some("subtitles"));
    let playlist = mux.media(text.uri.as_ref().unwrap()).await;
    let cues = mux.fetch(&playlist.segments[0].uri).await;
    cues.is(200);
    assert_eq!(cues.text(), VTT);
}

#[tokio::test]
async fn further_sound_plays_beside_the_first() {
    let mux = Mux::new().await;
    let origin = Origin::of(&[("a.m4a", AUDIO), ("v.mp4", VIDEO)]).await;
    let asset = mux.ready("signed").await;
    let body = json!({"url": origin.url("a.m4a"), "type": "audio", "language_code": "fr", "name": "Français"});
    mux.post(&tracks(&asset), &body).await.is(201);
    assert_eq!(mux.sim.process().await.unwrap(), 1);
    let master = mux.master(&asset).await;
    let [own, french] = &master.alternatives[..] else {
        panic!("{master:#?}")
    };
    assert!(own.default && own.uri.is_none());
    assert_eq!(french.name, "Français");
    assert_eq!(master.variants[0].audio.as_deref(), Some("audio"));
    let playlist = mux.media(french.uri.as_ref().unwrap()).await;
    for segment in &playlist.segments {
        mux.fetch(&segment.uri).await.is(200);
    }
    assert!(
        mux.sim
            .delivered_seconds(playback_id(&asset))
            .unwrap()
            .abs()
            < f64::EPSILON
    );
    let body = json!({"url": origin.url("v.mp4"), "type": "audio", "language_code": "de"});
    let track = mux.post(&tracks(&asset), &body).await.is(201)["data"]["id"].take();
    mux.sim.process().await.unwrap();
    let all = mux
        .get(&format!("/video/v1/assets/{}", text(&asset["id"])))
        .await
        .is(200);
    let all = all["data"]["tracks"].as_array().unwrap();
    let wrong = all.iter().find(|it| it["id"] == track).unwrap();
    assert_eq!(wrong["status"], "errored");
}

#[tokio::test]
async fn what_is_no_track_says_so() {
    let inbox = Inbox::new().await;
    let mux = Mux::telling(&[&inbox]).await;
    let origin = Origin::of(&[("binary", &[0xff, 0xfe, 0]), ("text", b"just words")]).await;
    let asset = mux.ready("signed").await;
    mux.sim.deliver().await.unwrap();
    inbox.take();
    for (name, why) in [
        ("binary", "neither"),
        ("text", "neither"),
        ("missing", "404"),
    ] {
        let mut body = subtitles(&origin.url(name));
        body["name"] = name.into();
        mux.post(&tracks(&asset), &body).await.is(201);
        let twice = mux.post(&tracks(&asset), &body).await;
        let said = twice.refuses(400, "invalid_parameters");
        assert!(said.starts_with("name is already used"), "{said}");
        mux.sim.process().await.unwrap();
        mux.sim.deliver().await.unwrap();
        let got = inbox.take();
        assert_eq!(got[1].kind(), "video.asset.track.errored");
        let message = text(&got[1].event["data"]["error"]["messages"][0]);
        assert!(message.contains(why), "{message}");
    }
    for (change, why) in [
        (json!({"url": "file:///etc/passwd"}), "url"),
        (json!({"type": "video"}), "type"),
        (json!({"text_type": "poem"}), "text_type"),
        (json!({"language_code": ""}), "language_code"),
        (json!({"name": "a\",X=\"y"}), "name"),
        (json!({"name": "a\n#EXT-X-ENDLIST"}), "name"),
    ] {
        let mut body = subtitles(&origin.url("a.vtt"));
        body.as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        let said = mux
            .post(&tracks(&asset), &body)
            .await
            .refuses(400, "invalid_parameters");
        assert!(said.contains(why), "{said}");
    }
}

#[tokio::test]
async fn a_track_is_changed_and_taken_away() {
    let mux = Mux::new().await;
    let origin = Origin::of(&[("a.vtt", VTT.as_bytes())]).await;
    let asset = mux.ready("public").await;
    let track = mux
        .post(&tracks(&asset), &subtitles(&origin.url("a.vtt")))
        .await
        .is(201);
    let id = text(&track["data"]["id"]);
    mux.sim.process().await.unwrap();
    let path = format!("{}/{id}", tracks(&asset));
    let body = json!({"name": "Englisch", "closed_captions": false});
    let changed = Answer::to(mux.api(Method::PATCH, &path).json(&body))
        .await
        .is(200);
    assert_eq!(changed["data"]["name"], "Englisch");
    assert_eq!(changed["data"]["language_code"], "en");
    assert_eq!(changed["data"]["closed_captions"], false);
    let shown = format!("{}/stream/{}/text/{id}.vtt", mux.url(), playback_id(&asset));
    mux.fetch(&shown).await.is(200);
    mux.delete(&path).await.is(204);
    mux.delete(&path).await.refuses(404, "not_found");
    refuses(&mux.fetch(&shown).await, 404, 5, "Not Found");
    let own = format!("{}/{}", tracks(&asset), text(&asset["tracks"][0]["id"]));
    mux.delete(&own).await.refuses(400, "invalid_parameters");
}

#[tokio::test]
async fn subtitles_can_come_with_an_upload() {
    let mux = Mux::new().await;
    let origin = Origin::of(&[("a.vtt", VTT.as_bytes())]).await;
    let settings =
        json!({"inputs": [{}, subtitles(&origin.url("a.vtt"))], "playback_policies": ["public"]});
    let upload = mux.upload(&json!({ "new_asset_settings": settings })).await;
    mux.put(&upload, VIDEO).await.is(200);
    assert_eq!(mux.sim.process().await.unwrap(), 2);
    let asset = mux.asset_of(&upload).await;
    assert_eq!(asset["tracks"][2]["status"], "ready");
    let said = mux
        .post(
            &format!("{}/x/generate-subtitles", tracks(&asset)),
            &json!({}),
        )
        .await
        .refuses(400, "invalid_parameters");
    assert!(said.contains("not supported here"), "{said}");
}
