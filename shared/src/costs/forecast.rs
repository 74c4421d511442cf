//! What a month will have cost at its end, and how sure that is.
//!
//! The method is the plainest that can be defended: a day to come costs what the last four weeks cost on
//! average (four whole weeks, so that every weekday counts alike), and the band is the 95 % prediction
//! interval of a sum of independent days with the variance of those:
//!
//! `k·m ± t(n−1)·s·√(k·(1 + k/n))`
//!
//! with `k` days to come, `n` days looked at, their mean `m` and sample deviation `s`
//! (NIST/SEMATECH e-Handbook, 7.2.6 and 4.1.4). What it does not know: trends, and days that depend on
//! each other. In whole numbers throughout, so that everybody computes the same.

use serde::{Deserialize, Serialize};
use time::Date;

use super::{
    model::Month,
    money::{Money, TooMuch},
};

/// How many days are looked back at: four weeks.
pub(super) const DAYS: usize = 28;

/// The 97.5 % quantile of Student's t in thousandths, for 1 to 30 degrees of freedom (NIST/SEMATECH
/// e-Handbook, 1.3.6.7.2); beyond is not needed, [`DAYS`] has 27.
const STUDENT: [u128; 30] = [
    12_706, 4_303, 3_182, 2_776, 2_571, 2_447, 2_365, 2_306, 2_262, 2_228, 2_201, 2_179, 2_160,
    2_145, 2_131, 2_120, 2_110, 2_101, 2_093, 2_086, 2_080, 2_074, 2_069, 2_064, 2_060, 2_056,
    2_052, 2_048, 2_045, 2_042,
];

/// What is expected of a month.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Forecast {
    pub expected: Money,
    /// In nineteen of twenty months like this one it ends between these.
    pub low: Money,
    pub high: Money,
    /// How many days it was made from.
    pub days: usize,
    /// The same for the end of each day to come; the last one is the month's.
    pub curve: Vec<Ahead>,
}

/// What is expected to be spent by the end of a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ahead {
    #[serde(with = "super::model::iso")]
    pub day: Date,
    pub expected: Money,
    pub low: Money,
    pub high: Money,
}

/// The forecast of a month of which `spent` is spent until now. `known` are the costs of days that are
/// complete, in order, the newest last. Without two of them nothing can be said of a variance, and
/// nothing is expected of a month that is over.
pub fn forecast(
    month: Month,
    known: &[(Date, Money)],
    spent: Money,
) -> Result<Option<Forecast>, TooMuch> {
    let recent = &known[known.len().saturating_sub(DAYS)..];
    let Some((last, _)) = recent.last().filter(|_| recent.len() >= 2) else {
        return Ok(None);
    };
    if *last >= month.last() {
        return Ok(None);
    }
    let within = known.iter().filter(|(day, _)| month.has(*day));
    let settled = Money::sum(within.map(|(_, cost)| *cost))?;
    let sample = Sample::of(recent)?;
    let ahead = month.days().filter(|day| day > last);
    let curve = (1_u64..).zip(ahead).map(|(count, day)| {
        let (mean, band) = (sample.mean(count)?, sample.band(count)?);
        // What is spent already is not taken back.
        let expected = settled.plus(mean)?.max(spent);
        Ok(Ahead {
            day,
            expected,
            low: expected.minus(band)?.max(spent),
            high: expected.plus(band)?,
        })
    });
    let curve = curve.collect::<Result<Vec<Ahead>, TooMuch>>()?;
    Ok(curve.last().cloned().map(|end| Forecast {
        expected: end.expected,
        low: end.low,
        high: end.high,
        days: recent.len(),
        curve,
    }))
}

/// Days that were looked at.
struct Sample {
    count: u64,
    sum: Money,
    /// `n·Σx² − (Σx)²`, which is `n·(n−1)` times the sample variance.
    spread: u128,
}

