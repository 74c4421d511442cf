//! From what sources tell to what is charged for: each thing once, and the delivered laid to the links that
//! players watched by. Pure.

use std::collections::BTreeMap;

use time::{Date, Duration};

use super::{
    attribution::{apportion, divide},
    model::{Month, Quality, Tier, Unit, Use},
    report::Told,
    rows::{Amounts, Source, UsageRow, What},
};
use crate::ids::{AssetId, ProjectId, ShareId, TenantId};

/// One day of one tenant, as all sources tell it.
#[derive(Default)]
struct DayOf {
    delivered: Amounts,
    players: Amounts,
    /// What is charged as it is told, and whether it was counted here.
    plain: BTreeMap<(What, bool), u64>,
}

/// Everything that was used. Until the end of `settled` Mux has said everything; of what came after, our
/// players may know more than Mux does, and that is estimated.
pub(super) fn uses(rows: &[UsageRow], settled: Option<Date>) -> (Vec<Use>, Told) {
    let mut days: BTreeMap<(Date, TenantId), DayOf> = BTreeMap::new();
    for row in rows {
        let of = days.entry((row.day, row.tenant)).or_default();
        let estimated = row.source == Source::Platform;
        match row.source {
            Source::Delivered => of.delivered.extend(&row.entries),
            Source::Players => of.players.extend(&row.entries),
            Source::Encoded | Source::Stored | Source::Platform => {
                let plain = row.entries.iter();
                of.plain
                    .extend(plain.map(|(what, n)| ((*what, estimated), *n)));
            }
        }
    }
    let (mut used, mut told) = (Vec::new(), Told::default());
    for ((day, tenant), of) in days {
        let is_settled = settled.is_some_and(|it| day <= it);
        if is_settled {
            told.mux += of.delivered.values().sum::<u64>();
            told.players += of.players.values().sum::<u64>();
        }
        let delivered = delivered(&of, is_settled);
        let all = of.plain.into_iter().chain(delivered);
        used.extend(all.map(|((what, estimated), amount)| Use {
            day,
            tenant,
            project: what.project,
            asset: what.asset,
            share: what.share,
            unit: what.unit,
            quality: what.quality,
            tier: what.tier,
            estimated,
            amount,
            bill: None,
        }));
    }
    used.retain(|it| it.amount > 0);
    (used, told)
}

/// What was delivered of an asset, and what its players told.
#[derive(Default)]
struct Watched {
    project: Option<ProjectId>,
    mux: BTreeMap<(Option<Quality>, Option<Tier>), u64>,
    players: BTreeMap<ShareId, u64>,
}

fn delivered(of: &DayOf, is_settled: bool) -> BTreeMap<(What, bool), u64> {
    let mut assets: BTreeMap<Option<AssetId>, Watched> = BTreeMap::new();
    for (what, amount) in &of.delivered {
        let asset = assets.entry(what.asset).or_default();
        asset.project = asset.project.or(what.project);
        *asset.mux.entry((what.quality, what.tier)).or_default() += amount;
    }
    for (what, amount) in &of.players {
        let asset = assets.entry(what.asset).or_default();
        asset.project = asset.project.or(what.project);
        if let Some(share) = what.share {
            *asset.players.entry(share).or_default() += amount;
        }
    }
    let mut parts = BTreeMap::new();
    for (asset, watched) in assets {
        let what = |share, quality, tier| What {
            asset,
            share,
            project: watched.project,
            quality,
            tier,
            ..What::of(Unit::DeliveredMinutes)
        };
        let seen: Vec<(ShareId, u64)> = watched.players.iter().map(|(it, n)| (*it, *n)).collect();
        let all: u64 = watched.mux.values().sum();
        for ((quality, tier), amount) in &watched.mux {
            for part in divide(*amount, all, &seen) {
                parts.insert((what(part.share, *quality, *tier), false), part.amount);
            }
        }
        let told: u64 = seen.iter().map(|(_, amount)| amount).sum();
        if !is_settled && told > all {
            // What a player shows is at the least as large as the smallest there is.
            let weights: Vec<u128> = seen.iter().map(|(_, it)| u128::from(*it)).collect();
            let more = apportion(told - all, &weights);
            for ((share, _), amount) in seen.iter().zip(more) {
                let what = what(Some(*share), Some(Quality::Basic), Some(Tier::Hd));
                parts.insert((what, true), amount);
            }
        }
    }
    parts
}

