//! Webhooks: what they say, how they are signed, how often they are tried.

use serde_json::json;
use time::Duration;
use tokio_util::sync::CancellationToken;

use crate::{
    inbox::{Inbox, Received},
    support::{Mux, VIDEO, text},
};

/// Delivers what is due, and says what came.
async fn delivered(mux: &Mux, inbox: &Inbox) -> Vec<Received> {
    mux.sim.deliver().await.unwrap();
    let mut got = inbox.take();
    got.sort_by(|one, other| other.kind().cmp(one.kind())); // uploads before assets
    got
}

#[tokio::test]
async fn an_upload_tells_its_story() {
    let inbox = Inbox::new().await;
    let mux = Mux::telling(&[&inbox]).await;
    let settings = json!({"playback_policies": ["signed"], "passthrough": "ours"});
    let upload = mux.upload(&json!({ "new_asset_settings": settings })).await;
    let [created] = delivered(&mux, &inbox).await.try_into().unwrap();
    mux.clock.advance(Duration::seconds(3));
    mux.put(&upload, VIDEO).await.is(200);
    let [arrived, begun] = delivered(&mux, &inbox).await.try_into().unwrap();
    mux.sim.process().await.unwrap();
    let [ready] = delivered(&mux, &inbox).await.try_into().unwrap();
    assert_eq!(mux.sim.pending().unwrap(), 0);

    let asset = mux.asset_of(&upload).await;
    for (it, kind, object, id, second) in [
        (
            &created,
            "video.upload.created",
            "upload",
            &upload["id"],
            "00",
        ),
        (
            &arrived,
            "video.upload.asset_created",
            "upload",
            &upload["id"],
            "03",
        ),
        (&begun, "video.asset.created", "asset", &asset["id"], "03"),
        (&ready, "video.asset.ready", "asset", &asset["id"], "03"),
    ] {
        let mut envelope = it.event.clone();
        assert_eq!(envelope["data"].take()["id"], *id);
        let event = text(&envelope["id"].take()).to_owned();
        assert_eq!(event.len(), 36, "{event}");
        assert_eq!(
            envelope,
            json!({
                "type": kind,
                "id": null,
                "object": {"type": object, "id": id},
                "environment": {"name": "Development", "id": "muxsim"},
                "data": null,
                "created_at": format!("2026-01-05T09:00:{second}.000000Z"),
                "attempts": [],
                "request_id": null,
                "accessor": null,
                "accessor_source": null,
            })
        );
    }
    let [created, arrived, begun, ready] =
        [created, arrived, begun, ready].map(|mut it| it.event["data"].take());
    assert_eq!(created, upload);
    assert_eq!(arrived, mux.again(&upload).await);
    for shown in [&created, &arrived] {
        assert_eq!(shown["new_asset_settings"], settings);
        assert_eq!(shown.get("upload_id"), None);
        assert_eq!(shown.get("passthrough"), None);
    }
    assert_eq!(created.get("asset_id"), None);
    assert_eq!(arrived["asset_id"], asset["id"]);
    assert_eq!(arrived.get("url"), None);
    for shown in [&begun, &ready] {
        assert_eq!(shown["upload_id"], upload["id"]);
        assert_eq!(shown["passthrough"], "ours");
        assert_eq!(shown["created_at"], mux.clock.unix());
        assert_eq!(shown["playback_ids"], asset["playback_ids"]);
        assert_eq!(shown.get("asset_id"), None);
    }
    assert_eq!(begun["status"], "preparing");
    assert_eq!(
        begun["progress"],
        json!({"state": "ingesting", "progress": 0})
    );
    let mut shown = asset.clone();
    shown["created_at"] = mux.clock.unix().into();
    assert_eq!(ready, shown);
}

