//! What viewers were sent, in seconds of video: by the hour, by playback id, by billing tier.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{
    sim::Sim,
    state::{Kind, StateError},
};

/// Seconds in an hour.
pub(crate) const HOUR: i64 = 3600;

/// What one playback id delivered in one hour at one tier.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Usage {
    /// When the hour began, in Unix seconds.
    pub(crate) hour: i64,
    pub(crate) asset: String,
    pub(crate) playback: String,
    /// `720p`, `1080p`, `1440p`, `2160p` or `audio-only`.
    pub(crate) tier: String,
    pub(crate) seconds: f64,
}

/// Counts what is about to be sent.
pub(crate) fn count(
    sim: &Sim,
    asset: &str,
    playback: &str,
    tier: &str,
    seconds: f64,
) -> Result<(), StateError> {
    let now = sim.now().unix_timestamp();
    let hour = now - now.rem_euclid(HOUR);
    let id = format!("{hour} {playback} {tier}");
    sim.state().step(|step| {
        let before: Option<Usage> = step.get(Kind::Usage, &id)?;
        let usage = Usage {
            hour,
            asset: asset.to_owned(),
            playback: playback.to_owned(),
            tier: tier.to_owned(),
            seconds: before.map_or(0.0, |it| it.seconds) + seconds,
        };
        step.put(Kind::Usage, &id, &usage)
    })
}

/// All that was ever counted for a playback id, in seconds.
pub(crate) fn of_playback(sim: &Sim, playback: &str) -> Result<f64, StateError> {
    let all = within(sim, i64::MIN, i64::MAX)?;
    let its = all.iter().filter(|it| it.playback == playback);
    Ok(its.map(|it| it.seconds).sum())
}

/// What was counted in the hours that begin in a time frame; the end is not part of it.
pub(crate) fn within(sim: &Sim, from: i64, to: i64) -> Result<Vec<Usage>, StateError> {
    let all: Vec<(String, Usage)> = sim.state().all(Kind::Usage)?;
    let hours = all.into_iter().map(|(_, it)| it);
    Ok(hours.filter(|it| (from..to).contains(&it.hour)).collect())
}

/// Seconds by tier.
pub(crate) fn by_tier<'a>(usage: impl Iterator<Item = &'a Usage>) -> BTreeMap<&'a str, f64> {
    usage.fold(BTreeMap::new(), |mut tiers, it| {
        *tiers.entry(it.tier.as_str()).or_default() += it.seconds;
        tiers
    })
}

/// The days of all that was counted, oldest first, each at its midnight in UTC.
pub(crate) fn days(sim: &Sim) -> Result<Vec<OffsetDateTime>, StateError> {
    let all = within(sim, i64::MIN, i64::MAX)?;
    let mut days: Vec<i64> = all
        .iter()
        .map(|it| it.hour - it.hour.rem_euclid(24 * HOUR))
        .collect();
    days.sort_unstable();
    days.dedup();
    let days = days.into_iter().map(OffsetDateTime::from_unix_timestamp);
    Ok(days.filter_map(Result::ok).collect())
}
