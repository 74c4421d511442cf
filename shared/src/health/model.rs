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

/// The longest that a read of the table takes when it is well, in milliseconds: half of what one try
/// has (`boot::timeouts`). Ordinarily it takes less than ten.
const SLOW: u64 = 500;

/// How it stands with the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Table {
    Well,
    /// It answers, but late, or has left calls of the last minute unanswered: it is slow, or has enough
    /// to do.
    Unwell,
    Lost,
}

impl Table {
    /// From how many milliseconds a read took, if it was answered, and whether any other call was not
    /// of late.
    pub(super) fn of(millis: Option<u64>, unanswered: bool) -> Self {
        match millis {
            None => Self::Lost,
            Some(millis) if unanswered || millis > SLOW => Self::Unwell,
            Some(_) => Self::Well,
        }
    }
}

/// What health is judged by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Signs {
    pub table: Table,
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
        let quiet = self.alerts + self.incidents + self.warnings == 0;
        let calm = self.vendors == Health::Healthy && quiet;
        if self.table == Table::Lost {
            Health::Unhealthy
        } else if calm && self.table == Table::Well {
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
    fn a_table_that_answers_late_or_not_always_is_not_well() {
        assert_eq!(Table::of(Some(500), false), Table::Well);
        assert_eq!(Table::of(Some(501), false), Table::Unwell);
        assert_eq!(Table::of(Some(1), true), Table::Unwell);
        assert_eq!(Table::of(None, false), Table::Lost);
    }

    #[test]
    fn only_a_lost_table_is_unhealthy_and_everything_else_degrades() {
        let well = Signs {
            table: Table::Well,
            vendors: Health::Healthy,
            alerts: 0,
            incidents: 0,
            warnings: 0,
        };
        assert_eq!(well.health(), Health::Healthy);
        for (signs, health) in [
            (
                Signs {
                    table: Table::Lost,
                    ..well
                },
                Health::Unhealthy,
            ),
            (
                Signs {
                    table: Table::Unwell,
                    ..well
                },
                Health::Degraded,
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
