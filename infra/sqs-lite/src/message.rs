//! A message as it is kept and as it is handed to a consumer.

use rusqlite::Row;
use serde_json::{Map, Value, json};

use crate::digest;
use crate::fault::Fault;
use crate::input::Input;
use crate::store;
use crate::user_attributes::UserAttributes;

pub(crate) struct Message {
    pub(crate) first_received: Option<i64>,
    pub(crate) receives: i64,
    pub(crate) seq: i64,
    pub(crate) sent: i64,
    attributes: Map<String, Value>,
    body: String,
    id: String,
    in_fifo: bool,
    /// The ARN of the queue it is a dead letter of.
    source: Option<String>,
    system: Map<String, Value>,
}

impl Message {
    /// The columns [`Message::read`] expects.
    pub(crate) const COLUMNS: &str = "seq, id, body, attributes, system, message_group IS NOT NULL,
        sent, receives, first_received, source";

    pub(crate) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            seq: row.get(0)?,
            id: row.get(1)?,
            body: row.get(2)?,
            attributes: store::object(row, 3)?,
            system: store::object(row, 4)?,
            in_fifo: row.get(5)?,
            sent: row.get(6)?,
            receives: row.get(7)?,
            first_received: row.get(8)?,
            source: row.get(9)?,
        })
    }

    pub(crate) fn hand_out(
        self,
        wanted: &Wanted<'_>,
        receipt: &str,
        now: i64,
    ) -> Result<Value, Fault> {
        let system = self.system_attributes(wanted, now);
        let mut attributes = self.attributes;
        attributes.retain(|name, _| wanted.has_user(name));
        let mut message = json!({
            "MessageId": self.id,
            "ReceiptHandle": receipt,
            "MD5OfBody": digest::of(self.body.as_bytes()),
            "Body": self.body,
        });
        if !system.is_empty() {
            message["Attributes"] = system.into();
        }
        if let Some(digest) = UserAttributes::parse(&attributes)?.digest() {
            message["MD5OfMessageAttributes"] = digest.into();
            message["MessageAttributes"] = attributes.into();
        }
        Ok(message)
    }

    fn system_attributes(&self, wanted: &Wanted<'_>, now: i64) -> Map<String, Value> {
        let first = self.first_received.unwrap_or(now);
        let mut system = self.system.clone();
        let mut add = |name: &str, value: String| system.insert(name.to_owned(), value.into());
        add("ApproximateFirstReceiveTimestamp", first.to_string());
        add("ApproximateReceiveCount", (self.receives + 1).to_string());
        add("SenderId", "AIDALOCAL".to_owned());
        add("SentTimestamp", self.sent.to_string());
        if self.in_fifo {
            add("SequenceNumber", format!("{:020}", self.seq));
        }
        if let Some(source) = &self.source {
            add("DeadLetterQueueSourceArn", source.clone());
        }
        system.retain(|name, _| wanted.has_system(name));
        system
    }
}

/// The attributes a consumer asked for; it gets no others.
pub(crate) struct Wanted<'a> {
    system: Vec<&'a str>,
    user: Vec<&'a str>,
}

impl<'a> Wanted<'a> {
    pub(crate) fn by(input: Input<'a>) -> Self {
        let old_name = input.texts("AttributeNames");
        Self {
            system: old_name
                .chain(input.texts("MessageSystemAttributeNames"))
                .collect(),
            user: input.texts("MessageAttributeNames").collect(),
        }
    }

    fn has_system(&self, name: &str) -> bool {
        self.system.iter().any(|it| *it == "All" || *it == name)
    }

    /// `All` and `.*` mean all of them, `order.*` those that begin with `order`.
    fn has_user(&self, name: &str) -> bool {
        self.user.iter().any(|it| {
            let begins = |prefix| name.starts_with(prefix);
            *it == "All" || *it == name || it.strip_suffix(".*").is_some_and(begins)
        })
    }
}
