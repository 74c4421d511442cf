//! Who was refused, or would have been: counted by the hour and sampled, for those who set the numbers.
//!
//! Of one rule a process writes every refusal down up to the 32nd of an hour, then one in two, from the
//! 65th on one in four, and so on: about sixteen writes for each doubling. One in n counts as n, so the
//! numbers are right on average, whatever the number of processes, and one process alone is off by a
//! sixth at the most in two hours of three.
//!
//! An hour has twenty places for subjects. Whoever is first at a place has it; the others who belong
//! there are in the sum only.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration as StdDuration,
};

use serde_json::Value;
use time::{Duration, OffsetDateTime};

use super::{
    model::{Mode, Rule},
    service::Asked,
};
use crate::{
    app::Parts,
    metrics::{self, Metric},
    store::{StoreError, keys},
    telemetry,
};

/// So many of an hour are written one by one.
const EACH: u64 = 32;

/// The rarest sample.
const RAREST: u64 = 1 << 20;

/// Places for subjects of one rule in one hour.
const PLACES: u64 = 20;

/// How long an hour's numbers are kept.
const LIFE: Duration = Duration::days(30);

/// How long the table has for it: an answer waits.
const WRITE: StdDuration = StdDuration::from_millis(300);

/// What this process has seen refused of each rule, and in which hour: how rare a sample is.
#[derive(Default)]
pub struct Refusing(Mutex<[(i64, u64); Rule::ALL.len()]>);

impl Refusing {
    /// How many in this hour, this one among them.
    fn count(&self, rule: Rule, hour: i64) -> u64 {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (of, count) = &mut seen[rule as usize];
        if *of != hour {
            (*of, *count) = (hour, 0);
        }
        *count += 1;
        *count
    }
}

/// For how many the n-th one stands, if it is written down.
fn weight(n: u64) -> u64 {
    (n.saturating_sub(1) / EACH + 1)
        .next_power_of_two()
        .min(RAREST)
}

/// Counts one refusal, or one that would have been. Nothing fails for it.
pub(super) async fn count(app: &Parts, asked: &Asked) {
    let hour = hour(asked.now);
    let weight = weight(app.refusing.count(asked.rule, hour));
    if app.ids.pick(usize::try_from(weight).unwrap_or(1)) != 0 {
        return;
    }
    if asked.rule.is_told() {
        let metric = match asked.limit.mode {
            Mode::Enforce => Metric::RequestsLimited,
            Mode::Shadow => Metric::RequestsShadowed,
        };
        metrics::emit_of(asked.now, metric, weight, ("rule", asked.rule.name()));
    }
    let written = tokio::time::timeout(WRITE, write(app, asked, hour, weight)).await;
    let error = match written {
        Ok(Ok(())) => return,
        Ok(Err(error)) => telemetry::chain(&error),
        Err(_) => "the table did not answer in time".to_owned(),
    };
    tracing::warn!(error, "a refusal was not counted");
}

async fn write(app: &Parts, asked: &Asked, hour: i64, weight: u64) -> Result<(), StoreError> {
    let sum = match asked.limit.mode {
        Mode::Enforce => "refused",
        Mode::Shadow => "shadowed",
    };
    let key = keys::refusals(hour, asked.rule.name()).expiring(asked.now + LIFE);
    let digits = asked.pseudonym.get(..8).unwrap_or_default();
    let place = u64::from_str_radix(digits, 16).unwrap_or_default() % PLACES;
    let (name, count) = (format!("s{place}"), format!("c{place}"));
    let counters = [(sum, weight), (count.as_str(), weight)];
    let subject = (name.as_str(), asked.shown.as_str());
    match app.store.add_as(&key, &counters, subject).await {
        // Somebody else has the place.
        Err(StoreError::Conflict { .. }) => app.store.add(&key, &counters[..1]).await,
        done => done,
    }
}

/// What was refused of one rule in one hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    pub rule: Rule,
    pub hour: OffsetDateTime,
    pub enforced: u64,
    pub shadowed: u64,
    /// The sample, those with the most first.
    pub subjects: Vec<(String, u64)>,
}

impl Refused {
    fn of(item: &HashMap<String, Value>) -> Option<Self> {
        let (hour, rule) = item.get("sk")?.as_str()?.split_once('#')?;
        let number = |name: &str| item.get(name).and_then(Value::as_u64).unwrap_or_default();
        let subject = |place: u64| {
            let subject = item.get(&format!("s{place}"))?.as_str()?.to_owned();
            Some((subject, number(&format!("c{place}"))))
        };
        let mut subjects: Vec<_> = (0..PLACES).filter_map(subject).collect();
        subjects.sort_by(|(a, many), (b, few)| few.cmp(many).then(a.cmp(b)));
        let hour: i64 = hour.parse().ok()?;
        Some(Self {
            rule: Rule::ALL.into_iter().find(|it| it.name() == rule)?,
            hour: OffsetDateTime::from_unix_timestamp(hour * 3600).ok()?,
            enforced: number("refused"),
            shadowed: number("shadowed"),
            subjects,
        })
    }
}

/// What was refused in this hour and so many before it, newest first.
pub(super) async fn of_late(app: &Parts, hours: u16) -> Result<Vec<Refused>, StoreError> {
    let now = hour(app.clock.now());
    let listing = keys::refusals_between(now - i64::from(hours), now);
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = app.store.list(&listing, after.as_ref(), PAGE).await?;
        let items: Vec<HashMap<String, Value>> = page.items;
        let last = items.last().and_then(Refused::of);
        found.extend(items.iter().filter_map(Refused::of));
        after = last.map(|it| keys::refusals(hour(it.hour), it.rule.name()));
        if !page.more || after.is_none() {
            return Ok(found);
        }
    }
}

const PAGE: u32 = 500;

/// Hours since the epoch.
fn hour(at: OffsetDateTime) -> i64 {
    at.unix_timestamp().div_euclid(3600)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_are_refused_the_rarer_is_a_sample() {
        let weights = [1, 32, 33, 64, 65, 128, 129, 1_000_000].map(weight);
        assert_eq!(weights, [1, 1, 2, 2, 4, 4, 8, 32_768]);
    }

    #[test]
    fn sampled_counts_are_right_on_average_and_cost_little() {
        let (mut counted, mut writes, mut random) = (0, 0, 1_u64);
        for n in (1..=10_000).cycle().take(100 * 10_000) {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            if (random >> 33).is_multiple_of(weight(n)) {
                counted += weight(n);
                writes += 1;
            }
        }
        assert!((950_000..1_050_000).contains(&counted), "{counted}");
        assert!((150..190).contains(&(writes / 100)), "{writes}");
    }
}
