//! The exact window: a subject has as many slots as a rule allows, and each remembers when it was last
//! taken. A slot is taken again only a whole window later, so whatever clocks and writers do, no window
//! holds more than there are slots. Pure: the table only keeps the marks.

use std::collections::{BTreeSet, HashMap};

use time::OffsetDateTime;

use super::model::Limit;

/// In the order of ASCII, so that marks compare as their times do.
const DIGITS: &[u8; 64] = b"-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";

/// Milliseconds since 1970 in 42 bits: until 2109.
const TIME: usize = 7;

/// 18 bits of a tag: two networks look like one once in 262,144 times.
const TAG: usize = 3;

/// Where it stands that something was noted in this window.
pub(super) const NOTED: &str = "noted";

/// The name of a slot: one letter for the first 62, because names are paid for like values.
pub(super) fn place(slot: u16) -> String {
    const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let letter = |it: u16| char::from(LETTERS[usize::from(it % 62)]);
    match slot.checked_sub(62) {
        None => letter(slot).to_string(),
        // Begins with a digit, as the name of no other attribute does.
        Some(more) => [letter(more / 62 % 10), letter(more)].into_iter().collect(),
    }
}

/// What a taken slot holds: when, and a tag if there is one.
pub(super) fn mark(now: OffsetDateTime, tag: Option<&str>) -> String {
    let mut mark = encode(millis(now), TIME);
    if let Some(tag) = tag.and_then(|it| u64::from_str_radix(it.get(..8)?, 16).ok()) {
        mark.push_str(&encode(tag, TAG));
    }
    mark
}

/// Not below any mark of a slot that is free again.
pub(super) fn stale(now: OffsetDateTime, limit: Limit) -> String {
    let mut stale = encode(millis(now - limit.window()), TIME);
    stale.push('~'); // above every digit: a tag makes no difference
    stale
}

fn encode(number: u64, digits: usize) -> String {
    let digit = |place: usize| {
        let six = usize::try_from(number >> (6 * place) & 63);
        char::from(DIGITS[six.unwrap_or_default()])
    };
    (0..digits).rev().map(digit).collect()
}

fn decode(mark: &str) -> Option<u64> {
    let digits = mark.as_bytes().get(..TIME)?.iter();
    digits
        .map(|digit| DIGITS.binary_search(digit).ok())
        .try_fold(0, |time, digit| {
            Some(time << 6 | u64::try_from(digit?).ok()?)
        })
}

fn millis(at: OffsetDateTime) -> u64 {
    u64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap_or_default()
}

/// How a subject stands at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct View {
    pub free: Vec<u16>,
    /// Milliseconds until the slot that was taken first is free again; nothing, if all are.
    pub wait: Option<u64>,
    /// Different tags among the taken slots.
    pub tags: u32,
    /// Something was noted within this window.
    pub noted: bool,
}

impl View {
    pub(super) fn of(marks: &HashMap<String, String>, limit: Limit, now: OffsetDateTime) -> Self {
        let stale = stale(now, limit);
        let held = |name: &str| marks.get(name).filter(|it| **it > stale);
        let (mut free, mut oldest, mut tags) = (Vec::new(), None, BTreeSet::new());
        for slot in 0..limit.most {
            let Some(mark) = held(&place(slot)) else {
                free.push(slot);
                continue;
            };
            oldest = oldest.into_iter().chain(decode(mark)).min();
            tags.extend(mark.get(TIME..).filter(|tag| !tag.is_empty()));
        }
        let window = u64::from(limit.seconds) * 1000;
        Self {
            free,
            wait: oldest.map(|it| (it + window).saturating_sub(millis(now))),
            tags: u32::try_from(tags.len()).unwrap_or(u32::MAX),
            noted: held(NOTED).is_some(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::{Duration, macros::datetime};

    use super::*;
    use crate::limits::model::Mode;

    const START: OffsetDateTime = datetime!(2026-01-05 09:00 UTC);

    fn limit(most: u16, seconds: u32) -> Limit {
        Limit {
            mode: Mode::Enforce,
            most,
            seconds,
        }
    }

    #[test]
    fn marks_compare_as_their_times_and_tags_change_nothing() {
        let times =
            [0, 1, 63, 64, 4095, 4096, 999_999].map(|it| START + Duration::milliseconds(it));
        for pair in times.windows(2) {
            let tagged = mark(pair[0], Some("ffffffff"));
            assert!(tagged < mark(pair[1], None), "{tagged}");
            assert!(mark(pair[0], None) < tagged);
        }
        assert_eq!(decode(&mark(START, None)), Some(millis(START)));
        assert_eq!(mark(START, Some("00000001")).len(), TIME + TAG);
    }

    #[test]
    fn a_slot_is_free_again_exactly_one_window_later() {
        let limit = limit(1, 60);
        let marks = HashMap::from([(place(0), mark(START, Some("12345678")))]);
        let at = |millis| View::of(&marks, limit, START + Duration::milliseconds(millis));
        assert_eq!((at(59_999).free.len(), at(59_999).wait), (0, Some(1)));
        assert_eq!((at(60_000).free.len(), at(60_000).wait), (1, None));
    }

    #[test]
    fn no_two_slots_share_a_name_and_none_is_an_attribute_of_the_key() {
        let names: BTreeSet<String> = (0..500).map(place).collect();
        assert_eq!(names.len(), 500);
        for other in ["pk", "sk", "expires", NOTED] {
            assert!(!names.contains(other));
        }
    }

    /// Somebody who asks: what was seen last, and what is tried next.
    #[derive(Debug, Clone)]
    struct Asking {
        now: OffsetDateTime,
        slot: u16,
        tries: u32,
    }

    proptest! {
        /// Many ask at once, their writes come in any order, and each sees only what its own last
        /// write told it. The table is as dull as the real one: it compares two texts.
        #[test]
        fn no_window_holds_more_than_the_limit_and_nobody_is_refused_below_it(
            most in 1_u16..8,
            seconds in 1_u32..5,
            steps in prop::collection::vec((0_usize..6, 0_i64..900, any::<u16>()), 1..400),
        ) {
            let limit = limit(most, seconds);
            let (mut now, mut marks) = (START, HashMap::new());
            let mut passed: Vec<OffsetDateTime> = Vec::new();
            let mut asking: [Option<Asking>; 6] = Default::default();
            for (who, later, random) in steps {
                now += Duration::milliseconds(later);
                // No two clocks agree.
                let skewed = now + Duration::milliseconds(i64::from(random % 300));
                let fresh = || Asking { now: skewed, slot: random % most, tries: 0 };
                let mut one = asking[who].take().unwrap_or_else(fresh);
                let (name, stale) = (place(one.slot), stale(one.now, limit));
                let free = marks.get(&name).is_none_or(|it: &String| *it <= stale);
                if free {
                    marks.insert(name, mark(one.now, None));
                    passed.push(one.now);
                    continue;
                }
                let view = View::of(&marks, limit, one.now);
                if view.free.is_empty() {
                    let held = passed.iter().filter(|it| **it > one.now - limit.window());
                    prop_assert!(held.count() >= most.into(), "refused with room");
                    continue;
                }
                one.slot = view.free[usize::from(random) % view.free.len()];
                one.tries += 1;
                prop_assert!(one.tries <= most.into(), "more tries than slots");
                asking[who] = Some(one);
            }
            for start in &passed {
                let end = *start + limit.window();
                let within = passed.iter().filter(|it| (*start..end).contains(*it));
                prop_assert!(within.count() <= most.into());
            }
        }
    }
}
