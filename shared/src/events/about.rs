//! What an event is about.

use super::Event;

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
            | Self::AssetUpdated { asset }
            | Self::ShareCreated { asset, .. }
            | Self::ShareOpened { asset, .. }
            | Self::ShareRevoked { asset, .. }
            | Self::ShareEnded { asset, .. }
            | Self::ShareExtended { asset, .. }
            | Self::ShareRelabelled { asset, .. }
            | Self::ShareRenewed { asset, .. } => Some(asset.to_string()),
            Self::ShareRefused { share, .. }
            | Self::ShareUnlocked { share, .. }
            | Self::ShareCodeSent { share }
            | Self::ShareNotUnlocked { share, .. }
            | Self::ShareRulesChanged { share }
            | Self::ShareExpiring { share, .. }
            | Self::ShareExpired { share }
            | Self::ShareCut { share, .. }
            | Self::ShareCutting { share, .. }
            | Self::LinkPaused { share, .. }
            | Self::LinkUnpaused { share }
            | Self::LinkResumed { share }
            | Self::LinkPausedAgain { share }
            | Self::LinkSpread { share, .. } => Some(share.to_string()),
            Self::LetterStuck { .. }
            | Self::LetterParked { .. }
            | Self::LetterReplayed { .. }
            | Self::LetterDiscarded { .. }
            | Self::LetterTried { .. }
            | Self::LetterSettled { .. }
            | Self::ReplayBegun { .. }
            | Self::ReplayEnded { .. }
            | Self::AlertRaised { .. }
            | Self::AlertCleared { .. }
            | Self::ComparisonEnded { .. }
            | Self::PolicyChanged { .. }
            | Self::TokenGuessing { .. }
            | Self::AuditErased { .. }
            | Self::BreakerOpened { .. }
            | Self::BreakerClosed { .. }
            | Self::ErrorBudgetBreached { .. }
            | Self::ErrorBudgetRestored { .. }
            | Self::FreezeLifted { .. }
            | Self::FreezeRestored
            | Self::BudgetReached { .. }
            | Self::GuardrailBegan { .. }
            | Self::GuardrailEnded { .. }
            | Self::GuardrailLifted { .. }
            | Self::GuardrailRestored { .. }
            | Self::CostReportClosed { .. }
            | Self::IncidentOpened { .. }
            | Self::IncidentUpdated { .. }
            | Self::IncidentAcknowledged { .. }
            | Self::IncidentMitigated { .. }
            | Self::IncidentClosed { .. }
            | Self::IncidentReviewed { .. }
            | Self::IncidentEscalated { .. }
            | Self::BackupRestoreTested { .. }
            | Self::RestoreReleased { .. }
            | Self::AuditExported { .. } => None,
        }
    }
}
