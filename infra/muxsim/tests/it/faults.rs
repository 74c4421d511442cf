//! Faults: what goes wrong on purpose, and what is written of it.

use std::collections::BTreeSet;

use muxsim::{Fault, Faults};
use serde_json::{Value, json};
use time::Duration;

use crate::{
    inbox::{Inbox, Received},
    support::{Answer, Mux, QUANTUM, text, video_of},
};

/// A stand-in where one thing always goes wrong, and somebody who is told.
async fn always(fault: Fault) -> (Mux, Inbox) {
    let inbox = Inbox::new().await;
    let mux = Mux::telling(&[&inbox]).await;
    mux.sim.set_faults(Faults::default().with(fault, 1.0));
    (mux, inbox)
}

/// The one webhook of an upload, struck by a fault.
async fn struck(fault: Fault) -> (Mux, Inbox, Received) {
    let (mux, inbox) = always(fault).await;
    mux.signed_upload().await;
    mux.sim.deliver().await.unwrap();
    let got = inbox.only();
    (mux, inbox, got)
}

#[tokio::test]
async fn a_duplicate_has_the_same_id() {
    let (mux, inbox) = always(Fault::Duplicate).await;
    mux.signed_upload().await;
    mux.sim.deliver().await.unwrap();
    let [one, other] = inbox.take().try_into().unwrap();
    assert_eq!(one.body, other.body);
    let mishap = &mux.sim.mishaps().unwrap()[0];
    assert_eq!(mishap.fault, Fault::Duplicate);
    let id = text(&one.event["id"]);
    let address = &inbox.endpoint.address;
    assert_eq!(
        mishap.struck,
        format!("video.upload.created {id} to {address}")
    );
}

#[tokio::test]
async fn an_event_is_overtaken_by_later_ones() {
    let (mux, inbox) = always(Fault::Reorder).await;
    let upload = mux.signed_upload().await;
    mux.sim.set_faults(Faults::default());
    mux.cancel(&upload).await.is(200);
    mux.sim.deliver().await.unwrap();
    assert_eq!(inbox.take_kinds(), ["video.upload.cancelled"]);
    mux.sim.advance(Duration::seconds(2)).await.unwrap();
    assert_eq!(inbox.take_kinds(), ["video.upload.created"]);
}

#[tokio::test]
async fn an_event_is_dropped() {
    let (mux, inbox) = always(Fault::Drop).await;
    mux.signed_upload().await;
    mux.sim.advance(Duration::hours(25)).await.unwrap();
    assert_eq!(inbox.take().len(), 0);
    assert_eq!(mux.sim.mishaps().unwrap().len(), 1);
}

#[tokio::test]
async fn an_event_comes_later() {
    let (mux, inbox) = always(Fault::Delay).await;
    mux.sim.set_faults(Faults {
        delay_seconds: 90_000,
        ..Faults::default().with(Fault::Delay, 1.0)
    });
    mux.signed_upload().await;
    mux.sim.advance(Duration::hours(24)).await.unwrap();
    assert_eq!(inbox.take().len(), 0);
    mux.sim.advance(Duration::hours(1)).await.unwrap();
    assert_eq!(inbox.take_kinds(), ["video.upload.created"]);
}

#[tokio::test]
async fn a_body_has_fields_that_nobody_documented() {
    let (_, inbox, got) = struck(Fault::UnknownFields).await;
    assert!(got.signed_at(&inbox.endpoint.secret).is_some());
    assert!(got.event["moon_phase"].is_object());
    assert_eq!(got.event["data"]["moon_phase"], "gibbous");
}

#[tokio::test]
async fn an_event_of_an_unknown_type_comes_beside_the_real_one() {
    let (mux, inbox) = always(Fault::UnknownType).await;
    mux.signed_upload().await;
    mux.sim.deliver().await.unwrap();
    assert_eq!(
        inbox.take_kinds(),
        ["video.upload.created", "video.upload.daydreamed"]
    );
}

