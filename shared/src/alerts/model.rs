//! What is watched, and from which value on it is an alert. No I/O.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use crate::{dlq::Depth, guardrails, metrics::Metric, slo, webhooks::Tally};

/// Everything that can be alerted of. The unit of its value stands with each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Alert {
    /// Dead letters were not replayed lately. Seconds since they were.
    ReplayLate,
    /// Mux was not asked lately. Seconds since it was.
    ReconcileLate,
    /// Too many dead letters are in the queue. Letters.
    LettersWaiting,
    /// Somebody sends webhooks that do not prove their sender. Webhooks of this hour and the last.
    WebhooksSpoofed,
    /// Too many webhooks could not be dealt with when they came. Of ten thousand.
    WebhooksFailing,
    /// Nothing was compared with Mux lately. Seconds since it was.
    CompareLate,
    /// Mux tells of what is not known here. Events of this hour and the last.
    EventsUnmatched,
    /// Links that are over were not cut lately. Seconds since they were.
    RetireLate,
    /// The audit log was not sealed lately, or not all that is old. Seconds since it was.
    AuditLate,
    /// Mux's webhooks do not come, or late. Videos that the last run of `reconcile` brought further.
    WebhooksMissing,
    /// What was used was not learnt lately. Seconds since it was.
    UsageLate,
    /// Nothing was added up and no vendor looked after lately. Seconds since it was.
    WatchLate,
    /// Error budgets burn so fast that somebody has to look now. Objectives.
    BudgetBurningFast,
    /// Error budgets burn so fast that somebody has to look in the morning. Objectives.
    BudgetBurning,
    /// Error budgets are spent. Objectives.
    BudgetSpent,
    /// A month costs most of its budget, or more. The highest threshold that any has reached, in percent.
    SpendHigh,
}

impl Alert {
    pub const ALL: [Self; 16] = [
        Self::ReplayLate,
        Self::ReconcileLate,
        Self::LettersWaiting,
        Self::WebhooksSpoofed,
        Self::WebhooksFailing,
        Self::CompareLate,
        Self::EventsUnmatched,
        Self::RetireLate,
        Self::AuditLate,
        Self::WebhooksMissing,
        Self::UsageLate,
        Self::WatchLate,
        Self::BudgetBurningFast,
        Self::BudgetBurning,
        Self::BudgetSpent,
        Self::SpendHigh,
    ];

    /// Its value as a metric.
    pub const fn metric(self) -> Metric {
        match self {
            Self::ReplayLate => Metric::ReplayAge,
            Self::ReconcileLate => Metric::ReconcileAge,
            Self::LettersWaiting => Metric::DeadLetters,
            Self::WebhooksSpoofed => Metric::WebhooksSpoofed,
            Self::WebhooksFailing => Metric::WebhooksFailedOfTenThousand,
            Self::CompareLate => Metric::CompareAge,
            Self::EventsUnmatched => Metric::EventsUnmatched,
            Self::RetireLate => Metric::RetireAge,
            Self::AuditLate => Metric::AuditSealAge,
            Self::WebhooksMissing => Metric::WebhooksMissed,
            Self::UsageLate => Metric::UsageAge,
            Self::WatchLate => Metric::WatchAge,
            Self::BudgetBurningFast => Metric::BudgetsBurningFast,
            Self::BudgetBurning => Metric::BudgetsBurning,
            Self::BudgetSpent => Metric::BudgetsSpent,
            Self::SpendHigh => Metric::SpendReached,
        }
    }

    /// Whether it says how things are now. What was spent in a month, or may be, says nothing of that.
    pub const fn is_of_now(self) -> bool {
        !matches!(
            self,
            Self::BudgetBurningFast | Self::BudgetBurning | Self::BudgetSpent | Self::SpendHigh
        )
    }

    /// The highest value at which nothing is wrong.
    pub const fn highest(self) -> u64 {
        match self {
            // Taken back within a quarter of an hour (S0-062): this leaves ten minutes to look.
            // An incident is told of within 15 minutes (S0-045).
            Self::ReplayLate | Self::RetireLate | Self::WatchLate => 5 * 60,
            // It runs every five minutes, and a run may take one.
            Self::ReconcileLate => 15 * 60,
            // A spike (S0-121): a replay deals with a hundred in a second.
            Self::LettersWaiting => 100,
            // A scanner, or a test of the endpoint, is no attack.
            Self::WebhooksSpoofed => 9,
            // 99.5 % succeed (S0-104).
            Self::WebhooksFailing => 50,
            // Once a day, and as long again for a large one.
            Self::CompareLate => 2 * 24 * 60 * 60,
            Self::EventsUnmatched
            | Self::BudgetBurningFast
            | Self::BudgetBurning
            | Self::BudgetSpent => 0,
            // It runs every five minutes. Until it is sealed, an entry is proved by nothing.
            Self::AuditLate => 30 * 60,
            // At half of it nothing has to be done yet.
            Self::SpendHigh => 79,
            // One webhook may be lost, and a run may overtake one that is under way.
            Self::WebhooksMissing => 2,
            // Every hour, and what it asks for is half a day old anyway.
            Self::UsageLate => 6 * 60 * 60,
        }
    }
}

