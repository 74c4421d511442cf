//! One queue: its name, what was set on it, and where its dead letters go.

use rusqlite::{Connection, OptionalExtension};
use serde_json::{Map, Value};

use crate::fault::Fault;
use crate::input::Input;
use crate::setting::{Permitted, Setting, permitted};
use crate::store;

pub(crate) const ACCOUNT: &str = "000000000000";
const REGION: &str = "us-east-1";

pub(crate) struct Queue {
    pub(crate) name: String,
    pub(crate) attributes: Map<String, Value>,
}

/// After `receives` receives a message goes to the queue named `target` instead.
pub(crate) struct Redrive {
    pub(crate) receives: i64,
    pub(crate) target: String,
}

impl Queue {
    pub(crate) fn find(db: &Connection, name: &str) -> Result<Option<Self>, Fault> {
        let attributes = db
            .prepare_cached("SELECT attributes FROM queues WHERE name = ?1")?
            .query_row([name], |row| store::object(row, 0))
            .optional()?;
        Ok(attributes.map(|attributes| Self {
            name: name.to_owned(),
            attributes,
        }))
    }

    pub(crate) fn named(db: &Connection, name: &str) -> Result<Self, Fault> {
        Self::find(db, name)?.ok_or(Fault::QueueDoesNotExist)
    }

    pub(crate) fn by_url(db: &Connection, input: Input<'_>) -> Result<Self, Fault> {
        let url = input.text("QueueUrl")?;
        Self::named(db, url.rsplit('/').next().unwrap_or_default())
    }

    pub(crate) fn by_arn(db: &Connection, arn: &str) -> Result<Self, Fault> {
        Self::find(db, name_in(arn))?.ok_or_else(|| Fault::ResourceNotFound {
            arn: arn.to_owned(),
        })
    }

    pub(crate) fn all(db: &Connection) -> Result<Vec<Self>, Fault> {
        let queues = db
            .prepare("SELECT name, attributes FROM queues ORDER BY created, name")?
            .query_map([], |row| {
                Ok(Self {
                    name: row.get(0)?,
                    attributes: store::object(row, 1)?,
                })
            })?
            .collect::<rusqlite::Result<_>>()?;
        Ok(queues)
    }

    pub(crate) fn arn(&self) -> String {
        format!("{}{}", arn_prefix(), self.name)
    }

    pub(crate) fn is_fifo(&self) -> bool {
        self.name.strip_suffix(".fifo").is_some()
    }

    pub(crate) fn setting(&self, setting: &Setting) -> i64 {
        self.attribute(setting.name)
            .and_then(|text| text.parse().ok())
            .unwrap_or(setting.default)
    }

    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.get(name)?.as_str()
    }

    pub(crate) fn redrive(&self) -> Option<Redrive> {
        Redrive::parse(self.attribute("RedrivePolicy")?)
    }
}

impl Redrive {
    /// The console writes the count as a string, everyone else as a number.
    fn parse(policy: &str) -> Option<Self> {
        let policy: Value = serde_json::from_str(policy).ok()?;
        let count = &policy["maxReceiveCount"];
        let receives = count.as_i64().or_else(|| count.as_str()?.parse().ok())?;
        let target = name_in(policy["deadLetterTargetArn"].as_str()?).to_owned();
        Some(Self { receives, target })
    }
}

/// What comes before the queue's name in an ARN.
pub(crate) fn arn_prefix() -> String {
    format!("arn:aws:sqs:{REGION}:{ACCOUNT}:")
}

pub(crate) fn name_in(arn: &str) -> &str {
    arn.rsplit(':').next().unwrap_or_default()
}

pub(crate) fn check_name(name: &str) -> Result<(), Fault> {
    let base = name.strip_suffix(".fifo").unwrap_or(name);
    let is_allowed = |it: char| it.is_ascii_alphanumeric() || it == '-' || it == '_';
    if base.is_empty() || name.len() > 80 || !base.chars().all(is_allowed) {
        return Err(Fault::invalid(
            "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length",
        ));
    }
    Ok(())
}

pub(crate) fn check_attributes(
    db: &Connection,
    attributes: &Map<String, Value>,
) -> Result<(), Fault> {
    for (name, value) in attributes {
        let text = value.as_str().unwrap_or_default();
        match permitted(name) {
            Permitted::Anything => {}
            Permitted::Number(range) => {
                if !text.parse().is_ok_and(|number| range.contains(&number)) {
                    return Err(Fault::InvalidAttributeValue(name.clone()));
                }
            }
            Permitted::Nothing => return Err(Fault::InvalidAttributeName(name.clone())),
        }
        if name == "RedrivePolicy" && !text.is_empty() {
            check_redrive(db, text)?;
        }
    }
    Ok(())
}

fn check_redrive(db: &Connection, policy: &str) -> Result<(), Fault> {
    let refusal = format!("Value {policy} for parameter RedrivePolicy is invalid.");
    let redrive = Redrive::parse(policy)
        .filter(|redrive| (1..=1000).contains(&redrive.receives))
        .ok_or_else(|| Fault::invalid(&refusal))?;
    if Queue::find(db, &redrive.target)?.is_none() {
        return Err(Fault::InvalidParameterValue(format!(
            "{refusal} Reason: Dead letter target does not exist."
        )));
    }
    Ok(())
}