#[tokio::test]
async fn a_signature_is_wrong_in_every_way_it_can_be() {
    type Seen = fn(Option<i64>, i64, &Received) -> bool;
    let every: [(Fault, Seen); 5] = [
        (Fault::WrongSecret, |t, _, _| t.is_none()),
        (Fault::MissingHeader, |_, _, got| got.signature.is_empty()),
        (Fault::StaleTime, |t, now, _| t == Some(now - 600)),
        (Fault::FutureTime, |t, now, _| t == Some(now + 600)),
        (Fault::UppercaseHex, |_, _, got| {
            let (_, digest) = got.signature.rsplit_once('=').unwrap();
            digest == digest.to_uppercase()
        }),
    ];
    for (fault, seen) in every {
        let (mux, inbox, got) = struck(fault).await;
        let t = got.signed_at(&inbox.endpoint.secret);
        assert!(seen(t, mux.clock.unix(), &got), "{fault:?}: {got:?}");
        let mishaps = mux.sim.mishaps().unwrap();
        assert_eq!(
            mishaps.iter().map(|it| it.fault).collect::<Vec<_>>(),
            [fault]
        );
        let events = mux.get("/_muxsim/events").await.is(200);
        assert_eq!(
            events["data"][0]["attempts"][0]["faults"],
            json!([fault.name()])
        );
    }
}

/// A webhook that cannot be verified is answered 401, and comes again in order.
#[tokio::test]
async fn what_a_fault_spoils_comes_again() {
    let (mux, inbox) = always(Fault::WrongSecret).await;
    inbox.answer([401]);
    mux.signed_upload().await;
    mux.sim.deliver().await.unwrap();
    mux.sim.set_faults(Faults::default());
    mux.sim.advance(Duration::hours(1)).await.unwrap();
    let [_, second] = inbox.take().try_into().unwrap();
    assert!(second.signed_at(&inbox.endpoint.secret).is_some());
}