/// How much of a video's minutes a day of keeping it costs, in minutes of a month.
///
/// Mux charges a day of a calendar month as its part of that month. What is of quality `basic` is charged
/// for a month at the least (mux.com/docs/pricing/controlling-video-costs): that month is charged on the day
/// on which it was made, and the days of it no more, so that nobody has to notice when it is deleted.
pub(super) fn stored(quality: Quality, made: Date, day: Date, duration: u64) -> u64 {
    let part = |day: Date| {
        let length = u64::from(Month::of(day).length());
        (duration + length / 2) / length
    };
    if day < made {
        return 0;
    }
    if quality != Quality::Basic {
        return part(day);
    }
    let month = Duration::days(Month::of(made).length().into());
    match day {
        day if day == made => duration,
        day if day < made + month => 0,
        day => part(day),
    }
}

#[cfg(test)]
mod tests {
    use time::macros::date;
    use ulid::Ulid;

    use super::*;

    const MADE: Date = date!(2026 - 01 - 10);

    fn kept(quality: Quality, days: i64) -> u64 {
        (0..days)
            .map(|it| stored(quality, MADE, MADE + Duration::days(it), 31_000_000))
            .sum()
    }

    #[test]
    fn what_is_basic_is_charged_for_a_month_at_the_least_and_by_the_day_after_it() {
        let basic = |days| kept(Quality::Basic, days);
        assert_eq!([1, 5, 31].map(basic), [31_000_000; 3]);
        assert_eq!(basic(33), 31_000_000 + 2 * 31_000_000 / 28 + 1);
        assert_eq!(stored(Quality::Basic, MADE, date!(2026 - 01 - 09), 5), 0);
    }

    /// Mux's own example: ten minutes for half a month are five minutes.
    #[test]
    fn all_else_is_charged_by_the_day() {
        let first = date!(2026 - 06 - 01);
        let days = (0..15).map(|it| first + Duration::days(it));
        let ten = 10 * 60_000_000;
        let amounts = days.map(|day| stored(Quality::Plus, first, day, ten));
        assert_eq!(amounts.sum::<u64>(), 5 * 60_000_000);
        assert_eq!(kept(Quality::Plus, 5), 5_000_000);
    }

    fn link(number: u8) -> ShareId {
        Ulid::from_bytes([number; 16]).into()
    }

    fn day_of(mux: &[(Tier, u64)], players: &[(u8, u64)]) -> DayOf {
        let asset = Some(Ulid::from_bytes([9; 16]).into());
        let what = What {
            asset,
            quality: Some(Quality::Basic),
            ..What::of(Unit::DeliveredMinutes)
        };
        let delivered = mux.iter().map(|(tier, amount)| {
            let tier = Some(*tier);
            (What { tier, ..what }, *amount)
        });
        let players = players.iter().map(|(number, amount)| {
            let share = Some(link(*number));
            let quality = None;
            (
                What {
                    share,
                    quality,
                    ..what
                },
                *amount,
            )
        });
        DayOf {
            delivered: delivered.collect(),
            players: players.collect(),
            plain: BTreeMap::new(),
        }
    }

    fn sums(of: &DayOf, is_settled: bool) -> (u64, u64) {
        let parts = delivered(of, is_settled);
        let sum = |estimated| {
            let its = parts.iter().filter(|((_, it), _)| *it == estimated);
            its.map(|(_, amount)| amount).sum()
        };
        (sum(false), sum(true))
    }

    #[test]
    fn what_is_settled_is_muxs_to_the_microsecond_whatever_players_say() {
        let tiers = [(Tier::Hd, 70_000_001), (Tier::FullHd, 30_000_000)];
        for players in [&[][..], &[(1, 7)], &[(1, 7), (2, 999_999_999)]] {
            assert_eq!(sums(&day_of(&tiers, players), true), (100_000_001, 0));
        }
    }

    #[test]
    fn what_mux_has_not_said_yet_players_may_know() {
        assert_eq!(sums(&day_of(&[], &[(1, 5), (2, 6)]), false), (0, 11));
        assert_eq!(
            sums(&day_of(&[(Tier::Hd, 8)], &[(1, 5), (2, 6)]), false),
            (8, 3)
        );
        assert_eq!(sums(&day_of(&[(Tier::Hd, 20)], &[(1, 5)]), false), (20, 0));
    }
}
