//! The report of a month, as of now.

use std::collections::{BTreeMap, BTreeSet};

use time::Duration;

use super::{
    aws::AwsFacts,
    billed::{self, Asked, BilledDay, replaced},
    cells::uses,
    error::CostsError,
    forecast::DAYS,
    model::{Month, Use, last_complete},
    money::Money,
    place::Place,
    report::{Facts, Report, by_day, priced, report},
    rows::{self, UsageRow},
};
use crate::{
    app::Parts,
    assets::Asset,
    ids::{AssetId, TenantId},
    store::{StoreError, keys},
};

/// How many videos of a report are called by their titles: those that cost most.
const TITLES: usize = 1_000;

/// How far usage is known.
pub(super) async fn place(app: &Parts) -> Result<Place, StoreError> {
    let place: Option<Place> = app.store.get(&keys::usage_place()).await?;
    Ok(place.unwrap_or_else(|| Place::first(app.clock.now())))
}

/// The report of a month of a tenant, or without one of everybody, from what is known now.
pub async fn report_of(
    app: &Parts,
    tenant: Option<TenantId>,
    month: Month,
) -> Result<Report, CostsError> {
    let place = place(app).await?;
    let rows = rows_of(app, tenant, month).await?;
    made(app, tenant, month, &place, &rows).await
}

/// What a report of a month is made of: the month, and what the forecast looks back at.
pub(super) async fn rows_of(
    app: &Parts,
    tenant: Option<TenantId>,
    month: Month,
) -> Result<Vec<UsageRow>, StoreError> {
    rows::between(app, tenant, month.first() - back(), month.last()).await
}

fn back() -> Duration {
    Duration::days(i64::try_from(DAYS).unwrap_or_default())
}

/// The report that these rows make.
pub(super) async fn made(
    app: &Parts,
    tenant: Option<TenantId>,
    month: Month,
    place: &Place,
    rows: &[UsageRow],
) -> Result<Report, CostsError> {
    let (within, earlier): (Vec<UsageRow>, Vec<UsageRow>) =
        rows.iter().cloned().partition(|row| month.has(row.day));
    let (mut used, told) = uses(&within, place.settled);
    let (mut before, _) = uses(&earlier, place.settled);
    let operators = app.config.operators();
    let mut aws = None;
    if tenant.is_none_or(|it| it == operators) {
        let (late, early) = billed_days(app, month).await?;
        let preliminary = late.iter().any(|it| it.preliminary);
        let counted;
        (used, counted) = replaced(used, &late, operators);
        (before, _) = replaced(before, &early, operators);
        aws = Some(AwsFacts {
            asked: asked(app, place),
            counted,
            preliminary,
        });
    }
    let prices = &app.config.prices;
    // Days on which nothing was used count from the first on which something was.
    let first = before.iter().map(|it| it.day).min();
    let mut days = BTreeSet::new();
    if let Some(mut day) = first {
        while day < month.first() {
            days.insert(day);
            day += Duration::DAY;
        }
    }
    let before = by_day(days, &before, &priced(&before, prices)?)?;
    let titles = titles(app, &used).await?;
    let now = app.clock.now();
    // If the job slept, less is known than Mux could tell.
    let unasked = month.first() - Duration::DAY;
    let complete = place.settled.unwrap_or(unasked).min(last_complete(now));
    Ok(report(Facts {
        month,
        tenant,
        now,
        complete,
        prices,
        budget: app.config.budgets.of(tenant),
        used,
        before,
        told,
        titles,
        aws,
    })?)
}

/// What AWS told of the days of a month, and of those before that the forecast looks at.
async fn billed_days(
    app: &Parts,
    month: Month,
) -> Result<(Vec<BilledDay>, Vec<BilledDay>), StoreError> {
    let days = billed::between(app, month.first() - back(), month.last()).await?;
    Ok(days.into_iter().partition(|it| month.has(it.day)))
}

/// How asking went; without a tag nobody asks any more.
fn asked(app: &Parts, place: &Place) -> Asked {
    match app.config.cost_tag {
        Some(_) => place.asked,
        None => Asked::NotAsked,
    }
}

async fn titles(app: &Parts, used: &[Use]) -> Result<BTreeMap<AssetId, String>, CostsError> {
    let costs = priced(used, &app.config.prices)?;
    let mut by_asset: BTreeMap<AssetId, Money> = BTreeMap::new();
    for (it, cost) in used.iter().zip(costs) {
        if let Some(asset) = it.asset {
            let of = by_asset.entry(asset).or_default();
            *of = of.plus(cost)?;
        }
    }
    let mut assets: Vec<(AssetId, Money)> = by_asset.into_iter().collect();
    assets.sort_by(|one, other| other.1.cmp(&one.1).then(one.0.cmp(&other.0)));
    let keys: Vec<_> = assets
        .iter()
        .take(TITLES)
        .map(|(id, _)| keys::asset(*id))
        .collect();
    let assets: Vec<Option<Asset>> = app.store.get_many(&keys).await?;
    let assets = assets.into_iter().flatten();
    Ok(assets.map(|it| (it.id, it.title.into())).collect())
}