#[tokio::test]
async fn a_seed_repeats_a_run() {
    let run = async |seed: u64| -> Vec<String> {
        let inbox = Inbox::new().await;
        let mux = Mux::telling(&[&inbox]).await;
        let faults = Faults::seeded(seed)
            .with(Fault::Duplicate, 0.4)
            .with(Fault::Drop, 0.4);
        mux.sim.set_faults(faults);
        for _ in 0..20 {
            mux.signed_upload().await;
        }
        let ids: Vec<Value> = mux.get("/_muxsim/events?limit=100").await.is(200)["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["event"]["id"].clone())
            .collect();
        let mishaps = mux.sim.mishaps().unwrap().into_iter();
        mishaps
            .map(|it| {
                let event = it.struck.split(' ').nth(1).unwrap().to_owned();
                let place = ids.iter().position(|it| *it == event).unwrap();
                format!("{} {place}", it.fault.name())
            })
            .collect()
    };
    let first = run(7).await;
    assert!(first.len() > 5);
    assert_eq!(first, run(7).await);
    assert_ne!(first, run(8).await);
}

#[tokio::test]
async fn a_call_is_refused_and_nothing_is_done() {
    for (fault, status) in [(Fault::TooManyRequests, 429), (Fault::ServerError, 500)] {
        let (mux, _) = always(fault).await;
        let answer = mux.post("/video/v1/uploads", &json!({})).await;
        answer.is(status);
        mux.sim.set_faults(Faults::default());
        let uploads = mux.get("/video/v1/uploads").await.is(200);
        assert_eq!(uploads["data"], json!([]));
    }
}

#[tokio::test]
async fn a_call_is_done_and_its_answer_is_lost() {
    let (mux, inbox) = always(Fault::LostResponse).await;
    let request = mux.api(reqwest::Method::POST, "/video/v1/uploads");
    let sent = request.json(&json!({})).send().await;
    let heard = match sent {
        Ok(response) => response.bytes().await,
        Err(error) => Err(error),
    };
    heard.unwrap_err();
    mux.sim.set_faults(Faults::default());
    let uploads = mux.get("/video/v1/uploads").await.is(200);
    assert_eq!(uploads["data"].as_array().unwrap().len(), 1);
    mux.sim.deliver().await.unwrap();
    assert_eq!(inbox.take_kinds(), ["video.upload.created"]);
}

#[tokio::test]
async fn a_slow_call_is_done_before_it_is_answered() {
    let (mux, inbox) = always(Fault::Slow).await;
    mux.sim.set_faults(Faults {
        pause_seconds: 60,
        ..Faults::default().with(Fault::Slow, 1.0)
    });
    let told = async {
        while mux.sim.deliver().await.unwrap() == 0 {
            tokio::task::yield_now().await;
        }
        inbox.take_kinds()
    };
    let body = json!({});
    // The webhook is there before the answer to the call that caused it.
    tokio::select! {
        biased;
        kinds = told => assert_eq!(kinds, ["video.upload.created"]),
        _ = mux.post("/video/v1/uploads", &body) => panic!("answered first"),
    }
}

/// Sends a file in two parts, each as often as it takes, as Mux's own clients do.
async fn sent_in_the_end(mux: &Mux, upload: &Value, file: &[u8]) {
    let (mut at, mut requests) = (0, 0);
    while at < file.len() {
        requests += 1;
        assert!(requests < 50, "it does not end");
        let end = file.len().min(at + 4 * QUANTUM);
        let answer = mux
            .put_range(upload, at..=end - 1, file.len(), &file[at..end])
            .await;
        at = match answer.status {
            200 => end,
            308 => arrived(&answer),
            503 => arrived(&mux.ask(upload, file.len()).await),
            other => panic!("{other}: {}", answer.text()),
        };
    }
}

fn arrived(answer: &Answer) -> usize {
    answer.header("range").map_or(0, |it| {
        it.strip_prefix("bytes=0-")
            .unwrap()
            .parse::<usize>()
            .unwrap()
            + 1
    })
}

#[tokio::test]
async fn an_upload_arrives_whatever_strikes_it() {
    for fault in [Fault::Unavailable, Fault::Stall, Fault::ShortRange] {
        let inbox = Inbox::new().await;
        let mux = Mux::telling(&[&inbox]).await;
        mux.sim.set_faults(Faults {
            pause_seconds: 0,
            ..Faults::seeded(3).with(fault, 0.5)
        });
        let upload = mux.signed_upload().await;
        let file = video_of(20 * QUANTUM + 1000);
        sent_in_the_end(&mux, &upload, &file).await;
        let struck = mux.sim.mishaps().unwrap();
        assert!(!struck.is_empty());
        assert!(struck.iter().all(|it| it.fault == fault));
        assert_eq!(std::fs::read(mux.upload_file(&upload)).unwrap(), file);
        mux.sim.process().await.unwrap();
        assert_eq!(mux.asset_of(&upload).await["status"], "ready");
    }
}

#[tokio::test]
async fn a_short_range_keeps_what_it_says() {
    let (mux, _) = always(Fault::ShortRange).await;
    let upload = mux.signed_upload().await;
    let file = video_of(8 * QUANTUM);
    let answer = mux.put_range(
        &upload,
        0..=4 * QUANTUM - 1,
        file.len(),
        &file[..4 * QUANTUM],
    );
    let arrived = arrived(&answer.await);
    assert!((1..4 * QUANTUM).contains(&arrived), "{arrived}");
    assert_eq!(arrived % QUANTUM, 0);
    mux.sim.set_faults(Faults::default());
    mux.ask(&upload, file.len()).await.has(arrived);
}

#[tokio::test]
async fn faults_are_set_and_cleared_by_api() {
    let mux = Mux::new().await;
    let set =
        |body: Value| Answer::to(mux.api(reqwest::Method::PUT, "/_muxsim/faults").json(&body));
    let set = async |body| set(body).await;
    let shown = set(json!({"seed": 7, "rates": {"drop": 0.25}}))
        .await
        .is(200);
    assert_eq!(shown["data"]["rates"], json!({"drop": 0.25}));
    let faults = shown["data"]["faults"].as_array().unwrap();
    let named: BTreeSet<&str> = faults.iter().map(|it| text(&it["name"])).collect();
    let all: BTreeSet<&str> = Fault::ALL.iter().map(|it| it.name()).collect();
    assert_eq!(named, all);
    for (wrong, why) in [
        (
            json!({"rates": {"drop": 2}}),
            "the rate of drop must be between 0 and 1",
        ),
        (json!({"rates": {"rain": 0.1}}), "unknown variant `rain`"),
        (json!({"rate": 1}), "unknown field `rate`"),
        (
            json!({"skew_seconds": i64::MAX}),
            "skew_seconds must be at most ten years",
        ),
        (json!([7]), "must be a JSON object"),
    ] {
        let said = set(wrong).await.refuses(400, "invalid_parameters");
        assert!(said.contains(why), "{said}");
    }
    let cleared = mux.delete("/_muxsim/faults").await.is(200);
    assert_eq!(cleared["data"]["rates"], json!({}));
    let nobody = mux.http.get(format!("{}/_muxsim/faults", mux.url()));
    Answer::to(nobody).await.refuses(401, "unauthorized");
}

#[tokio::test]
async fn a_track_comes_without_its_data() {
    let inbox = Inbox::new().await;
    let mux = Mux::telling(&[&inbox]).await;
    mux.sim
        .set_faults(Faults::default().with(Fault::BareTrack, 1.0));
    for kind in ["video.asset.track.ready", "video.asset.ready"] {
        mux.post("/_muxsim/trigger", &json!({"type": kind}))
            .await
            .is(200);
        mux.sim.deliver().await.unwrap();
        let got = inbox.only();
        assert_eq!(got.event["data"].is_null(), kind.contains("track"));
    }
}
