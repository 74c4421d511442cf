//! What need not be paid of what was used: what is free every month, and what a plan gives back.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    model::{Unit, Vendor},
    money::{Money, TooMuch},
    report::Facts,
};

/// What need not be paid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Deduction {
    pub vendor: Vendor,
    /// What is free; nothing: a plan's credit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<Unit>,
    pub cost: Money,
}

/// What is free of each unit, at the average price of what was used of it, and what credits cover of
/// what is left.
pub(super) fn deductions(facts: &Facts<'_>, costs: &[Money]) -> Result<Vec<Deduction>, TooMuch> {
    let mut all = Vec::new();
    let mut left: BTreeMap<Vendor, Money> = BTreeMap::new();
    let mut used: BTreeMap<Unit, (u64, Money)> = BTreeMap::new();
    // What AWS charges it has deducted itself.
    let ours = facts.used.iter().zip(costs);
    for (it, cost) in ours.filter(|(it, _)| it.bill.is_none()) {
        let of = used.entry(it.unit).or_default();
        *of = (
            of.0.checked_add(it.amount).ok_or(TooMuch)?,
            of.1.plus(*cost)?,
        );
        let of = left.entry(it.unit.vendor()).or_default();
        *of = of.plus(*cost)?;
    }
    for allowance in &facts.prices.allowances {
        let (amount, cost) = used.get(&allowance.unit).copied().unwrap_or_default();
        // The days that AWS told of have used up their part.
        let gone = facts.aws.iter().flat_map(|it| &it.counted);
        let gone = gone.filter(|it| it.unit == allowance.unit);
        let gone = gone.fold(0, |sum: u64, it| sum.saturating_add(it.amount));
        let free = allowance.units.saturating_mul(allowance.unit.one());
        let free = free.saturating_sub(gone);
        let covered = if amount <= free {
            cost
        } else {
            cost.times(free, amount)?
        };
        let vendor = allowance.unit.vendor();
        let of = left.entry(vendor).or_default();
        *of = of.minus(covered)?;
        all.push((vendor, Some(allowance.unit), covered));
    }
    for credit in &facts.prices.credits {
        let rest = left.get(&credit.vendor).copied().unwrap_or_default();
        all.push((credit.vendor, None, credit.dollars.min(rest)));
    }
    let all = all.into_iter().filter(|(_, _, cost)| *cost > Money::ZERO);
    let all = all.map(|(vendor, unit, cost)| {
        let cost = Money::ZERO.minus(cost)?;
        Ok(Deduction { vendor, unit, cost })
    });
    all.collect()
}