#[tokio::test]
async fn a_file_that_is_no_video_errors_its_asset_and_its_upload() {
    let cut = &VIDEO[..VIDEO.len() / 2];
    for file in [b"just a text".as_slice(), b"", cut] {
        let inbox = Inbox::new().await;
        let mux = Mux::telling(&[&inbox]).await;
        let upload = mux.signed_upload().await;
        mux.put(&upload, file).await.is(200);
        mux.sim.deliver().await.unwrap();
        inbox.take();
        assert_eq!(mux.sim.process().await.unwrap(), 1);
        let [of_upload, of_asset] = delivered(&mux, &inbox).await.try_into().unwrap();
        assert_eq!(of_upload.kind(), "video.upload.errored");
        let shown = &of_upload.event["data"];
        assert_eq!(shown["status"], "errored");
        assert_eq!(shown["error"]["type"], "invalid_input");
        let message = text(&shown["error"]["message"]);
        assert!(
            message.starts_with("The input file is not a valid video file."),
            "{message}"
        );
        assert_eq!(mux.again(&upload).await, *shown);

        assert_eq!(of_asset.kind(), "video.asset.errored");
        let shown = &of_asset.event["data"];
        assert_eq!(shown["status"], "errored");
        assert_eq!(
            shown["errors"],
            json!({"type": "invalid_input", "messages": [message]})
        );
        assert_eq!(
            shown["progress"],
            json!({"state": "errored", "progress": -1})
        );
        assert_eq!(mux.asset_of(&upload).await["errors"], shown["errors"]);
        assert_eq!(mux.sim.process().await.unwrap(), 0);
        mux.put(&upload, VIDEO).await.is(200); // too late: the session is over
        assert_eq!(mux.sim.process().await.unwrap(), 0);
    }
}

#[tokio::test]
async fn a_webhook_is_signed_with_its_endpoints_secret() {
    let inbox = Inbox::new().await;
    let mux = Mux::telling(&[&inbox]).await;
    mux.signed_upload().await;
    mux.sim.deliver().await.unwrap();
    let it = inbox.only();
    assert_eq!(it.signed_at(&inbox.endpoint.secret), Some(mux.clock.unix()));
    assert_eq!(it.signed_at("another secret"), None);
    assert_eq!(it.signature, it.signature.to_lowercase());
    let longer = Received {
        body: format!("{}\n", it.body),
        ..it
    };
    assert_eq!(longer.signed_at(&inbox.endpoint.secret), None);
}

#[tokio::test]
async fn a_webhook_is_tried_until_it_is_taken_and_waits_ever_longer() {
    let inbox = Inbox::new().await;
    let mux = Mux::telling(&[&inbox]).await;
    inbox.answer([500, 404, 302, 503]);
    mux.signed_upload().await;
    assert_eq!(mux.sim.deliver().await.unwrap(), 1);
    let mut tries = vec![inbox.only()];
    for (wait, answered) in [(2, 500), (4, 404), (8, 302), (16, 503)] {
        mux.clock.advance(Duration::seconds(wait - 1));
        assert_eq!(mux.sim.deliver().await.unwrap(), 0);
        assert_eq!(mux.sim.pending().unwrap(), 1);
        mux.clock.advance(Duration::seconds(1));
        assert_eq!(mux.sim.deliver().await.unwrap(), 1);
        let again = inbox.only();
        assert_eq!(
            again.signed_at(&inbox.endpoint.secret),
            Some(mux.clock.unix())
        );
        assert_eq!(again.event["id"], tries[0].event["id"]);
        assert_eq!(again.event["data"], tries[0].event["data"]);
        assert_eq!(again.event["created_at"], tries[0].event["created_at"]);
        let attempts = again.event["attempts"].as_array().unwrap();
        assert_eq!(attempts.len(), tries.len());
        let last = attempts.last().unwrap();
        assert_eq!(last["response_status_code"], answered);
        assert_eq!(last["address"], inbox.endpoint.address.as_str());
        assert!(
            last["max_attempts"].is_u64() && last["webhook_id"].is_u64(),
            "{last}"
        );
        assert!(tries.iter().all(|it| it.signature != again.signature));
        tries.push(again);
    }
    assert_eq!(mux.sim.pending().unwrap(), 0);
    mux.clock.advance(Duration::hours(2));
    assert_eq!(mux.sim.deliver().await.unwrap(), 0);
}

#[tokio::test]
async fn nobody_listening_is_a_failed_attempt() {
    let nowhere = Inbox::new().await.endpoint; // it stopped listening here
    let mux = Mux::with(|options| options.endpoints.push(nowhere)).await;
    let mut watch = mux.sim.watch();
    mux.signed_upload().await;
    for attempt in 1..=3 {
        assert_eq!(mux.sim.deliver().await.unwrap(), 1);
        let it = watch.try_recv().unwrap();
        assert_eq!(
            (it.kind.as_str(), it.status, it.attempt),
            ("video.upload.created", None, attempt)
        );
        mux.clock.advance(Duration::hours(1));
    }
}

