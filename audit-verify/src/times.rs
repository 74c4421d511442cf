//! Times as the portal writes them: `2026-01-05T09:00:00.5Z`. Only to compare two of them.

const DAY: i64 = 86_400;

/// Clocks of two machines differ by less.
const SKEW: i64 = 60;

/// How long the portal keeps entries before it archives them.
const ARCHIVED_AFTER: i64 = 365 * DAY;

/// Whether one is before the other, by more than clocks differ.
pub(crate) fn is_before(one: &str, other: &str) -> bool {
    let both = seconds(one).zip(seconds(other));
    both.is_some_and(|(one, other)| one + SKEW < other)
}

/// Whether what was sealed at one time was archived by the other.
pub(crate) fn is_archived(sealed: &str, at: &str) -> bool {
    let both = seconds(sealed).zip(seconds(at));
    both.is_some_and(|(sealed, at)| sealed + ARCHIVED_AFTER <= at)
}

/// Seconds since the beginning of 1970, without their fraction.
fn seconds(text: &str) -> Option<i64> {
    let text = text.strip_suffix('Z')?;
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    let time = number(11, 13)? * 3_600 + number(14, 16)? * 60 + number(17, 19)?;
    Some(days(number(0, 4)?, number(5, 7)?, number(8, 10)?) * DAY + time)
}

/// Days of the Gregorian calendar since the beginning of 1970, by counting years from March.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month > 2 { year } else { year - 1 };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    365 * year + year / 4 - year / 100 + year / 400 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_those_of_the_calendar() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2000-02-29T12:00:01.5Z", Some(951_825_601)),
            ("2026-01-05T09:00:00Z", Some(1_767_603_600)),
            ("2026-01-05T09:00:00", None),
            ("yesterday", None),
        ] {
            assert_eq!(seconds(text), expected, "{text}");
        }
    }

    #[test]
    fn clocks_differ_a_little_and_the_year_is_whole() {
        let at = "2026-01-05T09:00:00Z";
        assert!(!is_before("2026-01-05T08:59:01Z", at));
        assert!(is_before("2026-01-05T08:58:59Z", at));
        assert!(!is_archived("2025-01-05T09:00:01Z", at));
        assert!(is_archived("2025-01-05T09:00:00Z", at));
    }
}
