//! What was delivered: counted as it is sent, reported as Mux does.

use reqwest::{Method, header};
use serde_json::{Value, json};
use time::Duration;

use crate::{
    support::{Answer, Mux, text},
    viewer::playback_id,
};

const USAGE: &str = "/video/v1/delivery-usage";

/// Fetches all segments of an asset.
async fn watched(mux: &Mux, asset: &Value) {
    let rendition = mux.first_rendition(asset).await;
    for segment in mux.media(&rendition).await.segments {
        mux.fetch(&segment.uri).await.is(200);
    }
}

#[tokio::test]
async fn what_is_delivered_is_reported_twelve_hours_later() {
    let mux = Mux::new().await;
    let (once, twice) = (mux.ready("signed").await, mux.ready("signed").await);
    mux.ready("signed").await; // nobody watches this one
    watched(&mux, &once).await;
    watched(&mux, &twice).await;
    watched(&mux, &twice).await;
    let seconds = once["duration"].as_f64().unwrap();
    let counted = mux.sim.delivered_seconds(playback_id(&once)).unwrap();
    assert!((counted - seconds).abs() < 0.2, "{counted} {seconds}");
    assert_eq!(mux.get(USAGE).await.is(200)["total_row_count"], 0);
    let start = mux.clock.unix();
    mux.sim.advance(Duration::hours(13)).await.unwrap();
    let usage = mux.get(USAGE).await.is(200);
    assert_eq!(usage["total_row_count"], 2);
    assert_eq!(usage["timeframe"], json!([start, start + 3600]));
    assert_eq!((&usage["page"], &usage["limit"]), (&json!(1), &json!(100)));
    let most = &usage["data"][0];
    assert_eq!(most["asset_id"], twice["id"]);
    assert_eq!(most["asset_state"], "ready");
    assert_eq!(most["asset_resolution_tier"], "720p");
    assert_eq!(most["asset_duration"], twice["duration"]);
    assert_eq!(most["created_at"], twice["created_at"]);
    let delivered = most["delivered_seconds"].as_f64().unwrap();
    assert!((delivered - 2.0 * seconds).abs() < 0.4, "{delivered}");
    assert_eq!(
        most["delivered_seconds_by_resolution"],
        json!({"tier_720p": delivered})
    );
    assert_eq!(usage["data"][1]["asset_id"], once["id"]);
    let filtered = format!("{USAGE}?asset_id={}", text(&once["id"]));
    assert_eq!(mux.get(&filtered).await.is(200)["total_row_count"], 1);
    let later = format!(
        "{USAGE}?timeframe[]={}&timeframe[]={}",
        start + 3600,
        start + 7200
    );
    assert_eq!(mux.get(&later).await.is(200)["total_row_count"], 0);
    let page = mux.get(&format!("{USAGE}?limit=1&page=2")).await.is(200);
    assert_eq!(page["data"][0]["asset_id"], once["id"]);
}

#[tokio::test]
async fn what_a_deleted_asset_delivered_is_still_reported() {
    let mux = Mux::with(|options| options.usage_lag = Duration::ZERO).await;
    let asset = mux.ready("signed").await;
    watched(&mux, &asset).await;
    mux.delete(&format!("/video/v1/assets/{}", text(&asset["id"])))
        .await
        .is(204);
    let deleted = mux.clock.unix();
    mux.sim.advance(Duration::hours(1)).await.unwrap();
    let usage = mux.get(USAGE).await.is(200);
    let report = &usage["data"][0];
    assert_eq!(report["asset_state"], "deleted");
    assert_eq!(report["deleted_at"], deleted.to_string());
}

#[tokio::test]
async fn a_time_frame_that_is_none_is_refused() {
    let mux = Mux::new().await;
    for query in [
        "timeframe[]=1",
        "timeframe[]=2&timeframe[]=1",
        "timeframe[]=1&timeframe[]=2&timeframe[]=3",
        "timeframe[]=a&timeframe[]=b",
        "asset_id=a&live_stream_id=b",
        "page=x",
    ] {
        let answer = mux.get(&format!("{USAGE}?{query}")).await;
        answer.refuses(400, "invalid_parameters");
    }
}

#[tokio::test]
async fn a_day_is_exported_when_it_is_over() {
    let mux = Mux::new().await;
    let asset = mux.ready("signed").await;
    watched(&mux, &asset).await;
    let path = "/system/v1/usage/exports";
    let none = mux.get(path).await.is(200);
    assert_eq!(
        none["meta"],
        json!({"page": 1, "limit": 100, "pages": 0, "total": 0})
    );
    mux.sim.advance(Duration::days(1)).await.unwrap();
    let exports = mux.get(path).await.is(200);
    assert_eq!(exports["meta"]["total"], 1);
    let export = &exports["data"][0];
    assert_eq!(export["date"], "2026-01-05");
    let file = mux.fetch(text(&export["download_url"])).await;
    file.is(200);
    assert_eq!(export["file_size"], file.bytes.len());
    let rows: Vec<String> = file.text().lines().map(str::to_owned).collect();
    assert_eq!(rows[0], "date,asset_id,resolution_tier,delivered_seconds");
    let start = format!("2026-01-05,{},720p,", text(&asset["id"]));
    assert!(rows[1].starts_with(&start), "{}", rows[1]);
    let (bare, _) = text(&export["download_url"]).split_once('?').unwrap();
    mux.fetch(bare).await.is(403);
    let within = mux.get(&format!("{path}?timeframe[]=7:days")).await.is(200);
    assert_eq!(within["meta"]["total"], 1);
    let before = mux
        .get(&format!("{path}?timeframe[]=1&timeframe[]=2"))
        .await
        .is(200);
    assert_eq!(before["meta"]["total"], 0);
    mux.get(&format!("{path}?timeframe[]=7:moons"))
        .await
        .refuses(400, "invalid_parameters");
    mux.sim.advance(Duration::hours(2)).await.unwrap();
    mux.fetch(text(&export["download_url"])).await.is(403);
    let answer = mux.get(&format!("{path}?download_url_ttl=0")).await;
    answer.refuses(400, "invalid_parameters");
}

#[tokio::test]
async fn only_what_is_sent_is_counted() {
    let mux = Mux::new().await;
    let asset = mux.ready("signed").await;
    let id = playback_id(&asset);
    let counted = || mux.sim.delivered_seconds(id).unwrap();
    let rendition = mux.first_rendition(&asset).await;
    let segment = mux.media(&rendition).await.segments.remove(0);
    let ask = async |method: Method, name: header::HeaderName, value: &str| {
        let request = mux.http.request(method, &segment.uri).header(name, value);
        Answer::to(request).await
    };
    ask(Method::HEAD, header::ACCEPT, "*/*").await.is(200);
    ask(Method::GET, header::RANGE, "bytes=99999999-")
        .await
        .is(416);
    let later = "Fri, 01 Jan 2100 00:00:00 GMT";
    ask(Method::GET, header::IF_MODIFIED_SINCE, later)
        .await
        .is(304);
    assert!(counted().abs() < f64::EPSILON, "{}", counted());
    let part = ask(Method::GET, header::RANGE, "bytes=0-99").await;
    part.is(206);
    let little = counted();
    assert!(
        little > 0.0 && little < 0.2 * f64::from(segment.duration),
        "{little}"
    );
    ask(Method::GET, header::ACCEPT, "*/*").await.is(200);
    assert!((counted() - little - f64::from(segment.duration)).abs() < 0.01);
}
