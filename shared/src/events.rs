//! What happened, in the past tense. Written with the change it reports; read by audit,
//! notifications and cost. Append only: a stored event is read back for years.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{
    alerts::Alert,
    app::Parts,
    dlq::{Note, Reason},
    ids::{AssetId, DeadLetterId, EventId, RequestId, RunId, SessionId, ShareId, TenantId, UserId},
    mux::MuxEventId,
    reconcile::Findings,
    shares::{Cut, Policy},
    store::{Guard, StoreError, Write, keys},
    webhooks::Outcome,
};

/// Who does something, and in answer to which request: what a use case needs to leave a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    pub actor: Actor,
    pub request: Option<RequestId>,
}

impl Act {
    /// The event as it will be stored.
    pub fn envelope(&self, app: &Parts, tenant: TenantId, event: Event) -> Envelope {
        Envelope {
            id: app.ids.mint(),
            tenant,
            at: app.clock.now(),
            actor: self.actor.clone(),
            request: self.request,
            event,
        }
    }

    /// The event as a write of the transaction that makes it true.
    pub fn write(&self, app: &Parts, tenant: TenantId, event: Event) -> Result<Write, StoreError> {
        let envelope = self.envelope(app, tenant, event);
        Write::put(keys::event(tenant, envelope.id), &envelope, Guard::Absent)
    }
}

/// One event as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    pub id: EventId,
    pub tenant: TenantId,
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    pub actor: Actor,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestId>,
    #[serde(flatten)]
    pub event: Event,
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
    /// Somebody of whom nothing is known but the pseudonym of an address.
    Stranger { address: String },
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
    /// A viewer of a share link got the next playback token.
    #[serde(rename = "share.renewed")]
    ShareRenewed { share: ShareId, asset: AssetId },
    /// A viewer showed what a share link asks for.
    #[serde(rename = "share.unlocked")]
    ShareUnlocked { share: ShareId, by: Vec<Shown> },
    /// Somebody tried to unlock a share link in vain.
    #[serde(rename = "share.not-unlocked")]
    ShareNotUnlocked { share: ShareId, by: Shown },
    /// A share link asks for something else than before, or allows something else.
    #[serde(rename = "share.rules-changed")]
    ShareRulesChanged { share: ShareId },
    /// A share link expires a day from now.
    #[serde(rename = "share.expiring")]
    ShareExpiring {
        share: ShareId,
        #[serde(with = "time::serde::rfc3339")]
        at: OffsetDateTime,
    },
    /// A share link's time is over.
    #[serde(rename = "share.expired")]
    ShareExpired { share: ShareId },
    /// Nothing that a share link ever gave out plays any more (S0-062, S0-086).
    #[serde(rename = "share.cut")]
    ShareCut {
        share: ShareId,
        #[serde(flatten)]
        cut: Cut,
    },
    /// An organisation demands something else of its share links.
    #[serde(rename = "policy.changed")]
    PolicyChanged { policy: Policy },
    /// A share link is in many hands: it was opened from this many networks within one window.
    #[serde(rename = "abuse.link-spread")]
    LinkSpread { share: ShareId, networks: u32 },
    /// Somebody tries tokens: this many from one address, given by its pseudonym, opened nothing
    /// within one window.
    #[serde(rename = "abuse.token-guessing")]
    TokenGuessing { address: String, tries: u32 },
}

/// What a viewer shows to a share link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Shown {
    Password,
    Code,
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
    fn an_anomaly_names_a_link_or_a_pseudonym() {
        let share = Ulid::from_bytes([0; 16]).into();
        let spread = Event::LinkSpread { share, networks: 9 };
        let address = "ab51424ee8063881756c622eaaaf4387".to_owned();
        let guessing = Event::TokenGuessing { address, tries: 20 };
        for (event, json) in [
            (
                spread,
                r#"{"type":"abuse.link-spread","data":{"share":"shr_00000000000000000000000000","networks":9}}"#,
            ),
            (
                guessing,
                r#"{"type":"abuse.token-guessing","data":{"address":"ab51424ee8063881756c622eaaaf4387","tries":20}}"#,
            ),
        ] {
            assert_eq!(serde_json::to_string(&event).unwrap(), json);
            assert_eq!(serde_json::from_str::<Event>(json).unwrap(), event);
        }
    }
}
