//! An incident and its steps. No I/O.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::matter::{Cause, Matter, Severity};
use crate::ids::{IncidentId, UserId};

/// An outage that comes back so soon after it ended by itself is the same one.
pub(super) const AGAIN: Duration = Duration::minutes(10);

/// So long an incident waits for somebody before it is escalated (S0-045).
pub(super) const UNHEEDED: Duration = Duration::minutes(15);

/// Who did something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum By {
    System,
    Operator(UserId),
}

/// When something was done, by whom, and what they say of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    pub by: By,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Mark {
    /// What nobody in particular did.
    pub fn by_system(at: OffsetDateTime) -> Self {
        Self {
            at,
            by: By::System,
            note: None,
        }
    }
}

/// What can be done about an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// Somebody takes care of it.
    Acknowledge,
    /// It hurts nobody any more, and is not over.
    Mitigate,
    /// It is over.
    Close,
    /// What is to be learnt from it is learnt.
    Review,
}

impl Step {
    pub const ALL: [Self; 4] = [Self::Acknowledge, Self::Mitigate, Self::Close, Self::Review];
}

/// Where an incident stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    Open,
    Acknowledged,
    Mitigated,
    Closed,
    Reviewed,
}

impl Standing {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Acknowledged => "acknowledged",
            Self::Mitigated => "mitigated",
            Self::Closed => "closed",
            Self::Reviewed => "reviewed",
        }
    }

    /// Whether it is not over.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Open | Self::Acknowledged | Self::Mitigated)
    }
}

/// Something that went wrong. Where it stands follows from what was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Incident {
    pub id: IncidentId,
    #[serde(flatten)]
    pub matter: Matter,
    pub severity: Severity,
    pub cause: Cause,
    pub opened: Mark,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged: Option<Mark>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mitigated: Option<Mark>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<Mark>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reviewed: Option<Mark>,
    /// When it was told that nobody takes care of it.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "time::serde::rfc3339::option"
    )]
    pub escalated_at: Option<OffsetDateTime>,
    /// How often it came back after it had ended.
    pub reopened: u32,
    /// Grows with every write; the guard of the next one.
    pub version: u64,
}

impl Incident {
    pub fn new(
        id: IncidentId,
        (matter, severity, cause): (Matter, Severity, Cause),
        now: OffsetDateTime,
    ) -> Self {
        Self {
            id,
            matter,
            severity,
            cause,
            opened: Mark::by_system(now),
            acknowledged: None,
            mitigated: None,
            closed: None,
            reviewed: None,
            escalated_at: None,
            reopened: 0,
            version: 1,
        }
    }

    pub const fn standing(&self) -> Standing {
        if self.reviewed.is_some() {
            Standing::Reviewed
        } else if self.closed.is_some() {
            Standing::Closed
        } else if self.mitigated.is_some() {
            Standing::Mitigated
        } else if self.acknowledged.is_some() {
            Standing::Acknowledged
        } else {
            Standing::Open
        }
    }

    /// The incident after a step. `None`: it was done before, and stays as it was done. An error: it
    /// cannot be done where the incident stands.
    pub fn after(&self, step: Step, mark: Mark) -> Result<Option<Self>, Standing> {
        let mut next = self.clone();
        let (place, possible) = match step {
            Step::Acknowledge => (&mut next.acknowledged, &[Standing::Open] as &[_]),
            Step::Mitigate => (&mut next.mitigated, &[Standing::Acknowledged] as &[_]),
            Step::Close => (
                &mut next.closed,
                &[Standing::Open, Standing::Acknowledged, Standing::Mitigated] as &[_],
            ),
            Step::Review => (&mut next.reviewed, &[Standing::Closed] as &[_]),
        };
        if place.is_some() {
            return Ok(None);
        }
        if !possible.contains(&self.standing()) {
            return Err(self.standing());
        }
        *place = Some(mark);
        next.version += 1;
        Ok(Some(next))
    }

    /// The same incident once more, if what came back is the same one: it ended by itself, and not long
    /// ago. Who took care of it still does.
    pub fn again(&self, severity: Severity, cause: Cause, now: OffsetDateTime) -> Option<Self> {
        let ended = self.closed.as_ref().filter(|it| it.by == By::System)?;
        if self.reviewed.is_some() || now - ended.at >= AGAIN {
            return None;
        }
        Some(Self {
            severity: self.severity.max(severity),
            cause: self.cause.and(cause),
            mitigated: None,
            closed: None,
            reopened: self.reopened.saturating_add(1),
            version: self.version + 1,
            ..self.clone()
        })
    }

    /// The incident where it is seen in another way, too, or turns out to be worse. `None`: that is known.
    pub fn worse(&self, severity: Severity, cause: Cause) -> Option<Self> {
        let next = Self {
            severity: self.severity.max(severity),
            cause: self.cause.and(cause),
            version: self.version + 1,
            ..self.clone()
        };
        (next.severity != self.severity || next.cause != self.cause).then_some(next)
    }

