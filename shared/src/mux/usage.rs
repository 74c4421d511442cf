//! What Mux says of what it delivered and of what it keeps: what it charges for.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;
use time::OffsetDateTime;

use super::{Mux, MuxAssetId, MuxError, client::Answer};
use crate::ids::AssetId;

/// How many reports a page has: the most that Mux gives.
const PAGE: u32 = 100;

/// What was delivered of one asset in a time frame, in microseconds of video. Mux gives seconds with six
/// digits after the point, so nothing is lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    pub asset: MuxAssetId,
    /// Our own asset, as `passthrough` names it.
    pub ours: Option<AssetId>,
    /// As Mux spells it.
    pub quality: String,
    pub total: u64,
    /// By resolution, as Mux spells it: `720p`. They add up to the total.
    pub tiers: BTreeMap<String, u64>,
}

/// A page of those, the most delivered first.
#[derive(Debug)]
pub struct DeliveredPage {
    pub assets: Vec<Delivered>,
    /// How many there are on all pages.
    pub total: u64,
}

/// An asset that Mux keeps, in what it is charged by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    pub asset: MuxAssetId,
    pub ours: Option<AssetId>,
    pub created: OffsetDateTime,
    /// Microseconds.
    pub duration: u64,
    /// As Mux spells them.
    pub quality: String,
    pub tier: String,
}

/// A page of those, newest first.
#[derive(Debug)]
pub struct KeptPage {
    pub assets: Vec<Kept>,
    /// Where to go on; `None` at the end.
    pub next: Option<String>,
}

impl Mux<'_> {
    /// `GET /video/v1/delivery-usage`: what was delivered from one full hour to another one, which is at
    /// least twelve hours ago (mux.com/docs/api-reference/video/delivery-usage). Pages count from 1.
    pub async fn delivered(
        &self,
        from: OffsetDateTime,
        to: OffsetDateTime,
        page: u32,
    ) -> Result<DeliveredPage, MuxError> {
        let (from, to) = (from.unix_timestamp(), to.unix_timestamp());
        let (from, to) = (from.to_string(), to.to_string());
        let (limit, page) = (PAGE.to_string(), page.to_string());
        let query = [
            ("timeframe[]", from.as_str()),
            ("timeframe[]", &to),
            ("limit", &limit),
            ("page", &page),
        ];
        let answer: Answer<Vec<WireDelivered>> = self
            .page("delivery-usage", &["delivery-usage"], &query)
            .await?;
        let assets = answer.data.into_iter().map(WireDelivered::read);
        Ok(DeliveredPage {
            assets: assets.collect::<Option<_>>().ok_or(MuxError::Malformed)?,
            total: answer.total_row_count.ok_or(MuxError::Malformed)?,
        })
    }

    /// `GET /video/v1/assets`, read for what is charged for: everything that plays.
    pub async fn kept(&self, cursor: Option<&str>) -> Result<KeptPage, MuxError> {
        let limit = PAGE.to_string();
        let mut query = vec![("limit", limit.as_str())];
        query.extend(cursor.map(|it| ("cursor", it)));
        let page: Answer<Vec<Box<RawValue>>> = self.page("list-kept", &["assets"], &query).await?;
        // What does not play, or lacks what it would be charged by, is not kept.
        let wire = page.data.iter();
        let wire = wire.filter_map(|it| serde_json::from_str::<WireKept>(it.get()).ok());
        Ok(KeptPage {
            assets: wire.filter_map(WireKept::read).collect(),
            next: page.next_cursor,
        })
    }
}

#[derive(Deserialize)]
struct WireDelivered {
    asset_id: String,
    #[serde(default)]
    passthrough: Option<String>,
    #[serde(default)]
    asset_video_quality: Option<String>,
    #[serde(default)]
    asset_encoding_tier: Option<String>,
    #[serde(default)]
    asset_resolution_tier: Option<String>,
    delivered_seconds: f64,
    #[serde(default)]
    delivered_seconds_by_resolution: BTreeMap<String, f64>,
}

impl WireDelivered {
    fn read(self) -> Option<Delivered> {
        let total = micros(self.delivered_seconds)?;
        let tiers = self.delivered_seconds_by_resolution.iter();
        let tiers = tiers.map(|(name, seconds)| {
            let name = name.strip_prefix("tier_").unwrap_or(name).replace('_', "-");
            Some((name, micros(*seconds)?))
        });
        let own = self.asset_resolution_tier.unwrap_or_default();
        Some(Delivered {
            asset: MuxAssetId::new(self.asset_id),
            ours: self.passthrough.and_then(|it| it.parse().ok()),
            quality: self
                .asset_video_quality
                .or(self.asset_encoding_tier)
                .unwrap_or_default(),
            total,
            tiers: settled(total, tiers.collect::<Option<_>>()?, own),
        })
    }
}

