//! AWS's own figures in a report: how asking for them went, and how far our count was from them. Pure.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use time::{Date, OffsetDateTime};

use super::{
    billed::Asked,
    model::{Use, iso},
    money::{Money, TooMuch},
};

/// What a report is told of AWS's own figures.
#[derive(Debug, Clone, Default)]
pub struct AwsFacts {
    pub asked: Asked,
    /// What we had counted of the days that AWS told of.
    pub counted: Vec<Use>,
    /// Whether AWS may still change something.
    pub preliminary: bool,
}

/// AWS's own figures in a report, and how far ours were from them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AwsPart {
    #[serde(flatten)]
    pub asked: Asked,
    /// How many days of the month are AWS's own figures; the others are estimated.
    pub billed_days: usize,
    /// The last of them.
    #[serde(default, with = "iso::option", skip_serializing_if = "Option::is_none")]
    pub billed_until: Option<Date>,
    /// Whether AWS may still change something: there is no invoice yet.
    pub preliminary: bool,
    /// What those days cost, as AWS says.
    pub billed: Money,
    /// What they cost by our count, at list prices.
    pub counted: Money,
    /// How far our count is from AWS, in ten-thousandths of what AWS says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variance: Option<i64>,
}

impl AwsPart {
    /// `used` is of the month, and `costs` are its costs, in the same order; `counted` is what our count of
    /// the same days costs.
    pub(super) fn of(
        facts: &AwsFacts,
        used: &[Use],
        costs: &[Money],
        counted: Money,
    ) -> Result<Self, TooMuch> {
        let bills = used.iter().zip(costs).filter(|(it, _)| it.bill.is_some());
        let days: BTreeSet<Date> = bills.clone().map(|(it, _)| it.day).collect();
        let billed = Money::sum(bills.map(|(_, cost)| *cost))?;
        let off = i128::from(counted.micros()) - i128::from(billed.micros());
        let of = i128::from(billed.micros());
        Ok(Self {
            asked: facts.asked,
            billed_days: days.len(),
            billed_until: days.last().copied(),
            preliminary: facts.preliminary,
            billed,
            counted,
            variance: (of > 0).then(|| i64::try_from(off * 10_000 / of).unwrap_or(i64::MAX)),
        })
    }

    /// How asking went, in words.
    pub(super) fn told(&self) -> String {
        let day = |it: OffsetDateTime| it.date();
        match self.asked {
            Asked::NotAsked => "not asked".to_owned(),
            Asked::Answered { as_of } => format!("as of {}", day(as_of)),
            Asked::Refused {
                at,
                why,
                as_of: None,
            } => format!("refused on {}: {why}", day(at)),
            Asked::Refused {
                at,
                why,
                as_of: Some(as_of),
            } => format!("as of {}; refused on {}: {why}", day(as_of), day(at)),
        }
    }
}