impl Sample {
    fn of(days: &[(Date, Money)]) -> Result<Self, TooMuch> {
        let sum = Money::sum(days.iter().map(|(_, cost)| *cost))?;
        let squares = days
            .iter()
            .map(|(_, cost)| i128::from(cost.micros()).pow(2));
        let squares = squares.fold(0_i128, i128::saturating_add);
        let count = u64::try_from(days.len()).map_err(|_| TooMuch)?;
        let square = i128::from(sum.micros()).pow(2);
        let spread = squares
            .checked_mul(i128::from(count))
            .and_then(|it| it.checked_sub(square))
            .ok_or(TooMuch)?;
        Ok(Self {
            count,
            sum,
            spread: u128::try_from(spread).unwrap_or_default(),
        })
    }

    /// What so many days cost on average.
    fn mean(&self, days: u64) -> Result<Money, TooMuch> {
        self.sum.times(days, self.count)
    }

    /// How far off that may be, rounded up.
    fn band(&self, days: u64) -> Result<Money, TooMuch> {
        let (n, k) = (u128::from(self.count), u128::from(days));
        let freedom = usize::try_from(self.count - 1).unwrap_or(usize::MAX);
        let student = STUDENT[freedom.clamp(1, STUDENT.len()) - 1];
        // s²·k·(1 + k/n) = spread·k·(n + k) / (n²·(n − 1))
        let square = self.spread.checked_mul(k * (n + k)).ok_or(TooMuch)?;
        let root = (square / (n * n * (n - 1))).isqrt() + 1;
        let band = if self.spread == 0 {
            0
        } else {
            root * student / 1_000
        };
        i64::try_from(band)
            .map(Money::of_micros)
            .map_err(|_| TooMuch)
    }
}

#[cfg(test)]
mod tests {
    use time::{Duration, macros::date};

    use super::*;

    fn days(first: Date, dollars: &[i64]) -> Vec<(Date, Money)> {
        let days = (0_i64..).map(|number| first + Duration::days(number));
        days.zip(dollars.iter().map(|it| Money::of_micros(it * 1_000_000)))
            .collect()
    }

    fn january() -> Month {
        Month::of(date!(2026 - 01 - 01))
    }

    #[test]
    fn days_that_cost_the_same_go_on_so_and_leave_no_doubt() {
        let known = days(date!(2026 - 01 - 01), &[2; 10]);
        let spent = Money::of_micros(21_000_000); // one of them of today
        let seen = forecast(january(), &known, spent).unwrap().unwrap();
        assert_eq!(seen.expected.to_cents(), "62.00");
        assert_eq!((seen.low, seen.high), (seen.expected, seen.expected));
        assert_eq!(seen.curve.len(), 21);
        assert_eq!(seen.curve[0].expected.to_cents(), "22.00");
    }

    /// By hand: n 4, mean 2.5, s² 5/3, k 27: 67.5 ± 3.182·√(5/3·27·(1 + 27/4)) = ± 59.42.
    #[test]
    fn the_band_is_the_prediction_interval() {
        let known = days(date!(2026 - 01 - 01), &[1, 2, 3, 4]);
        let spent = Money::of_micros(10_000_000);
        let seen = forecast(january(), &known, spent).unwrap().unwrap();
        assert_eq!(seen.expected.to_cents(), "77.50");
        assert_eq!(seen.high.to_cents(), "136.92");
        assert_eq!(seen.low.to_cents(), "18.08");
    }

    #[test]
    fn a_new_month_is_expected_to_go_on_like_the_last_one() {
        let known = days(date!(2025 - 12 - 01), &[3; 33]);
        let seen = forecast(january(), &known, Money::of_micros(6_000_000));
        let seen = seen.unwrap().unwrap();
        assert_eq!(seen.expected.to_cents(), "93.00");
        assert_eq!(seen.days, DAYS);
    }

    #[test]
    fn what_is_spent_is_the_least_there_will_be() {
        let known = days(date!(2026 - 01 - 01), &[0, 10]);
        let seen = forecast(january(), &known, Money::of_micros(500_000_000));
        let seen = seen.unwrap().unwrap();
        assert_eq!(seen.low.to_cents(), "500.00");
    }

    #[test]
    fn of_one_day_and_of_a_month_that_is_over_nothing_is_said() {
        let one = days(date!(2026 - 01 - 01), &[1]);
        assert_eq!(forecast(january(), &one, Money::ZERO), Ok(None));
        let all = days(date!(2026 - 01 - 01), &[1; 31]);
        assert_eq!(forecast(january(), &all, Money::ZERO), Ok(None));
    }
}
