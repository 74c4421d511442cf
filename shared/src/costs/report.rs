//! The report of a month: what was used, priced once at its finest, and added up in every way that
//! somebody may ask for. Pure, and exact to the millionth of a dollar.

use std::collections::{BTreeMap, btree_map::Entry};

use serde::{Deserialize, Serialize};
use time::{Date, OffsetDateTime};

use super::{
    aws::{AwsFacts, AwsPart},
    deductions::{Deduction, deductions},
    detail::{self, Row},
    forecast::{Forecast, forecast},
    model::{Month, Use},
    money::{Money, TooMuch},
    notes::{Note, notes},
    prices::{Prices, Wanted},
};
use crate::ids::{AssetId, TenantId};

/// Shares of a budget at which somebody is told, in percent (S0-013).
pub const THRESHOLDS: [u64; 4] = [50, 80, 100, 120];

/// How many lines of a kind a report shows; what is less is one line together.
const LINES: usize = 100;

/// What a report is made from.
pub struct Facts<'a> {
    pub month: Month,
    /// Whose it is; nothing: everybody's.
    pub tenant: Option<TenantId>,
    pub now: OffsetDateTime,
    /// Until the end of which day everything is known.
    pub complete: Date,
    pub prices: &'a Prices,
    pub budget: Option<Money>,
    /// Of the month, in any order.
    pub used: Vec<Use>,
    /// What the complete days before the month cost, in order, for the forecast.
    pub before: Vec<(Date, Money)>,
    /// What our players told of days, and what Mux did.
    pub told: Told,
    /// What people call videos.
    pub titles: BTreeMap<AssetId, String>,
    /// Of AWS's own figures; nothing: what AWS charges is in no report of this organisation.
    pub aws: Option<AwsFacts>,
}

/// Microseconds of video in days that are complete.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Told {
    pub players: u64,
    pub mux: u64,
}

impl Told {
    /// How far the players are from Mux, in ten-thousandths of what Mux says.
    pub fn variance(self) -> Option<i64> {
        let off = i128::from(self.players) - i128::from(self.mux);
        let of = i128::from(self.mux);
        (of > 0).then(|| i64::try_from(off * 10_000 / of).unwrap_or(i64::MAX))
    }
}

/// A month's report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    pub period: Month,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantId>,
    #[serde(with = "time::serde::rfc3339")]
    pub made_at: OffsetDateTime,
    /// Until the end of which day Mux has said everything.
    #[serde(with = "super::model::iso")]
    pub complete_until: Date,
    /// At list prices.
    pub spent: Money,
    /// What is free, and what plans give back: below nothing. Of everybody's report only.
    pub deductions: Vec<Deduction>,
    /// What is left to be paid.
    pub due: Money,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget: Option<BudgetUse>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forecast: Option<Forecast>,
    pub delivered: Told,
    /// Players against Mux, in ten-thousandths.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variance: Option<i64>,
    /// AWS's own figures, in reports that have anything of AWS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aws: Option<AwsPart>,
    pub lines: Lines,
    pub days: Vec<DayLine>,
    pub notes: Vec<Note>,
    /// Everything, at its finest: what the table for finance has, and nothing else.
    #[serde(skip)]
    pub rows: Vec<Row>,
}

/// Each list adds up to what was spent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Lines {
    pub vendors: Vec<Line>,
    pub units: Vec<Line>,
    pub tenants: Vec<Line>,
    pub projects: Vec<Line>,
    pub assets: Vec<Line>,
    pub shares: Vec<Line>,
    /// Of AWS's own figures; nothing, where there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<Line>,
}

/// What one of them cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// Nothing: what could be laid to none, or the lines that are less than those that are shown.
    pub of: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// How many lines this one stands for.
    pub count: usize,
    pub cost: Money,
}

/// What one day cost, and what was spent until its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DayLine {
    #[serde(with = "super::model::iso")]
    pub day: Date,
    pub cost: Money,
    pub spent: Money,
}

/// How a budget stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BudgetUse {
    pub budget: Money,
    /// In ten-thousandths.
    pub used: u64,
    /// What is expected to be used at the end, in ten-thousandths.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<u64>,
    /// Which of [`THRESHOLDS`] are reached.
    pub reached: Vec<u64>,
}

impl BudgetUse {
    pub fn of(budget: Money, spent: Money, expected: Option<Money>) -> Self {
        let used = spent.ten_thousandths_of(budget);
        Self {
            budget,
            used,
            expected: expected.map(|it| it.ten_thousandths_of(budget)),
            reached: THRESHOLDS
                .into_iter()
                .filter(|percent| used >= percent * 100)
                .collect(),
        }
    }
}

/// Why there is no report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    #[error(transparent)]
    TooMuch(#[from] TooMuch),
    #[error("something was used that has no price")]
    Unpriced,
}

/// What each thing cost, in the order of the things. Here, and nowhere else, is rounded.
pub fn priced(used: &[Use], prices: &Prices) -> Result<Vec<Money>, ReportError> {
    let mut known = BTreeMap::new();
    let cost = |it: &Use| {
        if let Some(bill) = &it.bill {
            return Ok(bill.cost);
        }
        let wanted = Wanted {
            unit: it.unit,
            quality: it.quality,
            tier: it.tier,
        };
        let price = match known.entry(wanted) {
            Entry::Occupied(entry) => *entry.get(),
            Entry::Vacant(entry) => *entry.insert(prices.of(wanted).ok_or(ReportError::Unpriced)?),
        };
        Ok(price.cost(it.amount)?)
    };
    used.iter().map(cost).collect()
}

