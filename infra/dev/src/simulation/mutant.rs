//! Mistakes that the product does not make, made around it: the checker has to notice each of them.

use clap::ValueEnum;
use serde_json::Value;

/// One mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Mutant {
    /// A webhook is answered with 200 at once, and dealt with afterwards.
    AnswersEarly,
    /// A webhook that could be neither stored nor queued is answered with 200 all the same.
    SwallowsFailure,
    /// A letter leaves the queue when it is received, not when it is dealt with.
    DeletesFirst,
    /// Writes have no guard.
    Unguarded,
    /// Receipts and videos are written without a guard, everything else with one.
    UnguardedEvents,
    /// What is sent to the queue is answered as sent, and not kept.
    ForgetsQueue,
}

impl Mutant {
    /// How the keys of items begin that are written without a guard: the empty beginning is that of all.
    pub(super) fn unguarded(self) -> &'static [&'static str] {
        match self {
            Self::Unguarded => &[""],
            Self::UnguardedEvents => &["EVENT#", "ASSET#"],
            Self::AnswersEarly
            | Self::SwallowsFailure
            | Self::DeletesFirst
            | Self::ForgetsQueue => &[],
        }
    }
}

/// A call without the guards of its writes to items whose keys begin so.
pub(super) fn unguarded(body: &[u8], names: &[&str]) -> Vec<u8> {
    let mut body = serde_json::from_slice(body).unwrap_or_default();
    strip(&mut body, names);
    body.to_string().into_bytes()
}

fn strip(value: &mut Value, names: &[&str]) {
    match value {
        Value::Object(fields) => {
            let item = fields.get("Item").or(fields.get("Key"));
            let pk = item
                .and_then(|it| it["pk"]["S"].as_str())
                .unwrap_or_default();
            // An update names its values twice; its places are no guard of what was read.
            let puts = !fields.contains_key("UpdateExpression");
            let meant = puts && names.iter().any(|it| pk.starts_with(it));
            if meant && fields.remove("ConditionExpression").is_some() {
                // The values belong to the condition, and the table refuses values that nothing names.
                fields.remove("ExpressionAttributeValues");
            }
            for (name, field) in fields.iter_mut() {
                if name != "Item" {
                    strip(field, names);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|it| strip(it, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
