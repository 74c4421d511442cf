//! What a viewer may ask of a playlist, and where.

use serde_json::json;

use crate::{
    support::Mux,
    viewer::{Token, playback_id, refuses},
};

#[tokio::test]
async fn one_base_address_serves_all_of_muxs_hosts() {
    let mux = Mux::new().await;
    let asset = mux.ready("public").await;
    let id = playback_id(&asset);
    for path in [format!("/{id}.m3u8"), format!("/stream/{id}.m3u8")] {
        mux.fetch(&format!("{}{path}", mux.url())).await.is(200);
    }
    for path in [
        format!("/{id}/highest.mp4"),
        format!("/{id}/nothing"),
        format!("/image/{id}/x.jpg"),
    ] {
        refuses(
            &mux.fetch(&format!("{}{path}", mux.url())).await,
            404,
            5,
            "Not Found",
        );
    }
}

#[tokio::test]
async fn parameters_belong_inside_the_token_of_a_signed_playback_id() {
    let mux = Mux::new().await;
    let asset = mux.ready("signed").await;
    let id = playback_id(&asset);
    let token = Token::new(&mux, id).sign();
    let url = |token: &str| format!("{}/stream/{id}.m3u8?token={token}", mux.url());
    let beside = format!("{}&max_resolution=720p", url(&token));
    refuses(&mux.fetch(&beside).await, 400, 3, "Invalid parameter");
    let inside = Token::new(&mux, id)
        .claiming("max_resolution", "720p")
        .sign();
    mux.fetch(&url(&inside)).await.is(200);
    let wrong = Token::new(&mux, id)
        .claiming("max_resolution", "721p")
        .sign();
    refuses(&mux.fetch(&url(&wrong)).await, 400, 3, "Invalid parameter");
    let own = Token::new(&mux, id)
        .claiming("custom", json!({"session": "x"}))
        .sign();
    mux.fetch(&url(&own)).await.is(200);

    let lenient = Mux::with(|options| options.stray_parameters = true).await;
    let asset = lenient.ready("signed").await;
    let id = playback_id(&asset);
    let token = Token::new(&lenient, id).sign();
    let beside = format!(
        "{}/stream/{id}.m3u8?token={token}&max_resolution=720p",
        lenient.url()
    );
    lenient.fetch(&beside).await.is(200);
}

#[tokio::test]
async fn a_clip_has_only_the_segments_it_touches() {
    let mux = Mux::new().await;
    let asset = mux.ready("public").await;
    let id = playback_id(&asset);
    let segments = async |query: &str| {
        let answer = mux
            .fetch(&format!("{}/stream/{id}.m3u8?{query}", mux.url()))
            .await;
        answer.is(200);
        let master = m3u8_rs::parse_master_playlist_res(&answer.bytes).unwrap();
        mux.media(&master.variants[0].uri).await.segments.len()
    };
    let all = segments("").await;
    assert_eq!(segments("asset_start_time=0").await, all);
    assert_eq!(segments("asset_start_time=1000").await, 0);
    assert!((1..=all).contains(&segments("asset_end_time=0.1").await));
    for wrong in [
        "asset_start_time=x",
        "asset_start_time=-1",
        "asset_start_time=2&asset_end_time=1",
        "rendition_order=asc",
        "min_resolution=1080p&max_resolution=720p",
    ] {
        let answer = mux
            .fetch(&format!("{}/stream/{id}.m3u8?{wrong}", mux.url()))
            .await;
        refuses(&answer, 400, 3, "Invalid parameter");
    }
    for fine in [
        "redundant_streams=true",
        "rendition_order=desc",
        "exclude_pdt=true",
    ] {
        segments(fine).await;
    }
}
