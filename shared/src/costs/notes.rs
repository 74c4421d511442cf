//! What a reader of a report has to know of its figures.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{aws::AwsPart, billed::Asked, model::Unit, report::Facts};

/// What an estimate is made of.
const ESTIMATE: &str = "What is estimated are calls and memory of functions, read and write units of the table and requests of the queue, counted by the portal until yesterday; storage and backups of the table, its stream, logs, metrics, traffic and the gateway are in no estimate";

/// What somebody should know who reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    pub code: String,
    pub text: String,
}

impl Note {
    pub fn new(code: &str, text: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            text: text.into(),
        }
    }
}

pub(super) fn notes(facts: &Facts<'_>, aws: Option<&AwsPart>) -> Vec<Note> {
    let mut notes = Vec::new();
    let used: BTreeSet<Unit> = facts.used.iter().map(|it| it.unit).collect();
    let unverified = facts.prices.prices.iter().filter(|it| !it.verified);
    let unverified: BTreeSet<&str> = unverified
        .filter(|it| used.contains(&it.unit))
        .map(|it| it.unit.name())
        .collect();
    if !unverified.is_empty() {
        let names: Vec<&str> = unverified.into_iter().collect();
        notes.push(Note::new(
            "prices-unverified",
            format!(
                "prices of {} that nobody has read at their source are in this report; see the list of prices, as of {}",
                names.join(", "),
                facts.prices.as_of
            ),
        ));
    }
    if facts.used.iter().any(|it| it.estimated) {
        notes.push(Note::new(
            "estimated",
            "what is marked as estimated was counted by the portal and is on no bill yet",
        ));
    }
    notes.push(of_aws(aws));
    if facts.tenant.is_some() {
        notes.push(Note::new(
            "list-prices",
            "at list prices: what is free or credited is deducted from everybody's report only",
        ));
    }
    notes
}

/// Whose figures those of AWS are, and until when.
fn of_aws(aws: Option<&AwsPart>) -> Note {
    let Some(aws) = aws else {
        return Note::new(
            "aws-elsewhere",
            "nothing of AWS is in this report: what the portal itself uses is laid to the operators' organisation",
        );
    };
    let (told, days) = (aws.told(), aws.billed_days);
    let billed = match aws.billed_until {
        Some(until) => {
            let mut text = format!("{days} days until {until} are AWS's own figures");
            if aws.preliminary {
                text.push_str(", and may change until its invoice");
            }
            format!("{text}; the others are estimated")
        }
        None => "all figures of AWS are estimated".to_owned(),
    };
    let code = match aws.asked {
        Asked::NotAsked => "cost-explorer-not-asked",
        Asked::Answered { .. } => "cost-explorer-answered",
        Asked::Refused { .. } => "cost-explorer-refused",
    };
    Note::new(code, format!("Cost Explorer: {told}; {billed}. {ESTIMATE}"))
}