    /// Whether somebody decided that what began at this time is over.
    pub fn was_ended_since(&self, since: OffsetDateTime) -> bool {
        let ended = self.closed.as_ref();
        ended.is_some_and(|it| it.by != By::System && it.at >= since)
    }

    /// The incident when it is told that nobody takes care of it: once, after a quarter of an hour.
    pub fn escalated(&self, now: OffsetDateTime) -> Option<Self> {
        let unheeded = self.standing() == Standing::Open && now - self.opened.at >= UNHEEDED;
        (unheeded && self.escalated_at.is_none()).then(|| Self {
            escalated_at: Some(now),
            version: self.version + 1,
            ..self.clone()
        })
    }
}

/// Which incident of a matter is the last one. Its key is the matter, so there is one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Current {
    pub incident: IncidentId,
    pub version: u64,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use time::macros::datetime;
    use ulid::Ulid;

    use super::*;
    use crate::resilience::Vendor;

    const NOON: OffsetDateTime = datetime!(2026-01-05 12:00 UTC);

    fn opened() -> Incident {
        let matter = Matter::VendorOutage(Vendor::Mux);
        let id = Ulid::from_bytes([0; 16]).into();
        Incident::new(id, (matter, Severity::Major, Cause::OwnRates), NOON)
    }

    fn mark(minutes: i64) -> Mark {
        Mark::by_system(NOON + Duration::minutes(minutes))
    }

    /// Every sequence of five steps, with every repetition.
    #[test]
    fn steps_lead_forward_and_a_repeated_one_changes_nothing() {
        let (mut seen, mut all) = (BTreeSet::new(), vec![opened()]);
        for minutes in 1..=5 {
            let mut next = Vec::new();
            for incident in &all {
                for step in Step::ALL {
                    let before = incident.standing();
                    match incident.after(step, mark(minutes)) {
                        Ok(None) => assert!(incident.after(step, mark(0)).unwrap().is_none()),
                        Err(standing) => assert_eq!(standing, before),
                        Ok(Some(after)) => {
                            assert!(after.standing() > before, "{step:?} of {incident:?}");
                            assert_eq!(after.version, incident.version + 1);
                            assert_eq!(after.after(step, mark(9)), Ok(None));
                            seen.insert((before, step, after.standing()));
                            next.push(after);
                        }
                    }
                }
            }
            all = next;
        }
        let expected = [
            (Standing::Open, Step::Acknowledge, Standing::Acknowledged),
            (Standing::Open, Step::Close, Standing::Closed),
            (Standing::Acknowledged, Step::Mitigate, Standing::Mitigated),
            (Standing::Acknowledged, Step::Close, Standing::Closed),
            (Standing::Mitigated, Step::Close, Standing::Closed),
            (Standing::Closed, Step::Review, Standing::Reviewed),
        ];
        assert_eq!(seen, BTreeSet::from(expected));
    }

    #[test]
    fn what_comes_back_within_ten_minutes_is_the_same_incident_and_later_another_one() {
        let closed = opened().after(Step::Close, mark(30)).unwrap().unwrap();
        let again = |it: &Incident, minutes| {
            let now = NOON + Duration::minutes(minutes);
            it.again(Severity::Critical, Cause::StatusPage, now)
        };
        let same = again(&closed, 39).unwrap();
        assert_eq!(same.standing(), Standing::Open);
        assert_eq!(
            (same.cause, same.severity),
            (Cause::Both, Severity::Critical)
        );
        assert_eq!(again(&closed, 40), None);
        let by = Mark {
            by: By::Operator(Ulid::from_bytes([1; 16]).into()),
            ..mark(30)
        };
        let by_hand = opened().after(Step::Close, by).unwrap().unwrap();
        assert_eq!(again(&by_hand, 31), None);
        assert!(by_hand.was_ended_since(NOON));
        assert!(!by_hand.was_ended_since(NOON + Duration::minutes(31)));
        assert!(!closed.was_ended_since(NOON), "not by anybody");
    }

    #[test]
    fn what_nobody_takes_care_of_for_a_quarter_of_an_hour_is_escalated_once() {
        let incident = opened();
        let at = |minutes| NOON + Duration::minutes(minutes);
        assert_eq!(incident.escalated(at(14)), None);
        let escalated = incident.escalated(at(15)).unwrap();
        assert_eq!(escalated.escalated(at(16)), None);
        let taken = incident
            .after(Step::Acknowledge, mark(14))
            .unwrap()
            .unwrap();
        assert_eq!(taken.escalated(at(60)), None);
    }

    #[test]
    fn the_stored_form_is_stable() {
        let json = r#"{"id":"inc_00000000000000000000000000","kind":"vendor-outage","subject":"mux","severity":"major","cause":"own-rates","opened":{"at":"2026-01-05T12:00:00Z","by":"system"},"reopened":0,"version":1}"#;
        assert_eq!(serde_json::to_string(&opened()).unwrap(), json);
        assert_eq!(serde_json::from_str::<Incident>(json).unwrap(), opened());
    }
}