/// Fewer webhooks than this say nothing about a rate, unless so many of them failed.
const RATE_OF: u64 = 200;
const FAILED: u64 = 5;

/// What there is to see at one moment. What could not be read is not there.
#[derive(Debug, Clone, Default)]
pub struct Reading {
    pub replayed: Option<OffsetDateTime>,
    pub reconciled: Option<OffsetDateTime>,
    pub retired: Option<OffsetDateTime>,
    pub compared: Option<OffsetDateTime>,
    pub sealed: Option<OffsetDateTime>,
    pub metered: Option<OffsetDateTime>,
    pub watched: Option<OffsetDateTime>,
    pub depth: Option<Depth>,
    /// Of this hour and the last one.
    pub tally: Tally,
    /// Videos that the last run of `reconcile` brought further, of which a webhook should have told.
    pub missed: u32,
    /// What was promised, and how that stood when it was last looked at.
    pub promises: slo::State,
    /// What acts for a month's budget.
    pub guardrails: guardrails::State,
}

impl Reading {
    /// The value of everything that has one. What never ran is as old as the watch itself.
    pub fn values(&self, now: OffsetDateTime, watched_since: OffsetDateTime) -> Vec<(Alert, u64)> {
        let age = |last: Option<OffsetDateTime>| seconds(now - last.unwrap_or(watched_since));
        let tally = &self.tally;
        let all = tally.taken + tally.failed;
        let telling = all >= RATE_OF || tally.failed >= FAILED;
        let rate = if telling {
            tally.failed * 10_000 / all
        } else {
            0
        };
        let depth = self.depth.map(|it| it.due + it.hidden);
        let measured = [
            (Alert::ReplayLate, Some(age(self.replayed))),
            (Alert::ReconcileLate, Some(age(self.reconciled))),
            (Alert::RetireLate, Some(age(self.retired))),
            (Alert::LettersWaiting, depth),
            (Alert::WebhooksSpoofed, Some(tally.spoofed)),
            (Alert::WebhooksFailing, Some(rate)),
            (Alert::CompareLate, Some(age(self.compared))),
            (Alert::EventsUnmatched, Some(tally.unmatched)),
            (Alert::AuditLate, Some(age(self.sealed))),
            (Alert::WebhooksMissing, Some(self.missed.into())),
            (Alert::UsageLate, Some(age(self.metered))),
            (Alert::WatchLate, Some(age(self.watched))),
            (Alert::BudgetBurningFast, Some(self.promises.burning(true))),
            (Alert::BudgetBurning, Some(self.promises.burning(false))),
            (
                Alert::BudgetSpent,
                Some(self.promises.breached.len() as u64),
            ),
            (Alert::SpendHigh, Some(self.guardrails.reached())),
        ];
        let known = measured.into_iter();
        known.filter_map(|(it, value)| Some((it, value?))).collect()
    }
}

fn seconds(age: Duration) -> u64 {
    u64::try_from(age.whole_seconds()).unwrap_or_default()
}

/// Which alerts stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Raised {
    /// When somebody watched for the first time.
    #[serde(with = "time::serde::rfc3339")]
    pub watched_since: OffsetDateTime,
    pub alerts: BTreeMap<Alert, Standing>,
    /// Grows with every write; the guard of the next one.
    pub version: u64,
}

/// One alert that stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    #[serde(with = "time::serde::rfc3339")]
    pub since: OffsetDateTime,
    /// The value that raised it.
    pub value: u64,
}

/// What changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    Raised(Alert, u64),
    Cleared(Alert),
}

impl Raised {
    /// Nothing stands yet.
    pub fn none(now: OffsetDateTime) -> Self {
        Self {
            watched_since: now,
            alerts: BTreeMap::new(),
            version: 0,
        }
    }

