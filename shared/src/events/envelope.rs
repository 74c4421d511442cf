//! An event with who, when and from where around it: an entry of the audit log, as it is stored.

use std::collections::BTreeMap;

use audit_verify::Clear;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::Event;
use crate::{
    address::ClientAddress,
    app::Parts,
    ids::{EventId, RequestId, RunId, SessionId, ShareId, TenantId, UserId},
    mux::MuxEventId,
    store::{Guard, StoreError, Write, keys, keys::Key},
};

/// Who does something, in answer to which request and from where: what a use case needs to leave a
/// trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    pub actor: Actor,
    pub request: Option<RequestId>,
    pub address: Option<ClientAddress>,
}

/// The name of the personal field that says from where.
const ADDRESS: &str = "address";

impl Act {
    /// What a job does by itself.
    pub fn of_job(name: &str, run: RunId) -> Self {
        Self {
            actor: Actor::Job {
                name: name.to_owned(),
                run,
            },
            request: None,
            address: None,
        }
    }

    /// The event as it will be stored.
    pub fn envelope(&self, app: &Parts, tenant: TenantId, event: Event) -> Envelope {
        let mut envelope = Envelope {
            id: app.ids.mint(),
            tenant,
            at: app.clock.now(),
            actor: self.actor.clone(),
            request: self.request,
            change: None,
            personal: BTreeMap::new(),
            clear: BTreeMap::new(),
            event,
        };
        if let Some(address) = self.address {
            // Another one in each organisation: two that compare their logs learn nothing of visitors.
            let text = format!("{tenant} {}", address.client());
            let pseudonym = app.keys().pseudonyms.hide(&text);
            envelope.tell(app, ADDRESS, pseudonym);
        }
        envelope
    }

    /// The event as a write of the transaction that makes it true.
    pub fn write(&self, app: &Parts, tenant: TenantId, event: Event) -> Result<Write, StoreError> {
        self.envelope(app, tenant, event).write()
    }

    /// The same for an event that changes a row: what the row was and is, as digests.
    pub fn write_change<T: Serialize>(
        &self,
        app: &Parts,
        tenant: TenantId,
        event: Event,
        before: Option<&T>,
        after: Option<&T>,
    ) -> Result<Write, StoreError> {
        self.changed(app, tenant, event, before, after)?.write()
    }

    /// The same, to tell more of it before it is written.
    pub fn changed<T: Serialize>(
        &self,
        app: &Parts,
        tenant: TenantId,
        event: Event,
        before: Option<&T>,
        after: Option<&T>,
    ) -> Result<Envelope, StoreError> {
        let mut envelope = self.envelope(app, tenant, event);
        envelope.change = Some(Change {
            before: before.map(digest).transpose()?,
            after: after.map(digest).transpose()?,
        });
        Ok(envelope)
    }

    /// Writes an event that changes no row, by itself.
    pub async fn note(
        &self,
        app: &Parts,
        tenant: TenantId,
        event: Event,
    ) -> Result<(), StoreError> {
        self.envelope(app, tenant, event).note(app).await
    }
}

fn digest<T: Serialize>(row: &T) -> Result<String, StoreError> {
    audit_verify::digest_of(row).map_err(|error| StoreError::Refused(error.into()))
}

/// One event as it is stored: an entry of the audit log. What stands here is digested when it is
/// sealed, except `clear`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    pub id: EventId,
    pub tenant: TenantId,
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    pub actor: Actor,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<Change>,
    /// Commitments to personal fields, by their names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub personal: BTreeMap<String, String>,
    /// What was committed to, until it is erased.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub clear: BTreeMap<String, Clear>,
    #[serde(flatten)]
    pub event: Event,
}

impl Envelope {
    /// Adds a field about a person, in such a way that it can be erased.
    pub fn tell(&mut self, app: &Parts, name: &str, value: String) {
        let clear = Clear::new(app.ids.secret(), value);
        // A salt of ours is well formed.
        if let Some(commitment) = audit_verify::commitment(&clear) {
            self.personal.insert(name.to_owned(), commitment);
            self.clear.insert(name.to_owned(), clear);
        }
    }