/// Tiers that add up to the total: each is rounded by itself, so a microsecond may be missing or too much.
/// What is missing is of the asset's own tier; what is too much is taken from where most is.
fn settled(total: u64, mut tiers: BTreeMap<String, u64>, own: String) -> BTreeMap<String, u64> {
    let sum: u64 = tiers.values().sum();
    if sum < total {
        *tiers.entry(own).or_default() += total - sum;
    }
    let mut over = sum.saturating_sub(total);
    while over > 0 {
        let Some(most) = tiers.values_mut().max() else {
            break;
        };
        let part = over.min(*most);
        *most -= part;
        over -= part;
    }
    tiers.retain(|_, amount| *amount > 0);
    tiers
}

#[derive(Deserialize)]
struct WireKept {
    id: String,
    status: String,
    duration: f64,
    created_at: WireTime,
    #[serde(default)]
    passthrough: Option<String>,
    #[serde(default)]
    video_quality: Option<String>,
    #[serde(default)]
    encoding_tier: Option<String>,
    #[serde(default)]
    resolution_tier: Option<String>,
}

/// Unix seconds: the API writes them as text, older answers as a number.
#[derive(Deserialize)]
#[serde(untagged)]
enum WireTime {
    Text(String),
    Number(i64),
}

impl WireKept {
    fn read(self) -> Option<Kept> {
        let created = match self.created_at {
            WireTime::Text(text) => text.parse().ok()?,
            WireTime::Number(number) => number,
        };
        (self.status == "ready").then_some(())?;
        Some(Kept {
            asset: MuxAssetId::new(self.id),
            ours: self.passthrough.and_then(|it| it.parse().ok()),
            created: OffsetDateTime::from_unix_timestamp(created).ok()?,
            duration: micros(self.duration)?,
            quality: self
                .video_quality
                .or(self.encoding_tier)
                .unwrap_or_default(),
            tier: self.resolution_tier.unwrap_or_default(),
        })
    }
}

/// Seconds as Mux writes them, to the microsecond. Up to four billion seconds that is exact: what is lost in a
/// number of 53 bits is less than half a microsecond.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the range is checked"
)]
fn micros(seconds: f64) -> Option<u64> {
    (0.0..=4e9)
        .contains(&seconds)
        .then_some((seconds * 1e6).round() as u64)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The example of Mux's own description of its API.
    #[test]
    fn a_report_is_read_to_the_microsecond() {
        let wire = json!({
            "live_stream_id": "B65h", "delivered_seconds": 206.366_667,
            "delivered_seconds_by_resolution":
                {"tier_1080p": 100, "tier_720p": 100, "tier_audio_only": 6.366_667},
            "deleted_at": "1607945257", "created_at": "1607939184", "asset_state": "deleted",
            "asset_id": "Ww4v", "asset_duration": 154.366_667, "asset_resolution_tier": "1080p",
            "asset_encoding_tier": "baseline", "asset_video_quality": "basic",
        });
        let wire: WireDelivered = serde_json::from_value(wire).unwrap();
        let read = wire.read().unwrap();
        assert_eq!((read.total, read.quality.as_str()), (206_366_667, "basic"));
        assert_eq!(read.tiers["audio-only"], 6_366_667);
        assert_eq!(read.tiers.values().sum::<u64>(), read.total);
    }

    #[test]
    fn tiers_add_up_to_the_total_whatever_was_rounded() {
        let tiers = |of: &[(&str, u64)]| -> BTreeMap<String, u64> {
            of.iter()
                .map(|(name, it)| ((*name).to_owned(), *it))
                .collect()
        };
        let settle = |total, of: &[(&str, u64)]| settled(total, tiers(of), "720p".to_owned());
        assert_eq!(settle(5, &[]), tiers(&[("720p", 5)]));
        assert_eq!(
            settle(5, &[("1080p", 4)]),
            tiers(&[("1080p", 4), ("720p", 1)])
        );
        assert_eq!(
            settle(5, &[("1080p", 4), ("720p", 2)]),
            tiers(&[("1080p", 3), ("720p", 2)])
        );
        assert_eq!(settle(0, &[("1080p", 4)]), tiers(&[]));
    }

    #[test]
    fn what_cannot_be_a_number_of_seconds_is_none() {
        assert_eq!(micros(f64::NAN), None);
        assert_eq!(micros(-1.0), None);
        assert_eq!(micros(5e9), None);
        assert_eq!(micros(3_999_999_999.123_456), Some(3_999_999_999_123_456));
    }
}
