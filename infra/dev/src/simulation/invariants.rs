//! What must hold, checked by looking directly into the stand-ins, past everything that goes wrong.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::Method;
use serde_json::Value;

use super::{
    ground::Ground,
    people::Clip,
    table,
    truth::{self, AssetAtMux, AtMux, Decisions, UploadAtMux},
    world::World,
};
use crate::{aws::QUEUE, issuer::PEOPLE};

/// An event that Mux was told is taken is in the table, in the queue, or parked: now, not soon.
pub(super) fn is_durable(ground: &Ground, event: &str) {
    if !is_kept(ground, event) {
        let found = format!("event {event} is nowhere when it is answered with 2xx");
        ground.chronicle.broke("acknowledged-before-durable", found);
    }
}

fn is_kept(ground: &Ground, event: &str) -> bool {
    let names = |text: &str| text.contains(event);
    table::has(&ground.database, &format!("EVENT#{event}"), "RECEIPT")
        || ground.sqs.bodies(QUEUE).iter().any(|it| names(it))
        || table::listed(&ground.database, "PARKED")
            .iter()
            .any(|it| names(&it.to_string()))
}

/// One video as its owner and Mux have it.
struct Case {
    id: String,
    decided: Decisions,
    mux: AtMux,
    /// As its owner sees it.
    shown: Value,
    /// The types of its domain events, oldest first.
    events: Vec<String>,
}

/// Everything that must hold when all is quiet.
pub(super) async fn check(world: &World, clips: &[Clip]) {
    let ground = &world.ground;
    // Mux's allowance for calls is full again.
    ground.clock.advance(time::Duration::minutes(1));
    let uploads = listed(world, "uploads").await;
    let assets = listed(world, "assets").await;
    let items = table::items(&ground.database);
    let decided: BTreeMap<&str, &Decisions> = clips
        .iter()
        .filter_map(|it| Some((it.id.as_deref()?, &it.decided)))
        .collect();
    let mut shown_in_lists = BTreeSet::new();
    for row in rows(&items) {
        let id = text(&row["id"]);
        let case = Case {
            decided: decided
                .get(id.as_str())
                .copied()
                .cloned()
                .unwrap_or_default(),
            mux: at_mux(&id, &uploads, &assets),
            shown: shown(world, &id).await,
            events: events_of(&id, &items),
            id,
        };
        equals_the_truth(ground, &case);
        is_told_once(ground, &case);
        if case.shown["status"] != "DELETED" && row["ending"]["kind"] != "refused" {
            shown_in_lists.insert(case.id);
        }
    }
    lists_show(world, &shown_in_lists).await;
    for clip in clips {
        for id in &clip.answered {
            if !items
                .iter()
                .any(|it| it["id"] == **id && it["sk"] == "ASSET")
            {
                ground.chronicle.broke("answered-and-there", id.clone());
            }
        }
    }
    everything_at_mux_is_known(ground, &items, &uploads, &assets);
    every_event_is_kept(world);
    nothing_is_left(ground);
}

fn rows(items: &[Value]) -> impl Iterator<Item = &Value> {
    let is_row = |it: &&Value| text(&it["pk"]).starts_with("ASSET#") && it["sk"] == "ASSET";
    items.iter().filter(is_row)
}

async fn listed(world: &World, what: &str) -> Vec<Value> {
    let path = format!("/video/v1/{what}?limit=100");
    let found = world.mux(Method::GET, &path).await;
    let list = found.body["data"].as_array().cloned().unwrap_or_default();
    list.into_iter().rev().collect() // Mux lists the newest first
}

/// All that Mux has of a video. An asset that an upload names and that is not there was deleted.
fn at_mux(id: &str, uploads: &[Value], assets: &[Value]) -> AtMux {
    let mut mux = AtMux::default();
    for upload in uploads.iter().filter(|it| passthrough(it) == id) {
        if let Some(asset) = upload["asset_id"].as_str() {
            let found = assets.iter().find(|it| it["id"] == asset);
            mux.assets
                .push(match found.map(|it| text(&it["status"])).as_deref() {
                    None => AssetAtMux::Gone,
                    Some("ready") => AssetAtMux::Ready,
                    Some("errored") => AssetAtMux::Errored,
                    Some(_) => AssetAtMux::Preparing,
                });
            continue;
        }
        mux.uploads.push(match upload["status"].as_str() {
            Some("timed_out") => UploadAtMux::TimedOut,
            Some("cancelled") => UploadAtMux::Cancelled,
            _ => UploadAtMux::Waiting,
        });
    }
    mux
}

fn passthrough(upload: &Value) -> String {
    text(&upload["new_asset_settings"]["passthrough"])
}

/// The video as the one person sees it whose tenant has it. Nobody else does.
async fn shown(world: &World, id: &str) -> Value {
    let path = format!("/api/assets/{id}");
    let mut found = Vec::new();
    for person in PEOPLE.iter().filter(|it| it.id != "ben") {
        let answer = world.ask(person, Method::GET, &path, None, None).await;
        found.extend(answer.filter(|it| it.status == 200));
    }
    if found.len() != 1 {
        let seen = format!("{id} is seen by {} tenants", found.len());
        world.ground.chronicle.broke("seen-by-its-tenant", seen);
    }
    found.pop().map(|it| it.body).unwrap_or_default()
}

