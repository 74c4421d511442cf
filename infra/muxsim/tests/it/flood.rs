//! Many at once: 200 assets, and every event of theirs through duplicates and reordering.

use std::collections::BTreeMap;

use muxsim::{Fault, Faults};
use serde_json::json;
use time::Duration;

use crate::{
    inbox::Inbox,
    support::{Mux, VIDEO, text},
};

const ASSETS: usize = 200;

#[tokio::test]
async fn two_hundred_assets_and_a_thousand_webhooks_lose_nothing() {
    let inbox = Inbox::new().await;
    inbox.answer((0..50).map(|it| if it % 5 == 0 { 500 } else { 200 }));
    let mux = Mux::telling(&[&inbox]).await;
    let faults = Faults::seeded(11)
        .with(Fault::Duplicate, 0.25)
        .with(Fault::Reorder, 0.25);
    mux.sim.set_faults(faults);
    let settings = json!({"new_asset_settings": {"playback_policies": ["signed"]}});
    for _ in 0..ASSETS {
        let upload = mux.upload(&settings).await;
        mux.put(&upload, VIDEO).await.is(200);
        mux.sim.deliver().await.unwrap();
    }
    assert_eq!(mux.sim.process().await.unwrap(), ASSETS);
    for asset in mux.get("/video/v1/assets?limit=100").await.is(200)["data"]
        .as_array()
        .unwrap()
    {
        let path = format!("/video/v1/assets/{}", text(&asset["id"]));
        mux.delete(&path).await.is(204);
    }
    mux.sim.advance(Duration::hours(1)).await.unwrap();
    assert_eq!(mux.sim.pending().unwrap(), 0);

    let got = inbox.take();
    assert!(got.len() > 1000, "{}", got.len());
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    for it in got.iter().filter(|it| it.event["attempts"] == json!([])) {
        *times.entry(text(&it.event["id"])).or_default() += 1;
    }
    let events = mux.get("/_muxsim/events?limit=10000").await.is(200)["data"].take();
    let events = events.as_array().unwrap();
    assert_eq!(events.len(), 4 * ASSETS + 100);
    let mishaps = mux.sim.mishaps().unwrap();
    let struck = |fault: Fault, id: &str| {
        let mut its = mishaps.iter().filter(|it| it.fault == fault);
        its.any(|it| it.struck.split(' ').nth(1) == Some(id))
    };
    let mut again = 0;
    for event in events {
        let id = text(&event["event"]["id"]);
        let taken = event["attempts"].as_array().unwrap().iter();
        let taken = taken.filter(|it| it["status"] == 200).count();
        let wanted = if struck(Fault::Duplicate, id) { 2 } else { 1 };
        assert_eq!(taken, wanted, "{event:#}");
        assert_eq!(times.get(id), Some(&wanted), "{id}");
        again += wanted - 1;
    }
    assert!((150..300).contains(&again), "{again}");
    // An asset that was ready before its upload had been told of: the order is not that of the world.
    let places = |kind: &str| -> BTreeMap<String, usize> {
        let all = got.iter().enumerate().rev();
        all.filter(|(_, it)| it.kind() == kind)
            .map(|(n, it)| {
                let data = &it.event["data"];
                let asset = data.get("asset_id").unwrap_or(&data["id"]);
                (text(asset).to_owned(), n)
            })
            .collect()
    };
    let (begun, ready) = (
        places("video.upload.asset_created"),
        places("video.asset.created"),
    );
    assert!(
        begun
            .iter()
            .any(|(asset, n)| ready.get(asset).is_some_and(|it| it < n))
    );
}