#[tokio::test]
async fn an_endpoint_has_five_seconds_to_answer() {
    let inbox = Inbox::silent().await;
    let mux = Mux::telling(&[&inbox]).await;
    mux.signed_upload().await;
    let mut watch = mux.sim.watch();
    let sim = mux.sim.clone();
    let delivery = tokio::spawn(async move { sim.deliver().await.unwrap() });
    inbox.arrival().await;
    tokio::time::pause();
    tokio::time::advance(std::time::Duration::from_millis(4900)).await;
    assert!(!delivery.is_finished());
    tokio::time::advance(std::time::Duration::from_millis(200)).await;
    assert_eq!(delivery.await.unwrap(), 1);
    assert_eq!(watch.try_recv().unwrap().status, None);
    assert_eq!(mux.sim.pending().unwrap(), 1);
}

#[tokio::test]
async fn a_webhook_is_given_up_after_a_day() {
    let inbox = Inbox::new().await;
    let mux = Mux::telling(&[&inbox]).await;
    inbox.answer([500; 1000]);
    mux.signed_upload().await;
    let begin = mux.clock.unix();
    let mut last = begin;
    while mux.sim.pending().unwrap() > 0 {
        mux.sim.deliver().await.unwrap();
        if !inbox.take().is_empty() {
            last = mux.clock.unix();
        }
        mux.clock.advance(Duration::minutes(10));
    }
    let hours = (last - begin) / 3600;
    assert!((22..=24).contains(&hours), "{hours}");
}

#[tokio::test]
async fn what_was_not_taken_is_tried_again_after_a_restart() {
    let inbox = Inbox::new().await;
    let mux = Mux::telling(&[&inbox]).await;
    inbox.answer([500]);
    let upload = mux.signed_upload().await;
    mux.sim.deliver().await.unwrap();
    let first = inbox.only();
    mux.put(&upload, VIDEO).await.is(200);

    let mux = mux.reopened().await;
    assert_eq!(mux.sim.pending().unwrap(), 3);
    assert_eq!(inbox.take_kinds(), [""; 0]);
    mux.clock.advance(Duration::seconds(2));
    let [created, arrived, begun] = delivered(&mux, &inbox).await.try_into().unwrap();
    assert_eq!(created.event["id"], first.event["id"]);
    assert_eq!(created.event["attempts"][0]["response_status_code"], 500);
    assert_eq!(arrived.kind(), "video.upload.asset_created");
    assert_eq!(begun.kind(), "video.asset.created");
    assert_eq!(mux.sim.process().await.unwrap(), 1);
    let [ready] = delivered(&mux, &inbox).await.try_into().unwrap();
    assert_eq!(ready.kind(), "video.asset.ready");
    assert_eq!(mux.sim.pending().unwrap(), 0);
}

#[tokio::test]
async fn every_endpoint_gets_every_event() {
    let (one, other) = (Inbox::new().await, Inbox::new().await);
    let mux = Mux::telling(&[&one, &other]).await;
    other.answer([500]);
    mux.signed_upload().await;
    assert_eq!(mux.sim.deliver().await.unwrap(), 2);
    let (first, second) = (one.only(), other.only());
    assert_eq!(first.event, second.event);
    assert!(first.signed_at(&one.endpoint.secret).is_some());
    assert!(second.signed_at(&other.endpoint.secret).is_some());
    assert!(second.signed_at(&one.endpoint.secret).is_none());

    mux.clock.advance(Duration::seconds(2));
    assert_eq!(mux.sim.deliver().await.unwrap(), 1);
    assert_eq!(one.take_kinds(), [""; 0]);
    let attempts = other.only().event["attempts"].take();
    assert_eq!(attempts[0]["webhook_id"], 2);
}

#[tokio::test]
async fn left_to_itself_it_does_all_of_it() {
    let (inbox, silent) = (Inbox::new().await, Inbox::silent().await);
    let mux = Mux::telling(&[&silent, &inbox]).await;
    let stop = CancellationToken::new();
    let work = tokio::spawn({
        let (sim, stop) = (mux.sim.clone(), stop.clone());
        async move { sim.run(stop).await }
    });
    let upload = mux.signed_upload().await;
    silent.arrival().await;
    mux.put(&upload, VIDEO).await.is(200);
    // An endpoint that hangs is waited for, but neither a video nor another endpoint is.
    let mut kinds = Vec::new();
    while kinds.len() < 4 {
        inbox.arrival().await;
        kinds.extend(inbox.take_kinds());
    }
    kinds.sort();
    assert_eq!(
        kinds,
        [
            "video.asset.created",
            "video.asset.ready",
            "video.upload.asset_created",
            "video.upload.created"
        ]
    );
    stop.cancel();
    work.await.unwrap();
    assert!(mux.sim.pending().unwrap() >= 4);
}
