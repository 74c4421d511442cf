//! What AWS itself says that days cost, in the place of what we counted of them: kept by day, and put into
//! a report so that nothing is in it twice.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use time::{Date, Duration, OffsetDateTime};

use super::{
    explorer::{CostTag, Question, Refusal, ToldDay},
    model::{Bill, Month, Unit, Use, Vendor, iso},
    money::Money,
    place::Place,
};
use crate::{
    app::Parts,
    ids::TenantId,
    store::{Guard, StoreError, keys, keys::Listing},
};

/// How long after its end a day is asked about. AWS brings its figures up to date once in 24 hours at the
/// least (docs.aws.amazon.com, AWS Cost Management, "Analyzing your costs"); a day that is half there would
/// look cheap.
const LAG: Duration = Duration::days(1);

/// How far back is asked at the most, when months could not be closed for long.
const OLDEST: Duration = Duration::days(92);

/// How many days are read at once.
const DAYS: u32 = 200;

/// How asking Cost Explorer went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "state",
    rename_all = "kebab-case",
    rename_all_fields = "camelCase"
)]
pub enum Asked {
    /// Nobody asks.
    #[default]
    NotAsked,
    Answered {
        #[serde(with = "time::serde::rfc3339")]
        as_of: OffsetDateTime,
    },
    Refused {
        #[serde(with = "time::serde::rfc3339")]
        at: OffsetDateTime,
        why: Refusal,
        /// When it last answered.
        #[serde(with = "time::serde::rfc3339::option")]
        as_of: Option<OffsetDateTime>,
    },
}

impl Asked {
    /// When there was last an answer.
    pub fn as_of(self) -> Option<OffsetDateTime> {
        match self {
            Self::NotAsked => None,
            Self::Answered { as_of } => Some(as_of),
            Self::Refused { as_of, .. } => as_of,
        }
    }

    /// Whether it was asked on this day, whatever came of it: a request costs a cent, answered or not.
    pub(super) fn is_of(self, day: Date) -> bool {
        match self {
            Self::NotAsked => false,
            Self::Answered { as_of } => as_of.date() == day,
            Self::Refused { at, .. } => at.date() == day,
        }
    }

    /// What stands in the table while it is asked: who dies on the way has asked, too.
    pub(super) fn asking(self, at: OffsetDateTime) -> Self {
        self.refused(at, Refusal::NoAnswer)
    }

    fn refused(self, at: OffsetDateTime, why: Refusal) -> Self {
        let as_of = self.as_of();
        Self::Refused { at, why, as_of }
    }
}

/// A day, as AWS told of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BilledDay {
    #[serde(with = "iso")]
    pub(super) day: Date,
    /// When AWS was asked.
    #[serde(with = "time::serde::rfc3339")]
    asked: OffsetDateTime,
    /// Whether AWS may still change it.
    pub(super) preliminary: bool,
    /// Millionths of a dollar by service.
    pub(super) services: BTreeMap<String, i64>,
    /// Grows with every write; the guard of the next one.
    version: u64,
}

/// What is asked now: all days of months that are open, as far as AWS knows them. It costs no more than one
/// day does, and corrects what AWS has corrected.
pub(super) fn question(tag: &CostTag, place: &Place, now: OffsetDateTime) -> Option<Question> {
    let until = (now - LAG).date();
    let open = place.closed.map(|it| it.after().first());
    let from = open.unwrap_or_else(|| Month::of(until).first());
    let from = from.max(until - OLDEST);
    (from < until).then(|| Question {
        tag: tag.clone(),
        from,
        until,
    })
}

/// Asks, and keeps what is told. What AWS knows nothing of stays as it is.
pub(super) async fn learn(
    app: &Parts,
    before: Asked,
    question: Question,
) -> Result<Asked, StoreError> {
    let now = app.clock.now();
    let (from, until) = (question.from, question.until);
    let Some(explorer) = &app.explorer else {
        return Ok(before.refused(now, Refusal::NoCredentials));
    };
    let told = match explorer.ask(question).await {
        Ok(told) => told,
        Err(why) => return Ok(before.refused(now, why)),
    };
    let told = told.into_iter().filter(|(_, it)| !it.services.is_empty());
    let told: BTreeMap<Date, ToldDay> = told.collect();
    if told.is_empty() {
        return Ok(before.refused(now, Refusal::Empty));
    }
    let known = between(app, from, until).await?.into_iter();
    let known: BTreeMap<Date, BilledDay> = known.map(|it| (it.day, it)).collect();
    for (day, told) in told {
        let known = known.get(&day);
        let version = known.map(|it| it.version);
        let services = told.services.into_iter();
        let row = BilledDay {
            day,
            asked: now,
            preliminary: told.preliminary,
            services: services.map(|(it, cost)| (it, cost.micros())).collect(),
            version: version.unwrap_or_default() + 1,
        };
        let same =
            |it: &BilledDay| it.services == row.services && it.preliminary == row.preliminary;
        if !known.is_some_and(same) {
            let guard = version.map_or(Guard::Absent, Guard::Version);
            app.store.put(&keys::billed(day), &row, guard).await?;
        }
    }
    Ok(Asked::Answered { as_of: now })
}

