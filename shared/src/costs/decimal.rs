//! Amounts as AWS spells them: decimals in text with as many digits as there are. Read exactly, without a
//! float, and rounded once.

use super::money::{Money, NotMoney};

/// The longest text that is read. What AWS sends has a few dozen characters.
const LONGEST: usize = 100;

/// The largest exponent that is read, either way.
const EXPONENT: i32 = 60;

/// Reads `0.0123456789`, `-1.5` or `1E-7` as dollars, rounded half to even to the millionth.
pub(super) fn dollars(text: &str) -> Result<Money, NotMoney> {
    let (negative, amount) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mantissa, exponent) = match amount.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse().map_err(|_| NotMoney)?),
        None => (amount, 0_i32),
    };
    let (whole, rest) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = [whole, rest].concat();
    let good = !digits.is_empty() && digits.bytes().all(|it| it.is_ascii_digit());
    if !good || text.len() > LONGEST || exponent.abs() > EXPONENT {
        return Err(NotMoney);
    }
    let after = i32::try_from(rest.len()).map_err(|_| NotMoney)?;
    let micros = rounded(digits.trim_start_matches('0'), 6 + exponent - after)?;
    Ok(Money::of_micros(if negative { -micros } else { micros }))
}

/// A whole number, its point moved so many places to the right, rounded half to even.
fn rounded(digits: &str, places: i32) -> Result<i64, NotMoney> {
    let moved = usize::try_from(places.unsigned_abs()).map_err(|_| NotMoney)?;
    if places >= 0 || digits.is_empty() {
        let zeros = if digits.is_empty() { 0 } else { moved };
        return number(&format!("{digits}{}", "0".repeat(zeros)));
    }
    if moved > digits.len() {
        return Ok(0); // less than a tenth
    }
    let (kept, cut) = digits.split_at(digits.len() - moved);
    let kept = number(kept)?;
    let half = cut.starts_with('5') && cut[1..].bytes().all(|it| it == b'0');
    let up = if half {
        kept % 2
    } else {
        i64::from(cut >= "5")
    };
    kept.checked_add(up).ok_or(NotMoney)
}

fn number(digits: &str) -> Result<i64, NotMoney> {
    if digits.is_empty() {
        return Ok(0);
    }
    digits.parse().map_err(|_| NotMoney)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert_eq, proptest};

    use super::*;

    #[test]
    fn a_decimal_of_aws_is_read_to_the_millionth_half_to_even() {
        for (text, micros) in [
            ("0", 0),
            ("0.0000000000", 0),
            ("1.5", 1_500_000),
            ("0.0123456789", 12_346),
            ("-0.75", -750_000),
            ("-0.0000005", 0),
            ("0.0000015", 2),
            ("0.0000025", 2),
            ("0.00000250000000000000000000000000000001", 3),
            ("1E-7", 0),
            ("5.1E-7", 1),
            ("1.2e3", 1_200_000_000),
            ("12E+2", 1_200_000_000),
            (".5", 500_000),
            ("7.", 7_000_000),
            ("000123.4", 123_400_000),
            ("9223372036854.775807", i64::MAX),
        ] {
            assert_eq!(dollars(text).map(Money::micros), Ok(micros), "{text}");
        }
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for text in [
            "",
            "-",
            ".",
            "E5",
            "NaN",
            "Infinity",
            "-inf",
            "1,5",
            "1.5 ",
            "--1",
            "+1",
            "1.2.3",
            "0x10",
            "1E99999999999",
            "1E61",
            "9223372036854.7758075",
            "1e13",
            "١",
        ] {
            assert_eq!(dollars(text), Err(NotMoney), "{text}");
        }
        assert_eq!(dollars(&"1".repeat(LONGEST + 1)), Err(NotMoney));
    }

    proptest! {
        #[test]
        fn what_money_writes_is_read_back_however_it_is_spelled(
            micros in any::<i32>(), zeros in 0..20_usize, places in 0..12_u8,
        ) {
            let money = Money::of_micros(micros.into());
            let padded = format!("{money}{}", "0".repeat(zeros));
            prop_assert_eq!(dollars(&padded), Ok(money));
            let moved = format!("{micros}{}E-{}", "0".repeat(places.into()), 6 + places);
            prop_assert_eq!(dollars(&moved), Ok(money));
        }

        #[test]
        fn it_is_off_by_half_a_millionth_at_the_most(nanos in 0..1_000_000_000_000_i64) {
            let text = format!("{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000);
            let off = dollars(&text).unwrap().micros() * 1_000 - nanos;
            prop_assert_eq!(off.abs() <= 500, true, "{}", text);
        }
    }
}