    /// What stands after these values, and what that changes. An alert whose value could not be read
    /// stays as it is.
    pub fn after(&self, now: OffsetDateTime, values: &[(Alert, u64)]) -> (Self, Vec<Change>) {
        let (mut next, mut changes) = (self.clone(), Vec::new());
        for &(alert, value) in values {
            let wrong = value > alert.highest();
            if wrong && !self.alerts.contains_key(&alert) {
                next.alerts.insert(alert, Standing { since: now, value });
                changes.push(Change::Raised(alert, value));
            }
            if !wrong && next.alerts.remove(&alert).is_some() {
                changes.push(Change::Cleared(alert));
            }
        }
        (next, changes)
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOON: OffsetDateTime = datetime!(2026-01-05 12:00 UTC);

    fn alerts(reading: &Reading) -> Vec<Alert> {
        let (raised, _) = Raised::none(NOON).after(NOON, &reading.values(NOON, NOON));
        raised.alerts.into_keys().collect()
    }

    #[test]
    fn nothing_is_wrong_on_a_quiet_day() {
        assert_eq!(alerts(&Reading::default()), []);
        let reading = Reading {
            replayed: Some(NOON - Duration::minutes(5)),
            reconciled: Some(NOON - Duration::minutes(15)),
            retired: Some(NOON - Duration::minutes(5)),
            compared: Some(NOON - Duration::days(2)),
            sealed: Some(NOON - Duration::minutes(30)),
            metered: Some(NOON - Duration::hours(6)),
            watched: Some(NOON - Duration::minutes(5)),
            depth: Some(Depth {
                due: 60,
                hidden: 40,
            }),
            tally: Tally {
                taken: 199,
                failed: 1,
                spoofed: 9,
                unmatched: 0,
            },
            missed: 2,
            promises: slo::State::default(),
            guardrails: reached(50),
        };
        assert_eq!(alerts(&reading), [], "the bounds themselves are fine");
    }

    fn reached(percent: u64) -> guardrails::State {
        let json = format!(r#"{{"budgets":{{"all":{{"reached":{percent}}}}}}}"#);
        serde_json::from_str(&json).unwrap()
    }

    /// Everything about one promise is wrong.
    fn spent() -> slo::State {
        let json = r#"{"burning":{"playback":["hour","day"]},"breached":{"playback":{"since":"2026-01-05T11:00:00Z"}}}"#;
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn each_bound_is_watched() {
        let reading = Reading {
            replayed: Some(NOON - Duration::seconds(301)),
            reconciled: Some(NOON - Duration::seconds(901)),
            retired: Some(NOON - Duration::seconds(301)),
            compared: Some(NOON - Duration::days(2) - Duration::SECOND),
            sealed: Some(NOON - Duration::seconds(1_801)),
            metered: Some(NOON - Duration::hours(6) - Duration::SECOND),
            watched: Some(NOON - Duration::seconds(301)),
            depth: Some(Depth {
                due: 61,
                hidden: 40,
            }),
            tally: Tally {
                taken: 198,
                failed: 2,
                spoofed: 10,
                unmatched: 1,
            },
            missed: 3,
            promises: spent(),
            guardrails: reached(80),
        };
        assert_eq!(alerts(&reading), Alert::ALL);
    }

    #[test]
    fn of_few_webhooks_a_few_failures_make_no_rate_and_many_do() {
        let failed = |taken, failed| Reading {
            tally: Tally {
                taken,
                failed,
                ..Tally::default()
            },
            ..Reading::default()
        };
        assert_eq!(alerts(&failed(100, 4)), []);
        assert_eq!(alerts(&failed(0, 5)), [Alert::WebhooksFailing]);
        let raised = Raised::none(NOON)
            .after(NOON, &[(Alert::WebhooksFailing, 51)])
            .0;
        let (_, changes) = raised.after(NOON, &failed(100, 0).values(NOON, NOON));
        assert_eq!(changes, [Change::Cleared(Alert::WebhooksFailing)]);
    }

    #[test]
    fn an_alert_is_raised_once_and_cleared_once() {
        let wrong = [(Alert::LettersWaiting, 101)];
        let none = Raised::none(NOON);
        let (raised, changes) = none.after(NOON, &wrong);
        assert_eq!(changes, [Change::Raised(Alert::LettersWaiting, 101)]);
        let (same, changes) = raised.after(NOON + Duration::MINUTE, &wrong);
        assert_eq!((same, changes), (raised.clone(), Vec::new()));
        let (unread, changes) = raised.after(NOON, &[]);
        assert_eq!((unread, changes), (raised.clone(), Vec::new()));
        let (cleared, changes) = raised.after(NOON, &[(Alert::LettersWaiting, 100)]);
        assert_eq!(cleared, none);
        assert_eq!(changes, [Change::Cleared(Alert::LettersWaiting)]);
    }

    #[test]
    fn what_never_ran_is_as_old_as_the_watch() {
        let values = Reading::default().values(NOON, NOON - Duration::minutes(6));
        assert!(values.contains(&(Alert::ReplayLate, 360)));
    }
}
