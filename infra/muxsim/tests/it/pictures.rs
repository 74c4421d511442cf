//! Pictures of a video: thumbnails, animations, storyboards. They need ffmpeg.

use std::io::Write;

use muxsim::find_ffmpeg;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    support::{AUDIO, Answer, Mux, text},
    viewer::{Token, playback_id, refuses},
};

/// A stand-in with ffmpeg and a video; says so and gives up where there is none.
async fn with_ffmpeg(policy: &str) -> Option<(Mux, Value)> {
    let Some(ffmpeg) = find_ffmpeg(std::env::var_os("PATH").as_deref()) else {
        assert!(
            std::env::var_os("MUXSIM_NEEDS_FFMPEG").is_none(),
            "there is no ffmpeg on the PATH"
        );
        let _ = writeln!(
            std::io::stderr(),
            "no ffmpeg on the PATH: pictures are not tested"
        );
        return None;
    };
    let mux = Mux::with(|options| options.ffmpeg = Some(ffmpeg)).await;
    let asset = mux.ready(policy).await;
    Some((mux, asset))
}

async fn picture(mux: &Mux, asset: &Value, file: &str) -> Answer {
    let id = playback_id(asset);
    mux.fetch(&format!("{}/image/{id}/{file}", mux.url())).await
}

/// Width and height of a PNG (RFC 2083, section 4.1.1).
fn size(png: &[u8]) -> (u32, u32) {
    let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
    (number(16), number(20))
}

#[tokio::test]
async fn a_thumbnail_has_the_size_that_was_asked_for() {
    let Some((mux, asset)) = with_ffmpeg("public").await else {
        return;
    };
    let (width, height) = (
        &asset["tracks"][0]["max_width"],
        &asset["tracks"][0]["max_height"],
    );
    let [width, height] = [width, height].map(|it| u32::try_from(it.as_u64().unwrap()).unwrap());
    for (query, wanted) in [
        ("", (width, height)),
        ("?time=1&width=64&height=64&fit_mode=stretch", (64, 64)),
        ("?width=64&height=64&fit_mode=crop", (64, 64)),
        ("?width=64&height=64&fit_mode=pad", (64, 64)),
        ("?rotate=90", (height, width)),
        ("?time=9999&flip_h=true", (width, height)),
    ] {
        let answer = picture(&mux, &asset, &format!("thumbnail.png{query}")).await;
        answer.is(200);
        assert_eq!(answer.header("content-type"), Some("image/png"));
        assert_eq!(size(&answer.bytes), wanted, "{query}");
    }
    for (form, kind, start) in [
        ("thumbnail.jpg", "image/jpeg", &b"\xff\xd8"[..]),
        ("thumbnail.webp", "image/webp", b"RIFF"),
        ("animated.gif?fps=5&width=64", "image/gif", b"GIF8"),
        ("animated.webp?end=1&height=36", "image/webp", b"RIFF"),
        ("storyboard.jpg", "image/jpeg", b"\xff\xd8"),
    ] {
        let answer = picture(&mux, &asset, form).await;
        answer.is(200);
        assert_eq!(answer.header("content-type"), Some(kind), "{form}");
        assert!(answer.bytes.starts_with(start), "{form}");
        assert_eq!(picture(&mux, &asset, form).await.bytes, answer.bytes);
    }
}

#[tokio::test]
async fn what_cannot_be_drawn_is_refused() {
    let Some((mux, asset)) = with_ffmpeg("public").await else {
        return;
    };
    for wrong in [
        "thumbnail.png?width=0",
        "thumbnail.png?width=99999",
        "thumbnail.png?time=-1",
        "thumbnail.png?rotate=45",
        "thumbnail.png?fit_mode=shrink",
        "thumbnail.png?colour=red",
        "animated.gif?end=20",
        "animated.gif?fps=60",
        "animated.gif?start=3&end=2",
        "storyboard.jpg?width=5",
    ] {
        let answer = picture(&mux, &asset, wrong).await;
        refuses(&answer, 400, 3, "Invalid parameter");
    }
    for unknown in ["thumbnail.bmp", "animated.png", "poster.jpg", "thumbnail"] {
        refuses(&picture(&mux, &asset, unknown).await, 404, 5, "Not Found");
    }
    let upload = mux
        .upload(&json!({"new_asset_settings": {"playback_policies": ["public"]}}))
        .await;
    mux.put(&upload, AUDIO).await.is(200);
    mux.sim.process().await.unwrap();
    let sound = mux.asset_of(&upload).await;
    refuses(
        &picture(&mux, &sound, "thumbnail.png").await,
        404,
        5,
        "Not Found",
    );
}

