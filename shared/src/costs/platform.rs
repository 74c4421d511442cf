//! What the portal itself used of AWS, as the meter counted it: told for each finished day, to the operators'
//! organisation. Cost Explorer is not asked.

use time::Duration;

use super::{
    model::{Unit, midnight},
    place::Place,
    rows::{Amounts, How, Source, What, tell},
};
use crate::{
    app::Parts,
    meter::{self, Counter},
    store::StoreError,
};

/// What is charged for of what is counted: which unit, and how many millionths of it so many of the counter
/// are. A gigabyte has 1,024 megabytes (aws.amazon.com/lambda/pricing), a second 1,000 milliseconds.
const CHARGED: [(Counter, Unit, u64, u64); 5] = [
    (
        Counter::FunctionRequests,
        Unit::FunctionRequests,
        1_000_000,
        1,
    ),
    (
        Counter::FunctionMegabyteMillis,
        Unit::FunctionGbSeconds,
        1_000,
        1_024,
    ),
    (Counter::TableReadHalves, Unit::TableReads, 500_000, 1),
    (Counter::TableWriteHalves, Unit::TableWrites, 500_000, 1),
    (Counter::QueueRequests, Unit::QueueRequests, 1_000_000, 1),
];

/// Tells the days that are over and may have changed since they were last told. What was told before is set
/// again, not added to.
pub(super) async fn told(app: &Parts, place: &Place) -> Result<(), StoreError> {
    let days = place.counted(app.clock.now());
    let (Some(first), Some(last)) = (days.first(), days.last()) else {
        return Ok(());
    };
    let end = midnight(*last) + Duration::DAY;
    let hours = meter::hours(app, midnight(*first), end).await?;
    for day in days {
        let of_day = midnight(day)..midnight(day) + Duration::DAY;
        let amounts = amounts(|counter| {
            let hours = hours.0.get(&counter).into_iter();
            let hours = hours.flat_map(|it| it.range(of_day.clone()));
            hours.fold(0, |sum, (_, by)| sum.saturating_add(*by))
        });
        let whose = (app.config.operators(), day, Source::Platform);
        tell(app, whose, &amounts, How::All).await?;
    }
    Ok(())
}

/// What is charged for, in what [`Unit::one`] counts.
fn amounts(counted: impl Fn(Counter) -> u64) -> Amounts {
    let all = CHARGED.map(|(counter, unit, millionths, of)| {
        let amount = u128::from(counted(counter)) * u128::from(millionths) / u128::from(of);
        (What::of(unit), u64::try_from(amount).unwrap_or(u64::MAX))
    });
    all.into_iter().filter(|(_, it)| *it > 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_what_is_charged_for() {
        let told = amounts(|counter| match counter.name() {
            "function.requests" => 3,
            // Half a gigabyte for a second and a half.
            "function.mb-ms" => 512 * 1_500,
            "table.read-halves" => 5,
            "table.write-halves" => 7,
            _ => 0,
        });
        let spelled: Vec<String> = told
            .iter()
            .map(|(what, amount)| format!("{} {}", what.unit.name(), what.unit.spell(*amount)))
            .collect();
        assert_eq!(
            spelled,
            [
                "function-requests 3.000",
                "function-gb-seconds 0.750",
                "table-writes 3.500",
                "table-reads 2.500"
            ]
        );
        assert_eq!(amounts(|_| u64::MAX).len(), 5, "and nothing overflows");
    }
}
