//! Which secrets can be replaced, in which steps, and how long each step needs until the next one. Pure.

use std::fmt;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use shared::secrets::LOOK_AGAIN;
use time::Duration;

/// After how long every instance has taken over what was changed: twice the time after which it looks.
pub(super) const SPREAD: Duration = LOOK_AGAIN.saturating_mul(2);

/// How long a viewing session lives (`GRANT_LIFE` in `shared/src/shares/grant.rs`).
pub(super) const SESSION: Duration = Duration::hours(12);

/// How long Mux goes on sending what was not taken
/// (mux.com/docs/core/listen-for-webhooks: retried for 24 hours).
const RETRIES: Duration = Duration::hours(24);

/// A secret that can be replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Secret {
    GrantKey,
    PseudonymKey,
    CronSecret,
    AuditSigningKey,
    MuxWebhookSigningSecret,
    /// The key that signs playback tokens, and its id.
    MuxSigningKey,
    /// The access token of Mux's API, and its id.
    MuxToken,
    SmtpUrl,
}

/// A step of a rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// Everybody takes the new one; nobody uses it.
    Accept,
    /// Everybody uses the new one, and still takes the old one.
    Use,
    /// Nobody takes the old one any more.
    Retire,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Accept => "accept",
            Self::Use => "use",
            Self::Retire => "retire",
        })
    }
}

impl Secret {
    /// The variable that holds it.
    pub const fn variable(self) -> &'static str {
        match self {
            Self::GrantKey => "GRANT_KEY",
            Self::PseudonymKey => "PSEUDONYM_KEY",
            Self::CronSecret => "CRON_SECRET",
            Self::AuditSigningKey => "AUDIT_SIGNING_KEY",
            Self::MuxWebhookSigningSecret => "MUX_WEBHOOK_SIGNING_SECRET",
            Self::MuxSigningKey => "MUX_SIGNING_PRIVATE_KEY",
            Self::MuxToken => "MUX_TOKEN_SECRET",
            Self::SmtpUrl => "SMTP_URL",
        }
    }

    /// The variable that holds the id that belongs to it.
    pub(super) const fn id(self) -> Option<&'static str> {
        match self {
            Self::MuxSigningKey => Some("MUX_SIGNING_KEY_ID"),
            Self::MuxToken => Some("MUX_TOKEN_ID"),
            Self::GrantKey
            | Self::PseudonymKey
            | Self::CronSecret
            | Self::AuditSigningKey
            | Self::MuxWebhookSigningSecret
            | Self::SmtpUrl => None,
        }
    }

    /// What a rotation of it consists of, and after each step how long the next one waits.
    pub(super) fn course(self) -> Vec<(Step, Duration)> {
        const END: Duration = Duration::ZERO;
        match self {
            Self::GrantKey => vec![
                (Step::Accept, SPREAD),
                (Step::Use, SPREAD + SESSION),
                (Step::Retire, END),
            ],
            // A code that was sent lives for ten minutes, which is as long as it takes to spread.
            Self::PseudonymKey => vec![
                (Step::Accept, SPREAD),
                (Step::Use, SPREAD * 2),
                (Step::Retire, END),
            ],
            Self::CronSecret | Self::AuditSigningKey => vec![
                (Step::Accept, SPREAD),
                (Step::Use, SPREAD),
                (Step::Retire, END),
            ],
            // Which one is used is Mux's choice.
            Self::MuxWebhookSigningSecret => {
                vec![(Step::Accept, SPREAD + RETRIES), (Step::Retire, END)]
            }
            // Mux takes both until the old one is deleted there.
            Self::MuxSigningKey => vec![
                (Step::Use, SPREAD + shared::mux::TOKEN_LIFE),
                (Step::Retire, END),
            ],
            Self::MuxToken | Self::SmtpUrl => vec![(Step::Use, END)],
        }
    }

    /// Who makes the new one.
    pub const fn is_made_by(self) -> Maker {
        match self {
            Self::GrantKey | Self::PseudonymKey | Self::CronSecret | Self::AuditSigningKey => {
                Maker::Us
            }
            Self::MuxSigningKey => Maker::Mux,
            Self::MuxWebhookSigningSecret | Self::MuxToken | Self::SmtpUrl => Maker::Operator,
        }
    }
}

/// Who makes a new secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Maker {
    /// At random, here.
    Us,
    /// By a call of its API.
    Mux,
    /// Somebody else: it is told on standard input.
    Operator,
}
