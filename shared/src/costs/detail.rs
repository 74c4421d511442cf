//! Everything in a report at its finest: the rows that finance gets. Bounded, and always with the same sum.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use time::Date;

use super::{
    model::{Quality, Tier, Unit, Use, Vendor},
    money::{Money, TooMuch},
    report::Facts,
};
use crate::ids::{AssetId, ProjectId, ShareId, TenantId};

/// How many rows there are at the most: with all columns about four megabytes, where a function may
/// answer six (docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html).
const ROWS: usize = 20_000;

/// One row of everything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    #[serde(flatten)]
    pub of: Of,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// In what [`Unit::one`] counts.
    pub amount: u64,
    pub cost: Money,
}

/// What a row is of. What is not told apart is nothing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Of {
    /// Nothing: the whole month.
    #[serde(default, with = "super::model::iso::option")]
    pub day: Option<Date>,
    pub tenant: TenantId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<ProjectId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asset: Option<AssetId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<ShareId>,
    pub unit: Unit,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quality: Option<Quality>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<Tier>,
    pub estimated: bool,
    /// Of AWS's own figures: the service, as AWS calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
}

impl Of {
    /// Whether only players tell of it: Mux has not said yet how much it was.
    pub fn is_hearsay(&self) -> bool {
        self.estimated && self.unit.vendor() == Vendor::Mux
    }
}

/// The rows of a report: by day if they are not too many, else of the month, else without videos and links.
pub(super) fn rows(facts: &Facts<'_>, costs: &[Money]) -> Result<Vec<Row>, TooMuch> {
    bounded(facts, costs, ROWS)
}

fn bounded(facts: &Facts<'_>, costs: &[Money], most: usize) -> Result<Vec<Row>, TooMuch> {
    let fine = |it: &Use| Of {
        day: Some(it.day),
        tenant: it.tenant,
        project: it.project,
        asset: it.asset,
        share: it.share,
        unit: it.unit,
        quality: it.quality,
        tier: it.tier,
        estimated: it.estimated,
        service: it.bill.as_ref().map(|it| it.service.clone()),
    };
    let monthly = |it: &Use| Of {
        day: None,
        ..fine(it)
    };
    let coarse = |it: &Use| Of {
        asset: None,
        share: None,
        ..monthly(it)
    };
    let ways: [&dyn Fn(&Use) -> Of; 2] = [&fine, &monthly];
    for way in ways {
        let rows = folded(facts, costs, way)?;
        if rows.len() <= most {
            return Ok(rows);
        }
    }
    folded(facts, costs, &coarse)
}

fn folded(
    facts: &Facts<'_>,
    costs: &[Money],
    of: &dyn Fn(&Use) -> Of,
) -> Result<Vec<Row>, TooMuch> {
    let mut sums: BTreeMap<Of, (u64, Money)> = BTreeMap::new();
    for (it, cost) in facts.used.iter().zip(costs) {
        let sum = sums.entry(of(it)).or_default();
        *sum = (
            sum.0.checked_add(it.amount).ok_or(TooMuch)?,
            sum.1.plus(*cost)?,
        );
    }
    let rows = sums.into_iter().map(|(of, (amount, cost))| Row {
        title: of.asset.and_then(|it| facts.titles.get(&it).cloned()),
        of,
        amount,
        cost,
    });
    Ok(rows.collect())
}

#[cfg(test)]
mod tests {
    use super::{super::sums::facts, *};
    use crate::costs::{prices::Prices, report::priced};

    #[test]
    fn fewer_rows_have_the_same_sum() {
        let prices = Prices::built_in().unwrap();
        let facts = facts(&prices, 4_000, 7);
        let costs = priced(&facts.used, &prices).unwrap();
        let whole = Money::sum(costs.iter().copied()).unwrap();
        let rows = |most| bounded(&facts, &costs, most).unwrap();
        let all = rows(usize::MAX);
        let (monthly, coarse) = (rows(all.len() - 1), rows(1));
        assert!(all.iter().all(|it| it.of.day.is_some()));
        assert!(monthly.len() < all.len() && coarse.len() < monthly.len());
        assert!(
            coarse
                .iter()
                .all(|it| it.of.asset.is_none() && it.of.day.is_none())
        );
        for rows in [all, monthly, coarse] {
            assert_eq!(Money::sum(rows.iter().map(|it| it.cost)).unwrap(), whole);
        }
    }
}
