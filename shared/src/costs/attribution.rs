//! To whom what Mux delivered is laid. Mux knows assets; who watched by which link only our own players
//! tell. The sum is always Mux's, to the microsecond.

use crate::ids::ShareId;

/// A part of what was delivered. Without a link, nobody knows who watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    pub share: Option<ShareId>,
    pub amount: u64,
}

/// Divides what Mux delivered of one tier among the links. `all` is what Mux delivered of the asset at
/// every tier, so that all tiers are divided alike.
///
/// Where players told of less than Mux delivered, each link has what its players told, and the rest is
/// nobody's. Where they told of more (a player counts what it shows, Mux what it sends, and a cache in
/// between sends twice), each has its share of what Mux says.
pub fn divide(amount: u64, all: u64, seen: &[(ShareId, u64)]) -> Vec<Part> {
    let told = seen.iter().map(|(_, amount)| u128::from(*amount)).sum();
    let unknown = u128::from(all).saturating_sub(told);
    let weights: Vec<u128> = seen
        .iter()
        .map(|(_, amount)| u128::from(*amount))
        .chain([unknown])
        .collect();
    let owners = seen.iter().map(|(share, _)| Some(*share)).chain([None]);
    let parts = owners.zip(apportion(amount, &weights));
    let parts = parts.map(|(share, amount)| Part { share, amount });
    parts.filter(|it| it.amount > 0).collect()
}

/// Divides a whole in proportion to weights, by the largest remainder: the parts add up to it exactly.
/// Without any weight the last one has it all.
pub(super) fn apportion(whole: u64, weights: &[u128]) -> Vec<u64> {
    let sum: u128 = weights.iter().sum();
    let mut parts = vec![0; weights.len()];
    if sum == 0 {
        if let Some(last) = parts.last_mut() {
            *last = whole;
        }
        return parts;
    }
    let (mut left, mut remainders) = (whole, Vec::with_capacity(weights.len()));
    for (place, weight) in weights.iter().enumerate() {
        let share = u128::from(whole) * weight;
        parts[place] = u64::try_from(share / sum).unwrap_or(u64::MAX);
        left -= parts[place];
        remainders.push((share % sum, place));
    }
    remainders.sort_by(|one, other| other.0.cmp(&one.0).then(one.1.cmp(&other.1)));
    for (_, place) in remainders {
        if left == 0 {
            break;
        }
        parts[place] += 1;
        left -= 1;
    }
    parts
}

#[cfg(test)]
mod tests {
    use proptest::{
        collection::vec,
        prelude::{prop_assert, prop_assert_eq, proptest},
    };
    use ulid::Ulid;

    use super::*;

    fn link(number: u8) -> ShareId {
        Ulid::from_bytes([number; 16]).into()
    }

    #[test]
    fn links_have_what_their_players_told_and_the_rest_is_nobodys() {
        let parts = divide(100, 100, &[(link(1), 30), (link(2), 20)]);
        let part = |share, amount| Part { share, amount };
        assert_eq!(
            parts,
            [
                part(Some(link(1)), 30),
                part(Some(link(2)), 20),
                part(None, 50)
            ]
        );
        assert_eq!(divide(100, 100, &[]), [part(None, 100)]);
    }

    #[test]
    fn players_that_told_of_more_share_what_mux_says() {
        let parts = divide(99, 99, &[(link(1), 200), (link(2), 100)]);
        let amounts: Vec<u64> = parts.iter().map(|it| it.amount).collect();
        assert_eq!(amounts, [66, 33]);
    }

    proptest! {
        #[test]
        fn the_parts_are_the_whole_and_nobody_is_off_by_more_than_one(
            whole in 0..10_000_000_000_u64,
            told in vec(0..5_000_000_000_u64, 0..20),
            more in 0..1_000_000_u64,
        ) {
            let all = whole + more;
            let seen: Vec<_> = (0_u8..).map(link).zip(told.iter().copied()).collect();
            let parts = divide(whole, all, &seen);
            prop_assert_eq!(parts.iter().map(|it| it.amount).sum::<u64>(), whole);
            let sum: u128 = told.iter().map(|it| u128::from(*it)).sum();
            for (share, told) in &seen {
                let has = parts.iter().find(|it| it.share == Some(*share)).map_or(0, |it| it.amount);
                let fair = u128::from(whole) * u128::from(*told) / sum.max(u128::from(all)).max(1);
                prop_assert!(u128::from(has).abs_diff(fair) <= 1);
            }
        }
    }
}