/// The days that AWS told of, from one to another, both included.
pub(super) async fn between(
    app: &Parts,
    from: Date,
    to: Date,
) -> Result<Vec<BilledDay>, StoreError> {
    let listing: Listing = keys::billed_between(from, to);
    let (mut days, mut after): (Vec<BilledDay>, _) = (Vec::new(), None);
    loop {
        let page = app.store.list(&listing, after.as_ref(), DAYS).await?;
        days.extend(page.items);
        after = days
            .last()
            .filter(|_| page.more)
            .map(|it| keys::billed(it.day));
        if after.is_none() {
            return Ok(days);
        }
    }
}

/// What was used, with AWS's own figures in the place of ours on the days that it has told of; and ours.
pub(super) fn replaced(
    used: Vec<Use>,
    days: &[BilledDay],
    whose: TenantId,
) -> (Vec<Use>, Vec<Use>) {
    let billed: BTreeSet<Date> = days.iter().map(|it| it.day).collect();
    let ours = |it: &Use| it.unit.vendor() == Vendor::Aws && billed.contains(&it.day);
    let (counted, mut used): (Vec<Use>, Vec<Use>) = used.into_iter().partition(ours);
    used.extend(days.iter().flat_map(|it| it.uses(whose)));
    (used, counted)
}

