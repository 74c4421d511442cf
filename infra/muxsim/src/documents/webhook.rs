//! Endpoints, events, and one event on its way to one endpoint.

use crate::ids;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// Somebody who is told of events.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Webhook {
    pub(crate) id: String,
    /// What attempts call it: a number.
    pub(crate) number: u32,
    pub(crate) address: String,
    pub(crate) secret: String,
    /// Unix seconds.
    pub(crate) created_at: i64,
    pub(crate) enabled: bool,
    /// Whether the options name it, and not the API.
    pub(crate) by_options: bool,
}

impl Webhook {
    /// A new one beside the others.
    pub(crate) fn beside(
        others: &[(String, Self)],
        address: String,
        secret: String,
        now: i64,
    ) -> Self {
        let number = others.iter().map(|(_, it)| it.number).max().unwrap_or(0);
        Self {
            id: ids::long(),
            number: number + 1,
            address,
            secret,
            created_at: now,
            enabled: true,
            by_options: false,
        }
    }

    /// Without its secret: that is told once.
    pub(crate) fn show(&self) -> Value {
        let created = OffsetDateTime::from_unix_timestamp(self.created_at).ok();
        json!({
            "id": self.id,
            "address": self.address,
            "created_at": created.and_then(|it| it.format(&Rfc3339).ok()),
            "enabled": self.enabled,
        })
    }
}

/// One event on its way to one endpoint.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Delivery {
    /// A folder from before endpoints had names holds deliveries to nobody: they are let go.
    #[serde(default)]
    pub(crate) webhook: String,
    pub(crate) event: Value,
    pub(crate) attempts: Vec<Value>,
    /// Milliseconds since the epoch.
    pub(crate) first_at: i64,
    pub(crate) next_at: i64,
}

/// What happened, and what became of telling it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct LoggedEvent {
    pub(crate) event: Value,
    #[serde(default)]
    pub(crate) attempts: Vec<Attempt>,
}

/// One attempt to tell somebody.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Attempt {
    pub(crate) address: String,
    #[serde(with = "time::serde::rfc3339")]
    pub(crate) at: OffsetDateTime,
    /// `None` when nobody answered.
    pub(crate) status: Option<u16>,
    /// What went wrong on purpose.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) faults: Vec<crate::faults::Fault>,
}