/// The lists of all tenants together show what is neither deleted nor was refused, and nothing else.
async fn lists_show(world: &World, wanted: &BTreeSet<String>) {
    let mut found = BTreeSet::new();
    for person in PEOPLE.iter().filter(|it| it.id != "ben") {
        let path = "/api/assets?limit=100";
        let answer = world.ask(person, Method::GET, path, None, None).await;
        let body = answer.map(|it| it.body).unwrap_or_default();
        let assets = body["assets"].as_array().cloned().unwrap_or_default();
        found.extend(assets.iter().map(|it| text(&it["id"])));
    }
    if found != *wanted {
        let found = format!("{found:?}, not {wanted:?}");
        world.ground.chronicle.broke("listed", found);
    }
}

fn equals_the_truth(ground: &Ground, case: &Case) {
    let allowed = truth::allowed(&case.decided, &case.mux);
    let status = text(&case.shown["status"]);
    let found = || {
        let Case {
            id, mux, decided, ..
        } = case;
        format!("{id} is {status}; allowed: {allowed:?}; {mux:?}; {decided:?}")
    };
    if matches!(status.as_str(), "AWAITING_UPLOAD" | "MUX_PROCESSING") {
        ground.chronicle.broke("ends", found());
    }
    if !allowed.contains(&status.as_str()) {
        ground.chronicle.broke("equals-mux", found());
    }
    let titles = &case.decided.titles;
    let title = text(&case.shown["title"]);
    if !titles.is_empty() && !titles.contains(&title) {
        ground
            .chronicle
            .broke("equals-mux", format!("{}: title {title:?}", case.id));
    }
}

/// The types of a video's domain events in the order in which they were committed. Without
/// `asset.updated`, which says that the status is the same.
fn events_of(id: &str, items: &[Value]) -> Vec<String> {
    let mut found: Vec<(String, String)> = items
        .iter()
        .filter(|it| text(&it["pk"]).ends_with("#EVENTS") && it["data"]["asset"] == *id)
        .map(|it| (text(&it["sk"]), text(&it["type"])))
        .collect();
    found.sort();
    let kinds = found.into_iter().map(|(_, kind)| kind);
    kinds.filter(|it| it != "asset.updated").collect()
}

/// The trail of a video: each event once, each where it can happen, the last one as the row stands.
fn is_told_once(ground: &Ground, case: &Case) {
    let Case {
        id,
        decided,
        events,
        ..
    } = case;
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for event in events {
        *counts.entry(event).or_default() += 1;
    }
    for (event, count) in counts {
        let most = match event {
            "asset.renamed" => decided.renames,
            "upload.cancelled" => decided.cancels.max(1),
            "asset.deleted" => 2, // at Mux, and by a person
            _ => 1,
        };
        if count > most {
            let found = format!("{id}: {count} times {event} in {events:?}");
            ground.chronicle.broke("told-once", found);
        }
    }
    let mut status = "";
    for event in events.iter().filter(|it| *it != "asset.renamed") {
        let Some(next) = truth::step(status, event) else {
            let found = format!("{id}: {event} when {status:?} in {events:?}");
            ground.chronicle.broke("told-as-it-happened", found);
            return;
        };
        status = next;
    }
    if case.shown["status"] != status {
        let found = format!("{id} is {}, told is {events:?}", case.shown["status"]);
        ground.chronicle.broke("told-as-it-happened", found);
    }
}

/// Every asset at Mux that names a video of ours has its row, and the row knows it, unless its owner
/// deleted the video first.
fn everything_at_mux_is_known(
    ground: &Ground,
    items: &[Value],
    uploads: &[Value],
    assets: &[Value],
) {
    let made = uploads.iter().filter_map(|upload| {
        let asset = upload["asset_id"].as_str()?;
        Some((passthrough(upload), asset.to_owned()))
    });
    let listed = assets
        .iter()
        .map(|it| (text(&it["passthrough"]), text(&it["id"])));
    for (id, asset) in made.chain(listed) {
        let Some(row) = rows(items).find(|it| it["id"] == *id) else {
            let found = format!("{asset} names {id}, which has no row");
            ground.chronicle.broke("known", found);
            continue;
        };
        let learnt = !row["lifecycle"]["assets"][&asset].is_null();
        let led = table::has(&ground.database, &format!("MUX#{asset}"), "ASSET");
        if row["ending"]["kind"] != "deleted" && !(learnt && led) {
            let found = format!("{id} knows {asset}: {learnt}, {asset} leads to it: {led}");
            ground.chronicle.broke("known", found);
        }
    }
}

/// What Mux was told is taken has had its effect, or waits where an operator sees it.
fn every_event_is_kept(world: &World) {
    for event in world.portal.acknowledged() {
        if !is_kept(&world.ground, &event) {
            world.ground.chronicle.broke("acknowledged-and-kept", event);
        }
    }
}

fn nothing_is_left(ground: &Ground) {
    for letter in ground.sqs.bodies(QUEUE) {
        ground.chronicle.broke("queue-empty", letter);
    }
    for parked in table::listed(&ground.database, "PARKED") {
        ground.chronicle.count("parked");
        // Everything was replayed but what somebody else put into the queue.
        let junk = parked["letter"]["text"] == "junk" && parked["reason"] == "not-a-letter";
        if !junk {
            ground
                .chronicle
                .broke("parked-with-a-reason", parked.to_string());
        }
    }
    for receipt in table::listed(&ground.database, "UNMATCHED") {
        ground
            .chronicle
            .broke("nothing-unmatched", receipt.to_string());
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