impl BilledDay {
    fn uses(&self, tenant: TenantId) -> impl Iterator<Item = Use> {
        self.services.iter().map(move |(service, micros)| Use {
            day: self.day,
            tenant,
            project: None,
            asset: None,
            share: None,
            unit: Unit::Billed,
            quality: None,
            tier: None,
            estimated: false,
            amount: 0,
            bill: Some(Bill {
                service: service.clone(),
                cost: Money::of_micros(*micros),
            }),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::{
        collection::btree_map,
        prelude::{any, prop_assert, prop_assert_eq, proptest},
    };
    use time::macros::{date, datetime};
    use ulid::Ulid;

    use super::{super::sums::facts, *};
    use crate::costs::{
        aws::AwsFacts,
        prices::Prices,
        report::{priced, report},
    };

    fn billed(day: Date, services: &[(&str, i64)]) -> BilledDay {
        let services = services
            .iter()
            .map(|(it, micros)| ((*it).to_owned(), *micros));
        BilledDay {
            day,
            asked: datetime!(2026-01-20 12:00 UTC),
            preliminary: true,
            services: services.collect(),
            version: 1,
        }
    }

    #[test]
    fn all_open_days_are_asked_as_far_as_aws_knows_them() {
        let tag = CostTag::read("a=b").unwrap().unwrap();
        let place = Place::first(datetime!(2026-01-05 15:00 UTC));
        let asked = |now| question(&tag, &place, now).map(|it| (it.from, it.until));
        assert_eq!(asked(datetime!(2026-01-01 23:00 UTC)), None);
        let (first, now) = (date!(2026 - 01 - 01), datetime!(2026-01-20 00:10 UTC));
        assert_eq!(asked(now), Some((first, date!(2026 - 01 - 19))));
        let late = datetime!(2026-02-03 00:10 UTC);
        assert_eq!(asked(late), Some((first, date!(2026 - 02 - 02))));
        let slept = datetime!(2026-12-20 00:10 UTC);
        let (from, until) = asked(slept).unwrap();
        assert_eq!(until - from, OLDEST);
    }

    #[test]
    fn one_asks_once_a_day_whatever_comes_of_it() {
        let now = datetime!(2026-01-20 00:10 UTC);
        let day = now.date();
        assert!(!Asked::NotAsked.is_of(day));
        let answered = Asked::Answered { as_of: now };
        let refused = answered.asking(now + Duration::DAY);
        assert!(answered.is_of(day) && !answered.is_of(day + Duration::DAY));
        assert!(refused.is_of(day + Duration::DAY) && !refused.is_of(day));
        assert_eq!(refused.as_of(), Some(now), "what it told is not forgotten");
    }

    #[test]
    fn what_aws_gave_back_is_deducted_by_aws_and_not_once_more() {
        let prices = Prices::built_in().unwrap();
        let mut facts = facts(&prices, 0, 0);
        (facts.tenant, facts.aws) = (None, Some(AwsFacts::default()));
        let days = [billed(
            facts.month.first(),
            &[("AWS Lambda", 500_000), ("Credit", -700_000)],
        )];
        let (used, counted) = replaced(Vec::new(), &days, Ulid::from_bytes([1; 16]).into());
        assert!(counted.is_empty());
        facts.used = used;
        let made = report(facts).unwrap();
        assert_eq!(made.spent.to_cents(), "-0.20");
        assert_eq!((made.due, made.deductions.len()), (made.spent, 0));
        let aws = made.aws.unwrap();
        assert_eq!((aws.billed, aws.variance), (made.due, None));
    }

    #[test]
    fn what_is_free_is_used_up_by_the_days_that_aws_told_of_first() {
        let prices = Prices::built_in().unwrap();
        let allowance = prices
            .allowances
            .iter()
            .find(|it| it.unit == Unit::FunctionRequests);
        let free = allowance.unwrap().units * Unit::FunctionRequests.one();
        let requests = |day: u8, amount| Use {
            day: date!(2026 - 01 - 01).replace_day(day).unwrap(),
            unit: Unit::FunctionRequests,
            estimated: true,
            amount,
            ..billed(date!(2026 - 01 - 01), &[("x", 0)])
                .uses(Ulid::from_bytes([1; 16]).into())
                .next()
                .map(|it| Use { bill: None, ..it })
                .unwrap()
        };
        let deducted = |days: &[BilledDay]| {
            let mut facts = facts(&prices, 0, 0);
            facts.tenant = None;
            let all = vec![requests(1, free / 4 * 3), requests(2, free)];
            let (used, counted) = replaced(all, days, Ulid::from_bytes([1; 16]).into());
            facts.used = used;
            facts.aws = Some(AwsFacts {
                counted,
                ..AwsFacts::default()
            });
            let made = report(facts).unwrap();
            let all = made.deductions.iter().map(|it| it.cost);
            Money::ZERO.minus(Money::sum(all).unwrap()).unwrap()
        };
        let whole = prices.of(super::super::prices::Wanted {
            unit: Unit::FunctionRequests,
            quality: None,
            tier: None,
        });
        let whole = whole.unwrap().cost(free).unwrap();
        assert_eq!(deducted(&[]), whole);
        let first = billed(date!(2026 - 01 - 01), &[("AWS Lambda", 0)]);
        assert_eq!(deducted(&[first]), whole.times(1, 4).unwrap());
    }

    proptest! {
        #[test]
        fn however_many_days_aws_told_of_all_sums_agree_and_nothing_is_in_twice(
            seed in any::<u64>(),
            count in 0..300_usize,
            told in btree_map(1..=31_u8, btree_map("[a-e]", -5_000_000..50_000_000_i64, 1..4), 0..31),
        ) {
            let prices = Prices::built_in().unwrap();
            let mut facts = facts(&prices, count, seed);
            let whose = Ulid::from_bytes([1; 16]).into();
            let days: Vec<BilledDay> = told.iter().map(|(day, services)| {
                let services: Vec<_> = services.iter().map(|(it, n)| (it.as_str(), *n)).collect();
                billed(facts.month.first().replace_day(*day).unwrap(), &services)
            }).collect();
            let before = std::mem::take(&mut facts.used);
            let kept = before.iter().filter(|it| {
                it.unit.vendor() != Vendor::Aws || !told.contains_key(&it.day.day())
            });
            let kept: Vec<Use> = kept.cloned().collect();
            let bill: i64 = told.values().flat_map(BTreeMap::values).sum();
            let due = Money::sum(priced(&kept, &prices).unwrap()).unwrap();
            let due = due.plus(Money::of_micros(bill)).unwrap();
            let (used, counted) = replaced(before.clone(), &days, whose);
            prop_assert_eq!(kept.len() + counted.len(), before.len());
            facts.used = used;
            let ours = Money::sum(priced(&counted, &prices).unwrap()).unwrap();
            facts.aws = Some(AwsFacts { counted, ..AwsFacts::default() });
            let made = report(facts).unwrap();
            prop_assert_eq!(made.spent, due);
            for sum in super::super::sums::every_sum(&made) {
                prop_assert_eq!(sum, due);
            }
            let aws = made.aws.unwrap();
            prop_assert_eq!(aws.billed, Money::of_micros(bill));
            prop_assert_eq!((aws.billed_days, aws.counted), (days.len(), ours));
            prop_assert!(made.rows.iter().all(|it| it.of.service.is_none() || !it.of.estimated));
        }
    }
}
