//! Money: US dollars in whole millionths, so that sums are exact in whatever order they are made.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Millionths in a dollar.
const MICROS: i64 = 1_000_000;

/// Digits after the point.
const DIGITS: usize = 6;

/// Millionths in a cent.
const CENT: i64 = MICROS / 100;

/// US dollars in millionths. What is credited is negative.
///
/// It is rounded in one place only: where a quantity is priced ([`Money::times`]), half to even, so that
/// many small lines are wrong by nothing on average, and each by half a millionth at the most.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(try_from = "String", into = "String")]
pub struct Money(i64);

/// The text is no amount of dollars, or one with more than six digits after the point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an amount of dollars such as 12.50")]
pub struct NotMoney;

/// More than nine trillion dollars: something is wrong with a quantity or a price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an amount of money is out of range")]
pub struct TooMuch;

impl Money {
    pub const ZERO: Self = Self(0);

    pub const fn of_micros(micros: i64) -> Self {
        Self(micros)
    }

    pub const fn micros(self) -> i64 {
        self.0
    }

    pub fn plus(self, other: Self) -> Result<Self, TooMuch> {
        self.0.checked_add(other.0).map(Self).ok_or(TooMuch)
    }

    pub fn minus(self, other: Self) -> Result<Self, TooMuch> {
        self.0.checked_sub(other.0).map(Self).ok_or(TooMuch)
    }

    /// So many times a part of it: `part / of`. The one place that rounds: half to even.
    pub fn times(self, part: u64, of: u64) -> Result<Self, TooMuch> {
        let of = i128::from(of);
        if of == 0 {
            return Err(TooMuch);
        }
        let whole = i128::from(self.0)
            .checked_mul(i128::from(part))
            .ok_or(TooMuch)?;
        let (quotient, rest) = (whole.div_euclid(of), whole.rem_euclid(of));
        let up = match (rest * 2).cmp(&of) {
            std::cmp::Ordering::Less => 0,
            std::cmp::Ordering::Equal => quotient.rem_euclid(2),
            std::cmp::Ordering::Greater => 1,
        };
        i64::try_from(quotient + up).map(Self).map_err(|_| TooMuch)
    }

    pub fn sum(all: impl IntoIterator<Item = Self>) -> Result<Self, TooMuch> {
        all.into_iter().try_fold(Self::ZERO, Self::plus)
    }

    /// How much of a budget it is, in ten-thousandths, rounded down: nothing is reached before it is.
    pub fn ten_thousandths_of(self, budget: Self) -> u64 {
        if budget.0 <= 0 || self.0 <= 0 {
            return 0;
        }
        let share = i128::from(self.0) * 10_000 / i128::from(budget.0);
        u64::try_from(share).unwrap_or(u64::MAX)
    }

    /// To the cent, for people: `-1.25`. Half to even.
    pub fn to_cents(self) -> String {
        let (cents, rest) = (self.0.div_euclid(CENT), self.0.rem_euclid(CENT));
        let up = match (rest * 2).cmp(&CENT) {
            std::cmp::Ordering::Less => 0,
            std::cmp::Ordering::Equal => cents.rem_euclid(2),
            std::cmp::Ordering::Greater => 1,
        };
        let cents = cents + up;
        let sign = if cents < 0 { "-" } else { "" };
        let cents = cents.unsigned_abs();
        format!("{sign}{}.{:02}", cents / 100, cents % 100)
    }
}

/// To the millionth, as it is stored and as tables have it: `0.000800`.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let (micros, of) = (self.0.unsigned_abs(), MICROS.unsigned_abs());
        write!(f, "{sign}{}.{:06}", micros / of, micros % of)
    }
}

impl FromStr for Money {
    type Err = NotMoney;

    fn from_str(text: &str) -> Result<Self, NotMoney> {
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
        let digits = |it: &str| it.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || rest.len() > DIGITS || !digits(whole) || !digits(rest) {
            return Err(NotMoney);
        }
        let whole: i64 = whole.parse().map_err(|_| NotMoney)?;
        let rest: i64 = format!("{rest:0<DIGITS$}").parse().map_err(|_| NotMoney)?;
        let micros = whole
            .checked_mul(MICROS)
            .and_then(|it| it.checked_add(rest));
        let micros = micros.ok_or(NotMoney)?;
        Ok(Self(if negative { -micros } else { micros }))
    }
}

impl TryFrom<String> for Money {
    type Error = NotMoney;

    fn try_from(text: String) -> Result<Self, NotMoney> {
        text.parse()
    }
}

impl From<Money> for String {
    fn from(money: Money) -> Self {
        money.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    use super::*;

    #[test]
    fn money_has_one_spelling_of_six_digits() {
        for (text, spelled, cents) in [
            ("12.5", "12.500000", "12.50"),
            ("0.0008", "0.000800", "0.00"),
            ("-1.255", "-1.255000", "-1.26"),
            ("0.005", "0.005000", "0.00"),
            ("0.015", "0.015000", "0.02"),
            ("-0.001", "-0.001000", "0.00"),
            ("7", "7.000000", "7.00"),
        ] {
            let money: Money = text.parse().unwrap();
            assert_eq!(money.to_string(), spelled);
            assert_eq!(money.to_cents(), cents, "{text}");
        }
        for text in [
            "",
            ".",
            "-",
            "1.0000001",
            "1e3",
            "+1",
            "1,5",
            "99999999999999",
        ] {
            assert_eq!(text.parse::<Money>(), Err(NotMoney), "{text}");
        }
    }

    #[test]
    fn a_half_goes_to_the_even_one() {
        let price = Money::of_micros(1);
        let rounded = |part| price.times(part, 2).unwrap().micros();
        assert_eq!([1, 3, 5, 7].map(rounded), [0, 2, 2, 4]);
        assert_eq!(Money::of_micros(-1).times(3, 2).unwrap().micros(), -2);
        assert_eq!(price.times(1, 0), Err(TooMuch));
    }

    #[test]
    fn what_is_out_of_range_is_an_error_and_not_another_amount() {
        let most = Money::of_micros(i64::MAX);
        assert_eq!(most.plus(Money::of_micros(1)), Err(TooMuch));
        assert_eq!(most.times(2, 1), Err(TooMuch));
        assert_eq!(Money::of_micros(i64::MIN).minus(most), Err(TooMuch));
    }

    #[test]
    fn nothing_of_a_budget_is_reached_before_it_is() {
        let budget = "100".parse().unwrap();
        let used = |text: &str| text.parse::<Money>().unwrap().ten_thousandths_of(budget);
        assert_eq!(used("49.999999"), 4_999);
        assert_eq!(used("50"), 5_000);
        assert_eq!(used("-3"), 0);
        assert_eq!(budget.ten_thousandths_of(Money::ZERO), 0);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(micros in -(i64::MAX / 2)..i64::MAX / 2) {
            let money = Money::of_micros(micros);
            prop_assert_eq!(money.to_string().parse::<Money>(), Ok(money));
        }

        #[test]
        fn a_price_is_off_by_half_a_millionth_at_the_most(
            micros in 0..1_000_000_000_i64, part in any::<u32>(), of in 1..=u32::MAX,
        ) {
            let cost = Money::of_micros(micros).times(part.into(), of.into()).unwrap();
            let exact = i128::from(micros) * i128::from(part);
            let off = (i128::from(cost.micros()) * i128::from(of) - exact).abs();
            prop_assert!(off * 2 <= i128::from(of));
        }
    }
}
