//! Events: which types there are, what their envelope looks like, and whom they are about.

use serde_json::{Value, json};
use time::{OffsetDateTime, macros::format_description};

use crate::{
    documents::{AddedTrack, Asset, StaticRendition, Upload},
    sim::Sim,
    state::{StateError, Step},
    webhooks,
};

/// Every `video.*` type that Mux documents (muxinc/mux-node-sdk 15.3, `resources/webhooks`).
pub const TYPES: &[&str] = &[
    "video.asset.created",
    "video.asset.ready",
    "video.asset.errored",
    "video.asset.updated",
    "video.asset.deleted",
    "video.asset.live_stream_completed",
    "video.asset.static_renditions.ready",
    "video.asset.static_renditions.preparing",
    "video.asset.static_renditions.deleted",
    "video.asset.static_renditions.errored",
    "video.asset.master.ready",
    "video.asset.master.preparing",
    "video.asset.master.deleted",
    "video.asset.master.errored",
    "video.asset.track.created",
    "video.asset.track.ready",
    "video.asset.track.errored",
    "video.asset.track.deleted",
    "video.asset.static_rendition.created",
    "video.asset.static_rendition.ready",
    "video.asset.static_rendition.errored",
    "video.asset.static_rendition.deleted",
    "video.asset.static_rendition.skipped",
    "video.asset.warning",
    "video.asset.non_standard_input_detected",
    "video.upload.asset_created",
    "video.upload.cancelled",
    "video.upload.created",
    "video.upload.errored",
    "video.live_stream.created",
    "video.live_stream.connected",
    "video.live_stream.recording",
    "video.live_stream.active",
    "video.live_stream.disconnected",
    "video.live_stream.idle",
    "video.live_stream.updated",
    "video.live_stream.enabled",
    "video.live_stream.disabled",
    "video.live_stream.deleted",
    "video.live_stream.warning",
    "video.live_stream.simulcast_target.created",
    "video.live_stream.simulcast_target.idle",
    "video.live_stream.simulcast_target.starting",
    "video.live_stream.simulcast_target.broadcasting",
    "video.live_stream.simulcast_target.errored",
    "video.live_stream.simulcast_target.deleted",
    "video.live_stream.simulcast_target.updated",
    "video.delivery.high_traffic",
];

/// An event of Mux, as its endpoints will get it.
pub(crate) fn event(sim: &Sim, kind: &str, object: &str, id: &str, data: &Value) -> Value {
    json!({
        "type": kind,
        "request_id": null,
        "object": {"type": object, "id": id},
        "id": sim.ids().event(),
        "environment": {"name": "Development", "id": "muxsim"},
        "data": data,
        "created_at": written(sim.now() + sim.dice().faults().skew()),
        "attempts": [],
        "accessor_source": null,
        "accessor": null,
    })
}

/// As Mux writes times: six digits of a second.
pub(crate) fn written(at: OffsetDateTime) -> String {
    let form =
        format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]Z");
    at.format(form).unwrap_or_default()
}

/// Tells of an upload: `video.upload.{what}`.
pub(crate) fn of_upload(
    sim: &Sim,
    step: &Step<'_>,
    what: &str,
    upload: &Upload,
) -> Result<(), StateError> {
    let kind = format!("video.upload.{what}");
    let data = upload.show(sim.now());
    webhooks::send(sim, step, &event(sim, &kind, "upload", &upload.id, &data))
}

/// Tells of an asset: `video.asset.{what}`.
pub(crate) fn of_asset(
    sim: &Sim,
    step: &Step<'_>,
    what: &str,
    asset: &Asset,
) -> Result<(), StateError> {
    let kind = format!("video.asset.{what}");
    let data = asset.snapshot();
    webhooks::send(sim, step, &event(sim, &kind, "asset", &asset.id, &data))
}

/// Tells of an added track: `video.asset.track.{what}`.
pub(crate) fn of_track(
    sim: &Sim,
    step: &Step<'_>,
    what: &str,
    asset: &Asset,
    track: &AddedTrack,
) -> Result<(), StateError> {
    let kind = format!("video.asset.track.{what}");
    let data = track.snapshot(&asset.id);
    webhooks::send(sim, step, &event(sim, &kind, "track", &track.id, &data))
}

/// Tells of a static rendition: `video.asset.static_rendition.{what}`. Those of `mp4_support` are told
/// of together, as events of their asset.
pub(crate) fn of_rendition(
    sim: &Sim,
    step: &Step<'_>,
    what: &str,
    asset: &Asset,
    rendition: &StaticRendition,
) -> Result<(), StateError> {
    let kind = format!("video.asset.static_rendition.{what}");
    let mut data = rendition.show();
    data["asset_id"] = asset.id.clone().into();
    let event = event(sim, &kind, "static-rendition", &rendition.id, &data);
    webhooks::send(sim, step, &event)
}
