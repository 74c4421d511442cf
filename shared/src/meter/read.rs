//! What was counted, for whoever asks: from one time on and before another. What is folded is at most
//! two minutes behind what happens, as long as requests come.

use time::{Duration, OffsetDateTime};

use super::model::{Row, Series, day, hour};
use crate::{
    app::Parts,
    store::{StoreError, keys},
};

/// By the minute; of the last forty days.
pub async fn minutes(
    app: &Parts,
    from: OffsetDateTime,
    to: OffsetDateTime,
) -> Result<Series, StoreError> {
    let places = (hour(from)..=hour(to)).map(|it| (keys::counted_hour(it), it * 60 * 60));
    read(app, places, Duration::MINUTE, (from, to)).await
}

/// By the hour; of the last four hundred days.
pub async fn hours(
    app: &Parts,
    from: OffsetDateTime,
    to: OffsetDateTime,
) -> Result<Series, StoreError> {
    let places = (day(from)..=day(to)).map(|it| (keys::counted_day(it), it * 24 * 60 * 60));
    read(app, places, Duration::HOUR, (from, to)).await
}

async fn read(
    app: &Parts,
    places: impl Iterator<Item = (keys::Key, i64)>,
    step: Duration,
    range: (OffsetDateTime, OffsetDateTime),
) -> Result<Series, StoreError> {
    let (starts, wanted): (Vec<i64>, Vec<keys::Key>) =
        places.map(|(key, start)| (start, key)).unzip();
    let rows: Vec<Option<Row>> = app.store.get_many(&wanted).await?;
    let mut series = Series::default();
    for (start, row) in starts.into_iter().zip(rows) {
        let start = OffsetDateTime::from_unix_timestamp(start);
        let (Ok(start), Some(row)) = (start, row) else {
            continue;
        };
        series.take(&row, (start, step), range);
    }
    Ok(series)
}
