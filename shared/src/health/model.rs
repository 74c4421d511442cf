//! What health is said to be, and when. No I/O.

use serde::Serialize;

use crate::resilience::{Breaker, State};

/// How somebody is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Health {
    Healthy,
    /// Something does not work, or soon will not; most does.
    Degraded,
    /// Nobody can be served.
    Unhealthy,
}

/// What health is judged by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Signs {
    /// Whether the table answered.
    pub table: bool,
    /// Of those whom we call, the one who fares worst.
    pub vendors: Health,
    /// Alerts that stand.
    pub alerts: usize,
    /// Incidents that are not over.
    pub incidents: usize,
    /// Somebody has switched something off that protects people.
    pub warnings: usize,
}

impl Signs {
    /// Without the table nobody is served. Without Mux there are no new videos, and what was made plays
    /// on; an alert or a warning is for people to look at.
    pub(super) fn health(self) -> Health {
        if !self.table {
            return Health::Unhealthy;
        }
        let calm =
            self.vendors == Health::Healthy && self.alerts + self.incidents + self.warnings == 0;
        if calm {
            Health::Healthy
        } else {
            Health::Degraded
        }
    }
}

/// How it stands with one vendor, by its breaker and how many retries are left for this minute.
pub(super) fn of_vendor(breaker: &Breaker, retries_left: u16) -> Health {
    match breaker.state {
        State::Open { .. } => Health::Unhealthy,
        State::HalfOpen { .. } => Health::Degraded,
        State::Closed { .. } if retries_left == 0 => Health::Degraded,
        State::Closed { .. } => Health::Healthy,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_lost_table_is_unhealthy_and_everything_else_degrades() {
        let well = Signs {
            table: true,
            vendors: Health::Healthy,
            alerts: 0,
            incidents: 0,
            warnings: 0,
        };
        assert_eq!(well.health(), Health::Healthy);
        for (signs, health) in [
            (
                Signs {
                    table: false,
                    ..well
                },
                Health::Unhealthy,
            ),
            (
                Signs {
                    vendors: Health::Unhealthy,
                    ..well
                },
                Health::Degraded,
            ),
            (
                Signs {
                    vendors: Health::Degraded,
                    ..well
                },
                Health::Degraded,
            ),
            (Signs { alerts: 1, ..well }, Health::Degraded),
            (
                Signs {
                    incidents: 1,
                    ..well
                },
                Health::Degraded,
            ),
            (
                Signs {
                    warnings: 1,
                    ..well
                },
                Health::Degraded,
            ),
        ] {
            assert_eq!(signs.health(), health, "{signs:?}");
        }
    }
}