/// What each day cost. Days on which nothing was used are there, too.
pub fn by_day(
    days: impl IntoIterator<Item = Date>,
    used: &[Use],
    costs: &[Money],
) -> Result<Vec<(Date, Money)>, TooMuch> {
    let mut by_day: BTreeMap<Date, Money> = days.into_iter().map(|it| (it, Money::ZERO)).collect();
    for (it, cost) in used.iter().zip(costs) {
        if let Some(sum) = by_day.get_mut(&it.day) {
            *sum = sum.plus(*cost)?;
        }
    }
    Ok(by_day.into_iter().collect())
}

/// Makes the report.
pub fn report(mut facts: Facts<'_>) -> Result<Report, ReportError> {
    facts.used.retain(|it| facts.month.has(it.day));
    facts.used.sort();
    let costs = priced(&facts.used, facts.prices)?;
    let spent = Money::sum(costs.iter().copied())?;
    let today = facts.now.date();
    let past = facts.month.days().filter(|day| *day <= today);
    let by_day = by_day(past, &facts.used, &costs)?;
    let complete = facts.complete;
    let known = facts.before.iter().chain(&by_day).copied();
    let known: Vec<(Date, Money)> = known.filter(|(day, _)| *day <= complete).collect();
    let forecast = forecast(facts.month, &known, spent)?;
    let deductions = match facts.tenant {
        Some(_) => Vec::new(),
        None => deductions(&facts, &costs)?,
    };
    let deducted = Money::sum(deductions.iter().map(|it| it.cost))?;
    let expected = forecast.as_ref().map(|it| it.expected);
    let budget = facts.budget.map(|it| BudgetUse::of(it, spent, expected));
    let aws = aws(&facts, &costs)?;
    Ok(Report {
        period: facts.month,
        tenant: facts.tenant,
        made_at: facts.now,
        complete_until: complete.min(facts.month.last()),
        spent,
        due: spent.plus(deducted)?,
        deductions,
        budget,
        forecast,
        delivered: facts.told,
        variance: facts.told.variance(),
        notes: notes(&facts, aws.as_ref()),
        aws,
        lines: lines(&facts, &costs)?,
        days: running(&by_day)?,
        rows: detail::rows(&facts, &costs)?,
    })
}

/// AWS's own figures beside ours.
fn aws(facts: &Facts<'_>, costs: &[Money]) -> Result<Option<AwsPart>, ReportError> {
    let Some(aws) = &facts.aws else {
        return Ok(None);
    };
    let counted = Money::sum(priced(&aws.counted, facts.prices)?)?;
    Ok(Some(AwsPart::of(aws, &facts.used, costs, counted)?))
}

fn running(days: &[(Date, Money)]) -> Result<Vec<DayLine>, TooMuch> {
    let mut spent = Money::ZERO;
    let lines = days.iter().map(|(day, cost)| {
        spent = spent.plus(*cost)?;
        Ok(DayLine {
            day: *day,
            cost: *cost,
            spent,
        })
    });
    lines.collect()
}

fn lines(facts: &Facts<'_>, costs: &[Money]) -> Result<Lines, TooMuch> {
    let text = |it: &dyn ToString| Some(it.to_string());
    let all = |of: &dyn Fn(&Use) -> Option<String>| added(&facts.used, costs, of);
    let mut lines = Lines {
        vendors: all(&|it| Some(it.unit.vendor().name().to_owned()))?,
        units: all(&|it| Some(it.unit.name().to_owned()))?,
        tenants: all(&|it| text(&it.tenant))?,
        projects: all(&|it| it.project.as_ref().and_then(|it| text(it)))?,
        assets: all(&|it| it.asset.as_ref().and_then(|it| text(it)))?,
        shares: all(&|it| it.share.as_ref().and_then(|it| text(it)))?,
        services: all(&|it| it.bill.as_ref().map(|it| it.service.clone()))?,
    };
    if lines.services.iter().all(|it| it.of.is_none()) {
        lines.services.clear();
    }
    for line in &mut lines.assets {
        let id = line.of.as_deref().and_then(|it| it.parse::<AssetId>().ok());
        line.title = id.and_then(|it| facts.titles.get(&it).cloned());
    }
    Ok(lines)
}

/// The dearest first; what is laid to none, and what is too little to be shown, at the end.
fn added(
    used: &[Use],
    costs: &[Money],
    of: &dyn Fn(&Use) -> Option<String>,
) -> Result<Vec<Line>, TooMuch> {
    let mut sums: BTreeMap<Option<String>, Money> = BTreeMap::new();
    for (it, cost) in used.iter().zip(costs) {
        let sum = sums.entry(of(it)).or_default();
        *sum = sum.plus(*cost)?;
    }
    let none = sums.remove(&None);
    let mut named: Vec<(Option<String>, Money)> = sums.into_iter().collect();
    named.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
    let rest = named.split_off(named.len().min(LINES));
    let line = |of, count, cost| Line {
        of,
        title: None,
        count,
        cost,
    };
    let mut lines: Vec<Line> = named
        .into_iter()
        .map(|(of, cost)| line(of, 1, cost))
        .collect();
    if !rest.is_empty() {
        let cost = Money::sum(rest.iter().map(|(_, cost)| *cost))?;
        lines.push(line(None, rest.len(), cost));
    }
    lines.extend(none.map(|cost| line(None, 0, cost)));
    Ok(lines)
}
