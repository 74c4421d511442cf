//! What happened, in the past tense. Written with the change it reports; read by audit,
//! notifications and cost. Append only: a stored event is read back for years.

mod about;
mod envelope;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

pub use self::envelope::{Act, Actor, Change, Envelope, Via};
use crate::{
    alerts::Alert,
    costs::{Money, Month},
    dlq::Reason,
    guardrails::{Mode, Rail},
    ids::{AssetId, DeadLetterId, EventId, IncidentId, RunId, ShareId},
    incidents::Matter,
    reconcile::Findings,
    shares::{Cut, Policy},
    slo::Objective,
    webhooks::Outcome,
};

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
    /// An operator decided that nothing is to be done about a dead letter. Why is a personal field.
    #[serde(rename = "letter.discarded")]
    LetterDiscarded { letter: DeadLetterId },
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
    /// Mux deleted so many playback ids of a share link that is over; the rest is still to be deleted,
    /// or its last tokens have still to end.
    #[serde(rename = "share.cutting")]
    ShareCutting {
        share: ShareId,
        gone: u32,
        left: u32,
    },
    /// An organisation demands something else of its share links.
    #[serde(rename = "policy.changed")]
    PolicyChanged { policy: Policy },
    /// A share link is in many hands: it was opened from this many networks within one window.
    #[serde(rename = "abuse.link-spread")]
    LinkSpread { share: ShareId, networks: u32 },
    /// Somebody tries tokens: this many from one address opened nothing within one window.
    #[serde(rename = "abuse.token-guessing")]
    TokenGuessing { tries: u32 },
    /// Personal fields of audit entries are erased: of one entry, or of all that an actor caused.
    #[serde(rename = "audit.erased")]
    AuditErased {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        entry: Option<EventId>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        actor: Option<String>,
        entries: u32,
    },
    /// Something else about a video is known than before, and its status is the same.
    #[serde(rename = "asset.updated")]
    AssetUpdated { asset: AssetId },
    /// A dead letter was tried in vain, and will be again.
    #[serde(rename = "letter.tried")]
    LetterTried { letter: DeadLetterId, tries: u32 },
    /// A dead letter that was tried in vain before is dealt with.
    #[serde(rename = "letter.settled")]
    LetterSettled { letter: DeadLetterId },
    /// Somebody took a page of the audit log with them: the checkpoints after the first one up to the
    /// second.
    #[serde(rename = "audit.exported")]
    AuditExported { after: u64, last: u64 },
    /// A one-time code was sent to somebody who may open a share link.
    #[serde(rename = "share.code-sent")]
    ShareCodeSent { share: ShareId },
    /// A vendor failed too often and is called no more, but for a few trials (S1-064).
    #[serde(rename = "breaker.opened")]
    BreakerOpened { vendor: String },
    /// It works again; for so long it was not called.
    #[serde(rename = "breaker.closed")]
    BreakerClosed { vendor: String, seconds: u64 },
    /// Of what was promised, more was broken in thirty days than may be (S2-028).
    #[serde(rename = "error-budget.breached")]
    ErrorBudgetBreached {
        objective: Objective,
        /// Of the budget; a million is all of it.
        spent_millionths: u64,
    },
    /// It is not any more.
    #[serde(rename = "error-budget.restored")]
    ErrorBudgetRestored { objective: Objective },
    /// An operator lets changes through although a budget is spent. Why is a personal field.
    #[serde(rename = "freeze.lifted")]
    FreezeLifted {
        #[serde(with = "time::serde::rfc3339")]
        until: OffsetDateTime,
    },
    /// An operator takes that back.
    #[serde(rename = "freeze.restored")]
    FreezeRestored,
    /// This part of a month's budget is spent, in percent.
    #[serde(rename = "budget.reached")]
    BudgetReached { percent: u64 },
    /// A guardrail acts from now on, or would.
    #[serde(rename = "guardrail.began")]
    GuardrailBegan { rail: Rail, mode: Mode },
    /// It does not any more.
    #[serde(rename = "guardrail.ended")]
    GuardrailEnded { rail: Rail },
    /// An operator has it do nothing until the month ends. Why is a personal field.
    #[serde(rename = "guardrail.lifted")]
    GuardrailLifted { rail: Rail },
    /// An operator takes that back.
    #[serde(rename = "guardrail.restored")]
    GuardrailRestored { rail: Rail },
    /// A link costs so much that it opens for nobody, or would.
    #[serde(rename = "guardrail.link-paused")]
    LinkPaused { share: ShareId, mode: Mode },
    /// It costs less than was thought, or its month is over: it opens again.
    #[serde(rename = "guardrail.link-unpaused")]
    LinkUnpaused { share: ShareId },
    /// An operator lets it open all the same. Why is a personal field.
    #[serde(rename = "guardrail.link-resumed")]
    LinkResumed { share: ShareId },
    /// An operator takes that back.
    #[serde(rename = "guardrail.link-paused-again")]
    LinkPausedAgain { share: ShareId },
    /// The cost report of a month is written down, of the organisation or of everybody together, and does
    /// not change any more. The digests are SHA-256, in hexadecimal, of its JSON and of its table.
    #[serde(rename = "cost-report.closed")]
    CostReportClosed {
        period: Month,
        everybody: bool,
        due: Money,
        digest: String,
        sheet: String,
    },
    /// Something went wrong, or did again.
    #[serde(rename = "incident.opened")]
    IncidentOpened {
        incident: IncidentId,
        #[serde(flatten)]
        matter: Matter,
    },
    /// It is worse than it seemed, or was noticed in another way, too.
    #[serde(rename = "incident.updated")]
    IncidentUpdated { incident: IncidentId },
    /// Somebody takes care of it.
    #[serde(rename = "incident.acknowledged")]
    IncidentAcknowledged { incident: IncidentId },
    /// It hurts nobody any more.
    #[serde(rename = "incident.mitigated")]
    IncidentMitigated { incident: IncidentId },
    /// It is over.
    #[serde(rename = "incident.closed")]
    IncidentClosed { incident: IncidentId },
    /// What is to be learnt from it is learnt.
    #[serde(rename = "incident.reviewed")]
    IncidentReviewed { incident: IncidentId },
    /// Nobody took care of it for a quarter of an hour (S0-045).
    #[serde(rename = "incident.escalated")]
    IncidentEscalated { incident: IncidentId },
    /// A backup was restored to see whether it can be (`backup_restore_tested`, S2-027).
    #[serde(rename = "backup.restore-tested")]
    BackupRestoreTested {
        /// The table that it was restored into.
        table: String,
        items: u64,
        /// SHA-256 of them, in hexadecimal.
        digest: String,
        seconds: u64,
        /// Whether what was restored is what was backed up.
        restored: bool,
    },
    /// An operator vouches for a table that was restored: its links play again. Why is a personal field.
    #[serde(rename = "restore.released")]
    RestoreReleased {
        /// The table that the backup was made of.
        from: String,
        table: String,
    },
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
    use ulid::Ulid;

    use super::*;
    use crate::resilience::Vendor;

    #[test]
    fn the_stored_form_of_late_comers_is_stable() {
        let share = Ulid::from_bytes([0; 16]).into();
        let spread = Event::LinkSpread { share, networks: 9 };
        let guessing = Event::TokenGuessing { tries: 20 };
        let closed = Event::CostReportClosed {
            period: "2026-01".parse().unwrap(),
            everybody: true,
            due: Money::of_micros(12_500_000),
            digest: "aa".to_owned(),
            sheet: "bb".to_owned(),
        };
        let opened = Event::IncidentOpened {
            incident: Ulid::from_bytes([0; 16]).into(),
            matter: Matter::VendorOutage(Vendor::Mux),
        };
        for (event, json) in [
            (
                closed,
                r#"{"type":"cost-report.closed","data":{"period":"2026-01","everybody":true,"due":"12.500000","digest":"aa","sheet":"bb"}}"#,
            ),
            (
                opened,
                r#"{"type":"incident.opened","data":{"incident":"inc_00000000000000000000000000","kind":"vendor-outage","subject":"mux"}}"#,
            ),
            (
                spread,
                r#"{"type":"abuse.link-spread","data":{"share":"shr_00000000000000000000000000","networks":9}}"#,
            ),
            (
                guessing,
                r#"{"type":"abuse.token-guessing","data":{"tries":20}}"#,
            ),
        ] {
            assert_eq!(serde_json::to_string(&event).unwrap(), json);
            assert_eq!(serde_json::from_str::<Event>(json).unwrap(), event);
        }
    }
}
