//! How a secret is replaced by another one without anybody being refused: which steps there are, what each
//! does to what is kept, and how long the next one has to wait. Pure.

use audit_verify::SigningKey;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use time::OffsetDateTime;

use super::secret::{Secret, Step};

/// Where it is kept how far a rotation has come: beside the secrets, so that nobody else has to remember.
const PROGRESS: &str = "ROTATION";

/// What sealed earlier.
const RETIRED: &str = "AUDIT_RETIRED_KEYS";

/// A new secret. It has no `Debug`.
#[derive(Clone)]
pub struct Fresh {
    /// What names it, where something does.
    pub id: Option<String>,
    pub value: String,
}

/// How far a rotation has come.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Progress {
    pub done: Step,
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// The id of what was replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old: Option<String>,
}

/// What can be done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    Step(Step),
    /// Not before then.
    Wait(Step, OffsetDateTime),
}

/// What cannot be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    #[error("what is kept is not a JSON object of texts")]
    NotAnObject,
    #[error("{0} is not among what is kept")]
    Missing(&'static str),
    #[error("{0} holds {1} values, which is no state of a rotation: put it right by hand")]
    Values(&'static str, usize),
    #[error("the new value is not one that {0} can have")]
    Value(&'static str),
    #[error("a new value is needed for this step")]
    NoValue,
}

/// All secrets, as they are kept. It has no `Debug`.
#[derive(Clone)]
pub struct Document(Map<String, Value>);

impl Document {
    pub fn parse(text: &str) -> Result<Self, PlanError> {
        let object = serde_json::from_str(text).map_err(|_| PlanError::NotAnObject)?;
        Ok(Self(object))
    }

    pub fn text(&self) -> String {
        Value::Object(self.0.clone()).to_string()
    }

    /// How far the rotation of a secret has come, if one is under way.
    pub fn progress(&self, secret: Secret) -> Option<Progress> {
        let progress = self.0.get(PROGRESS)?.get(secret.variable())?;
        serde_json::from_value(progress.clone()).ok()
    }

    /// What can be done next about a secret.
    pub fn next(&self, secret: Secret, now: OffsetDateTime) -> Next {
        let course = secret.course();
        let Some(progress) = self.progress(secret) else {
            return Next::Step(course[0].0);
        };
        let done = course.iter().position(|(step, _)| *step == progress.done);
        let rest = done.and_then(|done| Some((course[done].1, course.get(done + 1)?.0)));
        match rest {
            None => Next::Step(course[0].0),
            Some((wait, step)) if now < progress.at + wait => Next::Wait(step, progress.at + wait),
            Some((_, step)) => Next::Step(step),
        }
    }

    /// What is kept after a step.
    pub fn after(
        &self,
        secret: Secret,
        step: Step,
        fresh: Option<Fresh>,
        now: OffsetDateTime,
    ) -> Result<Self, PlanError> {
        let name = secret.variable();
        let values = self.values(name)?;
        let mut next = self.clone();
        let first = secret.course()[0].0 == step;
        let mut old = self.progress(secret).and_then(|it| it.old);
        match (step, values.as_slice()) {
            // The first step of those whose old value nobody has to take.
            (Step::Use, [_]) if first => {
                let fresh = fresh.ok_or(PlanError::NoValue)?;
                if let Some(id) = secret.id() {
                    old = self.values(id)?.pop();
                    let new = fresh.id.filter(|it| is_word(it));
                    next.set(id, new.ok_or(PlanError::Value(id))?);
                }
                next.set(name, fitting(secret, fresh.value)?);
            }
            (Step::Accept, [current]) => {
                let fresh = fitting(secret, fresh.ok_or(PlanError::NoValue)?.value)?;
                if fresh == *current {
                    return Err(PlanError::Value(name));
                }
                next.set(name, format!("{current},{fresh}"));
            }
            (Step::Use, [current, fresh]) => next.set(name, format!("{fresh},{current}")),
            (Step::Retire, [_]) if secret.id().is_some() => {}
            // Here the new one is the second, because nobody chose between them.
            (Step::Retire, [_, fresh]) if secret == Secret::MuxWebhookSigningSecret => {
                next.set(name, fresh.clone());
            }
            (Step::Retire, [fresh, current]) => {
                if secret == Secret::AuditSigningKey {
                    next.keep_public(current)?;
                }
                next.set(name, fresh.clone());
            }
            (_, values) => return Err(PlanError::Values(name, values.len())),
        }
        let last = secret.course().last().is_some_and(|(it, _)| *it == step);
        let progress = Progress {
            done: step,
            at: now,
            old: old.filter(|_| !last),
        };
        next.note(secret, (!last).then_some(progress));
        Ok(next)
    }

    fn values(&self, name: &'static str) -> Result<Vec<String>, PlanError> {
        let text = self.0.get(name).and_then(Value::as_str);
        let text = text.ok_or(PlanError::Missing(name))?;
        let values = text.split(',').map(str::trim).filter(|it| !it.is_empty());
        Ok(values.map(str::to_owned).collect())
    }

    /// A secret that is one value.
    pub(super) fn only(&self, name: &'static str) -> Result<String, PlanError> {
        let values = self.values(name)?;
        let count = values.len();
        let only = values.into_iter().next().filter(|_| count == 1);
        only.ok_or(PlanError::Values(name, count))
    }

    fn set(&mut self, name: &str, value: String) {
        self.0.insert(name.to_owned(), value.into());
    }

    /// What a key sealed stays, and so does what it is checked with.
    fn keep_public(&mut self, key: &str) -> Result<(), PlanError> {
        let name = Secret::AuditSigningKey.variable();
        let key = SigningKey::parse(key).map_err(|_| PlanError::Value(name))?;
        let pem = key.public_pem();
        let line: String = pem.lines().filter(|it| !it.starts_with('-')).collect();
        let before = self.0.get(RETIRED).and_then(Value::as_str);
        let all = before
            .filter(|it| !it.is_empty())
            .into_iter()
            .chain([line.as_str()]);
        let all: Vec<&str> = all.collect();
        let all = all.join(",");
        self.set(RETIRED, all);
        Ok(())
    }

    fn note(&mut self, secret: Secret, progress: Option<Progress>) {
        let all = self.0.entry(PROGRESS).or_insert_with(|| Map::new().into());
        let Some(all) = all.as_object_mut() else {
            return;
        };
        match progress.and_then(|it| serde_json::to_value(it).ok()) {
            Some(progress) => all.insert(secret.variable().to_owned(), progress),
            None => all.remove(secret.variable()),
        };
    }
}

/// A list is separated by commas, so no value of one holds any.
fn is_word(value: &str) -> bool {
    !value.is_empty() && !value.contains([',', ' ', '\n', '\t'])
}

fn fitting(secret: Secret, value: String) -> Result<String, PlanError> {
    let fits = match secret {
        Secret::SmtpUrl => !value.trim().is_empty(),
        Secret::AuditSigningKey => SigningKey::parse(&value).is_ok(),
        Secret::GrantKey | Secret::PseudonymKey => is_word(&value) && value.len() >= 32,
        Secret::CronSecret
        | Secret::MuxWebhookSigningSecret
        | Secret::MuxSigningKey
        | Secret::MuxToken => is_word(&value),
    };
    fits.then_some(value)
        .ok_or(PlanError::Value(secret.variable()))
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::rotate::secret::{SESSION, SPREAD};

    const NOON: OffsetDateTime = datetime!(2026-01-05 12:00 UTC);

    fn fresh(value: &str) -> Fresh {
        Fresh {
            id: Some("new-id".to_owned()),
            value: value.to_owned(),
        }
    }

    const OLD: &str = "old-old-old-old-old-old-old-old-old-old";
    const NEW: &str = "new-new-new-new-new-new-new-new-new-new";

    #[test]
    fn a_key_of_ours_is_accepted_used_and_alone_in_the_end() {
        let mut kept = Document::parse(&format!(r#"{{"GRANT_KEY":"{OLD}"}}"#)).unwrap();
        let mut now = NOON;
        let mut seen = Vec::new();
        for _ in 0..3 {
            let Next::Step(step) = kept.next(Secret::GrantKey, now) else {
                panic!("it is due")
            };
            kept = kept
                .after(Secret::GrantKey, step, Some(fresh(NEW)), now)
                .unwrap();
            seen.push((step, kept.values("GRANT_KEY").unwrap()));
            if let Next::Wait(_, until) = kept.next(Secret::GrantKey, now) {
                now = until;
            }
        }
        let (old, new) = (OLD.to_owned(), NEW.to_owned());
        let expected = [
            (Step::Accept, vec![old.clone(), new.clone()]),
            (Step::Use, vec![new.clone(), old]),
            (Step::Retire, vec![new]),
        ];
        assert_eq!(seen, expected);
        assert_eq!(now - NOON, SPREAD * 2 + SESSION);
        assert_eq!(
            kept.next(Secret::GrantKey, now),
            Next::Step(Step::Accept),
            "and again"
        );
    }

    #[test]
    fn what_is_no_state_of_a_rotation_is_left_alone() {
        let kept = Document::parse(r#"{"GRANT_KEY":"a,b,c","MUX_TOKEN_SECRET":"s"}"#).unwrap();
        let error = |secret, step, fresh| kept.after(secret, step, fresh, NOON).err();
        let values = PlanError::Values("GRANT_KEY", 3);
        assert_eq!(
            error(Secret::GrantKey, Step::Accept, Some(fresh(NEW))),
            Some(values)
        );
        assert_eq!(
            error(Secret::CronSecret, Step::Accept, Some(fresh("x"))),
            Some(PlanError::Missing("CRON_SECRET"))
        );
        assert_eq!(
            error(Secret::MuxToken, Step::Use, Some(fresh("x"))),
            Some(PlanError::Missing("MUX_TOKEN_ID"))
        );
        assert_eq!(
            error(Secret::MuxToken, Step::Use, None),
            Some(PlanError::NoValue)
        );
        assert!(Document::parse("[]").is_err());
    }

    #[test]
    fn a_value_that_would_be_read_as_two_is_refused() {
        let kept =
            Document::parse(&format!(r#"{{"GRANT_KEY":"{OLD}","CRON_SECRET":"c"}}"#)).unwrap();
        let refused = |secret, value: &str| {
            kept.after(secret, Step::Accept, Some(fresh(value)), NOON)
                .is_err()
        };
        assert!(refused(Secret::CronSecret, "a,b"));
        assert!(refused(Secret::CronSecret, "c"), "the same");
        assert!(refused(Secret::GrantKey, "short"));
        assert!(!refused(Secret::CronSecret, "d"));
    }
}
