//! The lifecycles of a video, told in every order, with every event twice, and with every one lost.

use time::{Duration, OffsetDateTime, macros::datetime};

use super::lifecycle::{Lifecycle, Stamp, Verdict};
use crate::mux::{MuxEvent, MuxEventId, PlaybackId};

const START: OffsetDateTime = datetime!(2026-01-05 09:00 UTC);

/// One lifecycle: its events in the order in which they happen, and where it ends.
struct Life {
    name: &'static str,
    events: Vec<(&'static str, &'static str, &'static str)>,
    end: Verdict,
}

impl Life {
    fn told(&self) -> Vec<MuxEvent> {
        let events = self.events.iter().enumerate();
        events.map(|(n, it)| event(n, *it)).collect()
    }
}

/// An event is its type, the status in its snapshot, and which upload and asset it is about.
fn lives() -> Vec<Life> {
    let upload = ("video.upload.created", "waiting", "1");
    let arrived = ("video.upload.asset_created", "asset_created", "1");
    let created = ("video.asset.created", "preparing", "1");
    let ready = ("video.asset.ready", "ready", "1");
    let errored = ("video.asset.errored", "errored", "1");
    let upload_errored = ("video.upload.errored", "errored", "1");
    let deleted = ("video.asset.deleted", "ready", "1");
    let cancelled = ("video.upload.cancelled", "cancelled", "1");
    vec![
        Life {
            name: "happy",
            events: vec![
                upload,
                arrived,
                created,
                ready,
                ("video.asset.updated", "ready", "1"),
            ],
            end: Verdict::Ready,
        },
        Life {
            name: "failed",
            events: vec![upload, arrived, created, errored, upload_errored],
            end: Verdict::Failed,
        },
        Life {
            name: "cancelled",
            events: vec![upload, cancelled],
            end: Verdict::Cancelled,
        },
        Life {
            name: "deleted",
            events: vec![upload, arrived, created, ready, deleted],
            end: Verdict::Deleted,
        },
        Life {
            name: "sent again after it failed",
            events: vec![
                created,
                errored,
                ("video.upload.asset_created", "asset_created", "2"),
                ("video.asset.created", "preparing", "2"),
                ("video.asset.ready", "ready", "2"),
            ],
            end: Verdict::Ready,
        },
    ]
}

fn event(n: usize, (kind, status, which): (&str, &str, &str)) -> MuxEvent {
    let seconds = i64::try_from(n).unwrap();
    let at = START + Duration::seconds(seconds);
    let is_upload = kind.starts_with("video.upload");
    let (id, other) = if is_upload {
        (format!("upload{which}"), "asset_id")
    } else {
        (format!("asset{which}"), "upload_id")
    };
    let mut data = serde_json::json!({"id": id, "status": status});
    match (is_upload, status) {
        (true, "waiting") => data["url"] = "https://storage.example/1".into(),
        (true, "asset_created" | "errored") => data[other] = format!("asset{which}").into(),
        (true, _) => {}
        (false, _) => {
            data[other] = format!("upload{which}").into();
            data["playback_ids"] =
                serde_json::json!([{"id": format!("play{which}"), "policy": "signed"}]);
        }
    }
    let rfc3339 = time::format_description::well_known::Rfc3339;
    let body = serde_json::json!({
        "type": kind, "id": format!("event{n}"), "created_at": at.format(&rfc3339).unwrap(), "data": data,
    });
    MuxEvent::parse(body.to_string().as_bytes()).unwrap()
}

fn told(events: &[MuxEvent], order: &[usize]) -> Lifecycle {
    let mut lifecycle = Lifecycle::default();
    for &n in order {
        let stamp = Stamp {
            at: events[n].at,
            by: events[n].id.clone(),
        };
        lifecycle.learn(&stamp, &events[n].subject);
    }
    lifecycle
}

fn orders(count: usize) -> Vec<Vec<usize>> {
    let Some(last) = count.checked_sub(1) else {
        return vec![Vec::new()];
    };
    let longer = |order: Vec<usize>| {
        (0..=order.len()).map(move |place| {
            let mut order = order.clone();
            order.insert(place, last);
            order
        })
    };
    orders(last).into_iter().flat_map(longer).collect()
}

#[test]
fn every_order_with_every_duplicate_ends_in_the_same_facts() {
    for life in lives() {
        let events = life.told();
        let in_order: Vec<usize> = (0..events.len()).collect();
        let expected = told(&events, &in_order);
        assert_eq!(expected.verdict(), life.end, "{}", life.name);
        for order in orders(events.len()) {
            for (doubled, place) in in_order
                .iter()
                .flat_map(|n| (0..=order.len()).map(move |at| (*n, at)))
            {
                let mut order = order.clone();
                order.insert(place, doubled);
                assert_eq!(told(&events, &order), expected, "{} {order:?}", life.name);
            }
        }
    }
}

/// What a lost event would have told, somebody who asks Mux tells again, as a snapshot of now.
#[test]
fn every_single_loss_is_healed_by_a_snapshot_in_any_order() {
    for life in lives() {
        let events = life.told();
        let last = event(events.len(), *life.events.last().unwrap());
        for lost in 0..events.len() {
            let mut left = events.clone();
            left.remove(lost);
            left.push(last.clone());
            for order in orders(left.len()) {
                assert_eq!(
                    told(&left, &order).verdict(),
                    life.end,
                    "{} without {lost}",
                    life.name
                );
            }
        }
    }
}

#[test]
fn the_address_to_send_to_is_forgotten_as_soon_as_it_is_not_needed() {
    let upload = event(0, ("video.upload.created", "waiting", "1"));
    let arrived = event(1, ("video.upload.asset_created", "asset_created", "1"));
    let events = [upload, arrived];
    assert!(told(&events, &[0]).open_upload().is_some());
    for order in [[0, 1], [1, 0]] {
        let lifecycle = told(&events, &order);
        assert!(lifecycle.open_upload().is_none());
        assert!(
            !serde_json::to_string(&lifecycle)
                .unwrap()
                .contains("storage.example")
        );
    }
}

/// A link's own playback id is made later, and goes with the link.
#[test]
fn the_playback_id_of_a_video_is_the_first_one_whatever_is_added() {
    let ready = event(1, ("video.asset.ready", "ready", "1"));
    let mut later = event(2, ("video.asset.updated", "ready", "1"));
    if let crate::mux::Subject::Asset(news) = &mut later.subject {
        news.signed = Some(PlaybackId::new("a link's own"));
    }
    for order in [[0, 1], [1, 0]] {
        let lifecycle = told(&[ready.clone(), later.clone()], &order);
        assert_eq!(lifecycle.playable().unwrap().1.as_str(), "play1");
    }
}

#[test]
fn a_snapshot_without_playback_ids_takes_none_away() {
    let ready = event(1, ("video.asset.ready", "ready", "1"));
    let mut later = event(2, ("video.asset.updated", "ready", "1"));
    later.id = MuxEventId::new("later");
    if let crate::mux::Subject::Asset(news) = &mut later.subject {
        news.signed = None;
    }
    for order in [[0, 1], [1, 0]] {
        assert!(
            told(&[ready.clone(), later.clone()], &order)
                .playable()
                .is_some()
        );
    }
}
