//! What was delivered, by asset, and the same as files by day. Fed by what viewers were really sent.

use std::collections::{BTreeMap, BTreeSet};

use axum::{
    Json, Router,
    extract::{Path, Query, RawQuery, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use serde::Deserialize;
use serde_json::{Value, json};
use time::{Date, Duration, OffsetDateTime, format_description::well_known::Iso8601};
use url::form_urlencoded;

use super::{Authorized, data};
use crate::{
    documents::{Asset, AssetStatus, Deleted, rounded},
    error::ApiError,
    sim::Sim,
    state::Kind,
    usage::{self, HOUR, Usage},
};

/// How long ago usage can be asked for (mux.com/docs/api-reference/video/delivery-usage).
const OLDEST: Duration = Duration::days(90);

/// How many days back exports go (mux.com/docs/api-reference/system/usage-exports).
const EXPORTS_OLDEST: Duration = Duration::days(400);

/// How long the address of an export is good, in seconds, when nobody says; the most is a week.
const EXPORT_LIFE: i64 = 3600;
const EXPORT_LIFE_MAX: i64 = 604_800;

pub(super) fn router() -> Router<Sim> {
    Router::new()
        .route("/video/v1/delivery-usage", get(delivery))
        .route("/system/v1/usage/exports", get(exports))
}

/// Where exports are; their addresses are signed.
pub(crate) fn files() -> Router<Sim> {
    Router::new().route("/exports/{file}", get(export))
}

/// What was asked, name by name: `timeframe[]` comes twice.
struct Asked(Vec<(String, String)>);

impl Asked {
    fn of(query: Option<&str>) -> Self {
        let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        Self(pairs.into_owned().collect())
    }

    fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let its = self.0.iter().filter(move |(it, _)| it == name);
        its.map(|(_, value)| value.as_str())
    }

    fn number(&self, name: &str) -> Result<Option<i64>, ApiError> {
        let text = self.all(name).next();
        text.map(|it| {
            it.parse()
                .map_err(|_| ApiError::invalid(format!("{name} must be a number")))
        })
        .transpose()
    }

    /// `page` from 1, and `limit`, 100 at the most and if nobody says.
    fn paging(&self) -> Result<(usize, usize), ApiError> {
        let page = self.number("page")?.unwrap_or(1).max(1);
        let limit = self.number("limit")?.unwrap_or(100).clamp(1, 100);
        let whole = |it| usize::try_from(it).unwrap_or(usize::MAX);
        Ok((whole(page), whole(limit)))
    }
}

/// A time frame that was asked for, in Unix seconds: two times, or a length such as `7:days` that ends
/// at `end`.
fn asked_frame(asked: &Asked, end: i64) -> Result<Option<(i64, i64)>, ApiError> {
    let wrong = || {
        ApiError::invalid("timeframe[] must be two times in Unix seconds, or one such as 7:days")
    };
    let given: Vec<&str> = asked
        .all("timeframe[]")
        .chain(asked.all("timeframe"))
        .collect();
    let (from, to) = match given.as_slice() {
        [] => return Ok(None),
        [from, to] => {
            let time = |it: &str| it.parse::<i64>().map_err(|_| wrong());
            (time(from)?, time(to)?)
        }
        [length] => {
            let (number, unit) = length.split_once(':').ok_or_else(wrong)?;
            let unit = match unit {
                "hours" => HOUR,
                "days" => 24 * HOUR,
                "weeks" => 7 * 24 * HOUR,
                _ => return Err(wrong()),
            };
            let number: u16 = number.parse().map_err(|_| wrong())?;
            (end - i64::from(number) * unit, end)
        }
        _ => return Err(wrong()),
    };
    if from >= to {
        return Err(wrong());
    }
    Ok(Some((from, to)))
}

/// The hours of a report: if nobody says, the newest whole one that there is.
fn frame(sim: &Sim, asked: &Asked) -> Result<(i64, i64), ApiError> {
    let newest = (sim.now() - sim.options().usage_lag).unix_timestamp();
    let newest = newest - newest.rem_euclid(HOUR);
    let oldest = (sim.now() - OLDEST).unix_timestamp();
    let asked = asked_frame(asked, newest)?;
    Ok(asked.map_or((newest - HOUR, newest), |(from, to)| {
        (from.max(oldest), to.min(newest))
    }))
}

async fn delivery(
    State(sim): State<Sim>,
    _: Authorized,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, ApiError> {
    let asked = Asked::of(query.as_deref());
    let asset = asked.all("asset_id").next();
    let live = asked.all("live_stream_id").next();
    if asset.is_some() && live.is_some() {
        return Err(ApiError::invalid(
            "asset_id and live_stream_id exclude each other",
        ));
    }
    let (page, limit) = asked.paging()?;
    let (from, to) = frame(&sim, &asked)?;
    let mut by_asset: BTreeMap<String, Vec<Usage>> = BTreeMap::new();
    for used in usage::within(&sim, from, to)? {
        if live.is_none() && asset.is_none_or(|it| it == used.asset) {
            by_asset.entry(used.asset.clone()).or_default().push(used);
        }
    }
    let total = |usage: &[Usage]| usage.iter().map(|it| it.seconds).sum::<f64>();
    let mut rows: Vec<(String, Vec<Usage>)> = by_asset.into_iter().collect();
    rows.retain(|(_, usage)| total(usage) > 0.0);
    rows.sort_by(|one, other| total(&other.1).total_cmp(&total(&one.1)));
    let count = rows.len();
    let shown = rows
        .into_iter()
        .skip((page - 1).saturating_mul(limit))
        .take(limit);
    let shown = shown
        .map(|(asset, usage)| report(&sim, &asset, total(&usage), &usage))
        .collect::<Result<Vec<Value>, _>>()?;
    Ok(Json(json!({
        "total_row_count": count,
        "timeframe": [from, to],
        "page": page,
        "limit": limit,
        "data": shown,
    })))
}

fn report(sim: &Sim, id: &str, total: f64, usage: &[Usage]) -> Result<Value, ApiError> {
    let (asset, deleted) = match sim.state().get::<Asset>(Kind::Asset, id)? {
        Some(asset) => (asset, None),
        None => match sim.state().get::<Deleted>(Kind::DeletedAsset, id)? {
            Some(deleted) => (deleted.asset, Some(deleted.at)),
            None => return Err(ApiError::internal()), // what was delivered, was
        },
    };
    let state = match (deleted, asset.status) {
        (Some(_), _) => "deleted",
        (None, AssetStatus::Errored) => "errored",
        (None, _) => "ready",
    };
    let tiers: BTreeMap<String, Value> = usage::by_tier(usage.iter())
        .into_iter()
        .map(|(tier, seconds)| (format!("tier_{}", tier.replace('-', "_")), rounded(seconds)))
        .collect();
    let mut shown = json!({
        "asset_id": id,
        "asset_state": state,
        "asset_resolution_tier": asset.resolution_tier(),
        "asset_encoding_tier": asset.encoding_tier(),
        "asset_video_quality": asset.quality(),
        "asset_duration": rounded(asset.duration()),
        "created_at": asset.created_at.to_string(),
        "delivered_seconds": rounded(total),
        "delivered_seconds_by_resolution": tiers,
    });
    if let Some(at) = deleted {
        shown["deleted_at"] = at.to_string().into();
    }
    if let Some(text) = asset.setting("passthrough") {
        shown["passthrough"] = text;
    }
    Ok(shown)
}

/// One file a day, newest first, for every day before today that anything was delivered on.
async fn exports(
    State(sim): State<Sim>,
    _: Authorized,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, ApiError> {
    let asked = Asked::of(query.as_deref());
    let (page, limit) = asked.paging()?;
    let life = asked.number("download_url_ttl")?.unwrap_or(EXPORT_LIFE);
    if !(1..=EXPORT_LIFE_MAX).contains(&life) {
        return Err(ApiError::invalid(
            "download_url_ttl must be between 1 and 604800 seconds",
        ));
    }
    let now = sim.now();
    let mut days = usage::days(&sim)?;
    days.retain(|it| it.date() < now.date() && now - *it <= EXPORTS_OLDEST);
    if let Some((from, to)) = asked_frame(&asked, now.unix_timestamp())? {
        days.retain(|it| (from..to).contains(&it.unix_timestamp()));
    }
    days.reverse();
    let until = now.unix_timestamp() + life;
    let total = days.len();
    let shown = days
        .into_iter()
        .skip((page - 1).saturating_mul(limit))
        .take(limit);
    let shown = shown
        .map(|day| {
            let path = format!("/exports/{}.csv", day.date());
            Ok(json!({
                "date": day.date().to_string(),
                "download_url": sim.signed_until(&path, until),
                "download_url_expires_at": until,
                "file_size": written(&sim, day)?.len(),
            }))
        })
        .collect::<Result<Vec<Value>, ApiError>>()?;
    let meta =
        json!({"page": page, "limit": limit, "pages": total.div_ceil(limit), "total": total});
    let mut answer = data(&shown.into());
    answer.0["meta"] = meta;
    Ok(answer)
}

/// The file of a day. Which columns Mux has, it does not publish.
fn written(sim: &Sim, day: OffsetDateTime) -> Result<Vec<u8>, ApiError> {
    let from = day.unix_timestamp();
    let usage = usage::within(sim, from, from + 24 * HOUR)?;
    let assets: BTreeSet<&str> = usage.iter().map(|it| it.asset.as_str()).collect();
    let mut file = csv::Writer::from_writer(Vec::new());
    let broken = |_| ApiError::internal();
    file.write_record(["date", "asset_id", "resolution_tier", "delivered_seconds"])
        .map_err(broken)?;
    for asset in assets {
        let its = usage.iter().filter(|it| it.asset == asset);
        for (tier, seconds) in usage::by_tier(its) {
            let record = [
                &day.date().to_string(),
                asset,
                tier,
                &format!("{seconds:.6}"),
            ];
            file.write_record(record).map_err(broken)?;
        }
    }
    file.into_inner().map_err(|_| ApiError::internal())
}

#[derive(Deserialize)]
struct Signed {
    #[serde(default)]
    signature: String,
}

async fn export(
    State(sim): State<Sim>,
    Path(file): Path<String>,
    Query(signed): Query<Signed>,
) -> Result<Response, ApiError> {
    let path = format!("/exports/{file}");
    if !sim
        .paths()
        .allows(&path, &signed.signature, sim.now().unix_timestamp())
    {
        return Ok(StatusCode::FORBIDDEN.into_response());
    }
    let date = file
        .strip_suffix(".csv")
        .and_then(|it| Date::parse(it, &Iso8601::DATE).ok());
    let day = date
        .ok_or_else(ApiError::not_found)?
        .midnight()
        .assume_utc();
    Ok(([(header::CONTENT_TYPE, "text/csv")], written(&sim, day)?).into_response())
}
