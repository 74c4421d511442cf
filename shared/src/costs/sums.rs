//! The promise of every report: however its lines are added up, they are the whole, to the millionth of
//! a dollar; and two halves of a month are the month.

use std::collections::BTreeMap;

use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use time::macros::datetime;
use ulid::Ulid;

use super::{
    detail::Row,
    model::{Month, Quality, Tier, Unit, Use, Vendor, last_complete},
    money::Money,
    prices::Prices,
    report::{Facts, Line, Report, Told, by_day, priced, report},
};

/// Made up, always the same for a seed: so many uses of a few tenants, videos and links in January.
pub(super) fn facts(prices: &Prices, count: usize, seed: u64) -> Facts<'_> {
    let mut random = StdRng::seed_from_u64(seed);
    let month: Month = "2026-01".parse().unwrap();
    let days: Vec<_> = month.days().collect();
    let used = (0..count).map(|_| {
        let unit = Unit::ALL[random.random_range(0..Unit::ALL.len())];
        let mux = unit.vendor() == Vendor::Mux;
        let mut id = |of: u8| Ulid::from_bytes([random.random_range(1..=of); 16]);
        let (tenant, asset, share) = (id(3), id(9), id(5));
        Use {
            day: days[random.random_range(0..days.len())],
            tenant: tenant.into(),
            project: None,
            asset: mux.then(|| asset.into()),
            share: (unit == Unit::DeliveredMinutes && random.random()).then(|| share.into()),
            unit,
            quality: mux.then(|| Quality::ALL[random.random_range(0..3)]),
            tier: mux.then(|| Tier::ALL[random.random_range(0..5)]),
            estimated: !mux,
            amount: random.random_range(0..2_000_000_000_000),
            bill: None,
        }
    });
    Facts {
        month,
        tenant: Some(Ulid::from_bytes([1; 16]).into()),
        now: datetime!(2026-02-01 00:00 UTC),
        complete: last_complete(datetime!(2026-02-01 00:00 UTC)),
        prices,
        budget: None,
        used: used.collect(),
        before: Vec::new(),
        told: Told::default(),
        titles: BTreeMap::new(),
        aws: None,
    }
}

fn sum(lines: &[Line]) -> Money {
    Money::sum(lines.iter().map(|it| it.cost)).unwrap()
}

pub(super) fn every_sum(report: &Report) -> Vec<Money> {
    let lines = &report.lines;
    let rows = |it: &[Row]| Money::sum(it.iter().map(|it| it.cost)).unwrap();
    vec![
        sum(&lines.vendors),
        sum(&lines.units),
        sum(&lines.tenants),
        sum(&lines.projects),
        sum(&lines.assets),
        sum(&lines.shares),
        Money::sum(report.days.iter().map(|it| it.cost)).unwrap(),
        report.days.last().unwrap().spent,
        rows(&report.rows),
    ]
}

proptest! {
    #[test]
    fn whatever_is_added_up_is_the_whole(seed in any::<u64>(), count in 0..400_usize) {
        let prices = Prices::built_in().unwrap();
        let made = report(facts(&prices, count, seed)).unwrap();
        for sum in every_sum(&made) {
            prop_assert_eq!(sum, made.spent, "seed {}", seed);
        }
        prop_assert_eq!(made.due, made.spent);
    }

    #[test]
    fn two_halves_are_the_whole(seed in any::<u64>(), count in 1..400_usize, first in 1..31_u8) {
        let prices = Prices::built_in().unwrap();
        let whole = report(facts(&prices, count, seed)).unwrap();
        let half = |early: bool| {
            let mut facts = facts(&prices, count, seed);
            facts.used.retain(|it| (it.day.day() <= first) == early);
            report(facts).unwrap()
        };
        let (one, other) = (half(true), half(false));
        prop_assert_eq!(one.spent.plus(other.spent).unwrap(), whole.spent, "seed {}", seed);
        let mut costs: BTreeMap<String, Money> = BTreeMap::new();
        for line in one.lines.assets.iter().chain(&other.lines.assets) {
            let of = costs.entry(line.of.clone().unwrap_or_default()).or_default();
            *of = of.plus(line.cost).unwrap();
        }
        for line in &whole.lines.assets {
            prop_assert_eq!(costs[&line.of.clone().unwrap_or_default()], line.cost, "seed {}", seed);
        }
    }

    #[test]
    fn no_more_is_deducted_than_was_used(seed in any::<u64>(), count in 0..200_usize) {
        let mut prices = Prices::built_in().unwrap();
        prices.credits[0].dollars = "1000".parse().unwrap();
        let mut facts = facts(&prices, count, seed);
        facts.tenant = None;
        let made = report(facts).unwrap();
        prop_assert!(made.due >= Money::ZERO && made.due <= made.spent, "seed {}", seed);
    }
}

#[test]
fn what_is_free_is_deducted_once_and_a_credit_covers_the_rest() {
    let mut prices = Prices::built_in().unwrap();
    prices.credits[0].dollars = "20".parse().unwrap();
    let mut facts = facts(&prices, 0, 0);
    facts.tenant = None;
    facts.used = vec![Use {
        day: facts.month.first(),
        tenant: Ulid::from_bytes([1; 16]).into(),
        project: None,
        asset: None,
        share: None,
        unit: Unit::DeliveredMinutes,
        quality: Some(Quality::Basic),
        tier: Some(Tier::Hd),
        estimated: false,
        amount: 150_000 * Unit::DeliveredMinutes.one(),
        bill: None,
    }];
    let made = report(facts).unwrap();
    let costs: Vec<String> = made
        .deductions
        .iter()
        .map(|it| it.cost.to_cents())
        .collect();
    assert_eq!(made.spent.to_cents(), "120.00");
    assert_eq!(costs, ["-80.00", "-20.00"]);
    assert_eq!(made.due.to_cents(), "20.00");
}

#[test]
fn a_budget_says_what_is_reached() {
    let prices = Prices::built_in().unwrap();
    let mut facts = facts(&prices, 50, 1);
    let spent = Money::sum(priced(&facts.used, &prices).unwrap()).unwrap();
    facts.budget = Some(spent);
    let budget = report(facts).unwrap().budget.unwrap();
    assert_eq!((budget.used, budget.reached), (10_000, vec![50, 80, 100]));
}

#[test]
fn a_report_of_much_shows_the_dearest_and_adds_the_others() {
    let prices = Prices::built_in().unwrap();
    let mut facts = facts(&prices, 250, 2);
    for (number, it) in (0_u8..).zip(&mut facts.used) {
        it.asset = Some(Ulid::from_bytes([number; 16]).into());
    }
    let made = report(facts).unwrap();
    let assets = &made.lines.assets;
    assert_eq!(assets.len(), 101);
    assert_eq!((assets[100].of.as_ref(), assets[100].count), (None, 150));
    assert_eq!(sum(assets), made.spent);
    assert!(
        assets
            .windows(2)
            .take(99)
            .all(|it| it[0].cost >= it[1].cost)
    );
}

#[test]
fn a_day_without_use_costs_nothing_and_is_there() {
    let month: Month = "2026-01".parse().unwrap();
    let days = by_day(month.days(), &[], &[]).unwrap();
    assert_eq!(days.len(), 31);
    assert!(days.iter().all(|(_, cost)| *cost == Money::ZERO));
}