#[tokio::test]
async fn every_kind_of_picture_has_a_token_of_its_own() {
    let Some((mux, asset)) = with_ffmpeg("signed").await else {
        return;
    };
    let id = playback_id(&asset);
    let files = [
        ("thumbnail.png", "t"),
        ("animated.gif", "g"),
        ("storyboard.jpg", "s"),
        ("storyboard.vtt", "s"),
        ("storyboard.json", "s"),
    ];
    for (file, audience) in files {
        refuses(&picture(&mux, &asset, file).await, 403, 7, "Forbidden");
        for other in ["v", "t", "g", "s"] {
            let token = Token::new(&mux, id).claiming("aud", other).sign();
            let answer = picture(&mux, &asset, &format!("{file}?token={token}")).await;
            let status = if other == audience { 200 } else { 403 };
            assert_eq!(answer.status, status, "{file} by {other}");
        }
    }
    let inside = Token::new(&mux, id)
        .claiming("aud", "t")
        .claiming("width", 64)
        .claiming("height", "36")
        .claiming("fit_mode", "stretch")
        .sign();
    let drawn = picture(&mux, &asset, &format!("thumbnail.png?token={inside}")).await;
    assert_eq!(size(&drawn.bytes), (64, 36));
    let beside = picture(
        &mux,
        &asset,
        &format!("thumbnail.png?token={inside}&width=32"),
    )
    .await;
    refuses(&beside, 400, 3, "Invalid parameter");
}

#[tokio::test]
async fn a_storyboard_leads_to_its_picture() {
    let Some((mux, asset)) = with_ffmpeg("signed").await else {
        return;
    };
    let token = Token::new(&mux, playback_id(&asset))
        .claiming("aud", "s")
        .sign();
    let json = picture(&mux, &asset, &format!("storyboard.json?token={token}"))
        .await
        .is(200);
    assert_eq!(json["duration"], asset["duration"]);
    let address = json["url"].as_str().unwrap();
    let image = mux.fetch(address).await;
    image.is(200);
    assert_eq!(image.header("content-type"), Some("image/jpeg"));
    let vtt = picture(&mux, &asset, &format!("storyboard.vtt?token={token}")).await;
    assert!(vtt.text().starts_with("WEBVTT\n"), "{}", vtt.text());
    assert!(
        vtt.text().contains(&format!("{address}#xywh=0,0,")),
        "{}",
        vtt.text()
    );
}

#[tokio::test]
async fn without_ffmpeg_a_picture_says_what_is_missing() {
    let mux = Mux::new().await;
    let asset = mux.ready("public").await;
    let answer = picture(&mux, &asset, "thumbnail.png").await;
    let why = "Pictures need ffmpeg: put it on the PATH and start again";
    refuses(&answer, 501, 12, why);
}

#[tokio::test]
async fn an_asset_can_say_which_picture_stands_for_it() {
    let Some((mux, asset)) = with_ffmpeg("public").await else {
        return;
    };
    let path = format!("/video/v1/assets/{}", text(&asset["id"]));
    let set = async |seconds: f64| {
        let body = json!({"thumbnail_time": seconds});
        Answer::to(mux.api(Method::PATCH, &path).json(&body)).await
    };
    let usual = picture(&mux, &asset, "thumbnail.png").await.bytes;
    let shown = set(0.0).await.is(200);
    assert_eq!(shown["data"]["thumbnail_time"], 0.0);
    let own = picture(&mux, &asset, "thumbnail.png").await.bytes;
    assert_ne!(own, usual);
    assert_eq!(
        picture(&mux, &asset, "thumbnail.png?time=0").await.bytes,
        own
    );
    mux.delete(&format!("{path}/thumbnail-time")).await.is(204);
    assert_eq!(picture(&mux, &asset, "thumbnail.png").await.bytes, usual);
    set(-1.0).await.refuses(400, "invalid_parameters");
}