    /// Where it is written: in the log of its tenant, in the list of what is about the same, and in
    /// the list of what is not sealed yet.
    pub fn key(&self) -> Key {
        keys::unsealed_event(self.tenant, self.id, self.event.about().as_deref())
    }

    /// Written by itself: an event that changes no row.
    pub async fn note(&self, app: &Parts) -> Result<(), StoreError> {
        match app.store.put(&self.key(), self, Guard::Absent).await {
            // The id is new, so what stands there is this very event, and its first answer was lost.
            Err(StoreError::Conflict { .. }) => Ok(()),
            done => done,
        }
    }

    /// As a write of a transaction.
    pub fn write(&self) -> Result<Write, StoreError> {
        Write::put(self.key(), self, Guard::Absent)
    }
}

/// A row before and after a change: SHA-256 of its canonical JSON, in hexadecimal. Without `before` it
/// was made, without `after` it is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// Who made it happen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Actor {
    /// A person who is signed in.
    User { id: UserId },
    /// Somebody who holds a share link.
    Guest {
        share: ShareId,
        /// Which of its viewers, as long as one sitting lasts.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session: Option<SessionId>,
        /// Who that is, if they are signed in.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user: Option<UserId>,
    },
    /// An event of Mux.
    Mux {
        event: MuxEventId,
        #[serde(default, skip_serializing_if = "Via::is_webhook")]
        via: Via,
    },
    /// A job that a schedule woke, such as `reconcile`.
    Job { name: String, run: RunId },
    /// Somebody of whom nothing is known but where they come from.
    Stranger,
}

/// How an event of Mux came to be dealt with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Via {
    /// When it came.
    #[default]
    Webhook,
    /// As a dead letter, later.
    Replay,
}

impl Via {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
    fn is_webhook(&self) -> bool {
        *self == Self::Webhook
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;
    use ulid::Ulid;

    use super::*;

    #[test]
    fn the_stored_form_is_stable() {
        let id = Ulid::from_bytes([0; 16]);
        let envelope = Envelope {
            id: id.into(),
            tenant: id.into(),
            at: datetime!(2026-01-05 09:00 UTC),
            actor: Actor::User { id: id.into() },
            request: None,
            change: None,
            personal: BTreeMap::new(),
            clear: BTreeMap::new(),
            event: Event::AssetReady {
                asset: id.into(),
                millis: 90_500,
            },
        };
        let json = r#"{"id":"evt_00000000000000000000000000","tenant":"ten_00000000000000000000000000","at":"2026-01-05T09:00:00Z","actor":{"kind":"user","id":"usr_00000000000000000000000000"},"type":"asset.ready","data":{"asset":"ast_00000000000000000000000000","millis":90500}}"#;
        assert_eq!(serde_json::to_string(&envelope).unwrap(), json);
        assert_eq!(serde_json::from_str::<Envelope>(json).unwrap(), envelope);
    }

    #[test]
    fn the_stored_form_of_what_only_some_entries_have_is_stable() {
        let id = Ulid::from_bytes([0; 16]);
        let clear = Clear::new([0; 32], "x".to_owned());
        let envelope = Envelope {
            id: id.into(),
            tenant: id.into(),
            at: datetime!(2026-01-05 09:00 UTC),
            actor: Actor::User { id: id.into() },
            request: None,
            change: Some(Change {
                before: None,
                after: Some("aa".to_owned()),
            }),
            personal: BTreeMap::from([(ADDRESS.to_owned(), "bb".to_owned())]),
            clear: BTreeMap::from([(ADDRESS.to_owned(), clear)]),
            event: Event::AuditErased {
                entry: Some(id.into()),
                actor: None,
                entries: 1,
            },
        };
        let json = r#"{"id":"evt_00000000000000000000000000","tenant":"ten_00000000000000000000000000","at":"2026-01-05T09:00:00Z","actor":{"kind":"user","id":"usr_00000000000000000000000000"},"change":{"after":"aa"},"personal":{"address":"bb"},"clear":{"address":{"salt":"0000000000000000000000000000000000000000000000000000000000000000","value":"x"}},"type":"audit.erased","data":{"entry":"evt_00000000000000000000000000","entries":1}}"#;
        assert_eq!(serde_json::to_string(&envelope).unwrap(), json);
        assert_eq!(serde_json::from_str::<Envelope>(json).unwrap(), envelope);
    }
}
