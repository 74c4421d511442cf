//! What happened, in the past tense. Written with the change it reports; read by audit,
//! notifications and cost. Append only: a stored event is read back for years.

use std::collections::BTreeMap;

use audit_verify::Clear;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{
    address::ClientAddress,
    alerts::Alert,
    app::Parts,
    dlq::{Note, Reason},
    ids::{AssetId, DeadLetterId, EventId, RequestId, RunId, ShareId, TenantId, UserId},
    mux::MuxEventId,
    reconcile::Findings,
    store::{Guard, StoreError, Write, keys, keys::Key},
    webhooks::Outcome,
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
            envelope.tell(app, ADDRESS, app.pseudonyms.of(address));
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
        let mut envelope = self.envelope(app, tenant, event);
        envelope.change = Some(Change {
            before: before.map(digest).transpose()?,
            after: after.map(digest).transpose()?,
        });
        envelope.write()
    }

    /// Writes an event that changes no row, by itself.
    pub async fn note(
        &self,
        app: &Parts,
        tenant: TenantId,
        event: Event,
    ) -> Result<(), StoreError> {
        let envelope = self.envelope(app, tenant, event);
        match app
            .store
            .put(&envelope.key(), &envelope, Guard::Absent)
            .await
        {
            // The id is new, so what stands there is this very event, and its first answer was lost.
            Err(StoreError::Conflict { .. }) => Ok(()),
            done => done,
        }
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
    Guest { share: ShareId },
    /// An event of Mux.
    Mux {
        event: MuxEventId,
        #[serde(default, skip_serializing_if = "Via::is_webhook")]
        via: Via,
    },
    /// A job that a schedule woke, such as `reconcile`.
    Job { name: String, run: RunId },
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

/// Everything that can happen. A new variant goes to the end; a wire name never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
pub enum Event {
    /// Somebody asked to upload a video; Mux may not know of it yet.
    #[serde(rename = "upload.requested")]
    UploadRequested { asset: AssetId, size: u64 },
    /// Mux was asked for an upload and refused: the request was undone.
    #[serde(rename = "upload.refused")]
    UploadRefused { asset: AssetId },
    /// The file has arrived at Mux.
    #[serde(rename = "upload.received")]
    UploadReceived { asset: AssetId },
    /// The upload was called off before a file arrived.
    #[serde(rename = "upload.cancelled")]
    UploadCancelled { asset: AssetId },
    /// No file arrived in time.
    #[serde(rename = "upload.expired")]
    UploadExpired { asset: AssetId },
    /// The video can be played.
    #[serde(rename = "asset.ready")]
    AssetReady { asset: AssetId, millis: u64 },
    /// Mux could not make a video of the file.
    #[serde(rename = "asset.failed")]
    AssetFailed { asset: AssetId },
    /// The video has another title.
    #[serde(rename = "asset.renamed")]
    AssetRenamed { asset: AssetId },
    /// The video is gone, by a person's wish or at Mux.
    #[serde(rename = "asset.deleted")]
    AssetDeleted { asset: AssetId },
    /// A share link was made.
    #[serde(rename = "share.created")]
    ShareCreated { share: ShareId, asset: AssetId },
    /// A share link gave somebody a playback token.
    #[serde(rename = "share.opened")]
    ShareOpened { share: ShareId, asset: AssetId },
    /// A share link was tried that is revoked or expired.
    #[serde(rename = "share.refused")]
    ShareRefused { share: ShareId, reason: String },
    /// A share link was taken back.
    #[serde(rename = "share.revoked")]
    ShareRevoked { share: ShareId, asset: AssetId },
    /// A share link ended because its video is gone.
    #[serde(rename = "share.ended")]
    ShareEnded { share: ShareId, asset: AssetId },
    /// A dead letter was tried more than three times in vain (S0-103).
    #[serde(rename = "letter.stuck")]
    LetterStuck { letter: DeadLetterId, tries: u32 },
    /// A dead letter is tried no more by itself.
    #[serde(rename = "letter.parked")]
    LetterParked {
        letter: DeadLetterId,
        reason: Reason,
        tries: u32,
    },
    /// An operator had a dead letter tried. Without an outcome, it was in vain.
    #[serde(rename = "letter.replayed")]
    LetterReplayed {
        letter: DeadLetterId,
        outcome: Option<Outcome>,
    },
    /// An operator decided that nothing is to be done about a dead letter.
    #[serde(rename = "letter.discarded")]
    LetterDiscarded { letter: DeadLetterId, reason: Note },
    /// An operator begins to send recorded events once more (S0-041).
    #[serde(rename = "replay.begun")]
    ReplayBegun {
        run: RunId,
        events: u32,
        /// SHA-256 of the recording, in hexadecimal.
        digest: String,
    },
    /// That is over.
    #[serde(rename = "replay.ended")]
    ReplayEnded {
        run: RunId,
        accepted: u32,
        refused: u32,
    },
    /// Something is as it should not be.
    #[serde(rename = "alert.raised")]
    AlertRaised { alert: Alert, value: u64 },
    /// It is as it should be again.
    #[serde(rename = "alert.cleared")]
    AlertCleared { alert: Alert },
    /// Everything was compared with what Mux has (S0-112).
    #[serde(rename = "comparison.ended")]
    ComparisonEnded { found: Findings },
    /// A share link lives until another time than before.
    #[serde(rename = "share.extended")]
    ShareExtended {
        share: ShareId,
        asset: AssetId,
        #[serde(with = "time::serde::rfc3339")]
        until: OffsetDateTime,
    },
    /// A share link has another label.
    #[serde(rename = "share.relabelled")]
    ShareRelabelled { share: ShareId, asset: AssetId },
    /// Personal fields of audit entries are erased: of one entry, or of all that an actor caused.
    #[serde(rename = "audit.erased")]
    AuditErased {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        entry: Option<EventId>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        actor: Option<String>,
        entries: u32,
    },
}

impl Event {
    /// The video or, without one, the link that it is about.
    pub fn about(&self) -> Option<String> {
        match self {
            Self::UploadRequested { asset, .. }
            | Self::UploadRefused { asset }
            | Self::UploadReceived { asset }
            | Self::UploadCancelled { asset }
            | Self::UploadExpired { asset }
            | Self::AssetReady { asset, .. }
            | Self::AssetFailed { asset }
            | Self::AssetRenamed { asset }
            | Self::AssetDeleted { asset }
            | Self::ShareCreated { asset, .. }
            | Self::ShareOpened { asset, .. }
            | Self::ShareRevoked { asset, .. }
            | Self::ShareEnded { asset, .. }
            | Self::ShareExtended { asset, .. }
            | Self::ShareRelabelled { asset, .. } => Some(asset.to_string()),
            Self::ShareRefused { share, .. } => Some(share.to_string()),
            Self::LetterStuck { .. }
            | Self::LetterParked { .. }
            | Self::LetterReplayed { .. }
            | Self::LetterDiscarded { .. }
            | Self::ReplayBegun { .. }
            | Self::ReplayEnded { .. }
            | Self::AlertRaised { .. }
            | Self::AlertCleared { .. }
            | Self::ComparisonEnded { .. }
            | Self::AuditErased { .. } => None,
        }
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
}
