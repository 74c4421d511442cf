//! Replaces secrets one by one, a step at a time, so that nobody is refused on the way.

mod mux;
pub mod plan;
pub mod secret;
mod store;

use std::io::Read;

use anyhow::{Context, bail, ensure};
use audit_verify::SigningKey;
use aws_config::BehaviorVersion;
use clap::{Args, ValueEnum};
use shared::clock::{Clock, SystemClock};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

pub use self::{mux::MuxKeys, store::Kept};
use self::{
    plan::{Fresh, Next},
    secret::{Maker, Secret, Step},
};
use crate::console::Console;

/// Replace a secret by a new one, a step at a time: first every instance takes the new one, then all use it,
/// at last the old one counts no more. Run it again for the next step; it says when that is.
#[derive(Args)]
pub struct Rotate {
    /// Which one; without it, how far each has come is shown.
    secret: Option<Secret>,
    /// Name or ARN of the secret of AWS Secrets Manager that holds all of them.
    #[arg(long, env = "SECRETS_ID")]
    id: String,
    /// Where Mux's API is, for the key that signs playback tokens.
    #[arg(long, default_value = "https://api.mux.com")]
    mux_api: String,
    /// Say what would be done, and do nothing.
    #[arg(long)]
    dry_run: bool,
}

/// Does the next step, or says when it can be done. What others make is read from standard input: the id
/// and the value on two lines, or the value alone where there is no id.
pub async fn run(console: &Console, rotate: &Rotate) -> anyhow::Result<()> {
    let aws = aws_config::load_defaults(BehaviorVersion::v2026_01_12()).await;
    let client = aws_sdk_secretsmanager::Client::new(&aws);
    let kept = Kept::read(client, &rotate.id).await?;
    let now = SystemClock.now();
    let Some(secret) = rotate.secret else {
        for secret in Secret::value_variants() {
            console.line(&format!(
                "{:<28} {}",
                secret.variable(),
                status(&kept, *secret, now)
            ));
        }
        return Ok(());
    };
    let step = match kept.document.next(secret, now) {
        Next::Step(step) => step,
        Next::Wait(step, until) => bail!(
            "too early to {step}: not before {}, when nobody needs the old one any more",
            told(until)
        ),
    };
    if rotate.dry_run {
        console.line(&format!("would {step} {}", secret.variable()));
        return Ok(());
    }
    let mux = MuxKeys::new(&rotate.mux_api, &kept.document)?;
    let fresh = match step {
        Step::Accept | Step::Use if kept.document.progress(secret).is_none() => {
            Some(made(secret, &mux).await?)
        }
        Step::Accept | Step::Use | Step::Retire => None,
    };
    let after = advance(kept, secret, step, fresh, now, &mux).await?;
    console.line(&format!("{}: {step}, done", secret.variable()));
    match after.document.next(secret, now) {
        Next::Wait(next, until) => {
            console.line(&format!("next: {next}, not before {}", told(until)));
        }
        Next::Step(_) => console.line("that is all"),
    }
    if let Some(advice) = advice(secret, step) {
        console.line(advice);
    }
    Ok(())
}

/// One step, written only if nobody else has written since.
pub async fn advance(
    kept: Kept,
    secret: Secret,
    step: Step,
    fresh: Option<Fresh>,
    now: OffsetDateTime,
    mux: &MuxKeys,
) -> anyhow::Result<Kept> {
    let old = kept.document.progress(secret).and_then(|it| it.old);
    let made = fresh.as_ref().and_then(|it| it.id.clone());
    let next = kept.document.after(secret, step, fresh, now)?;
    // Deleted first: if the note of it is lost, the step is done again, and finds nothing to delete.
    if let (Secret::MuxSigningKey, Step::Retire, Some(old)) = (secret, step, old) {
        mux.delete(&old).await?;
    }
    let written = kept.write(next).await;
    written.with_context(|| match (secret, made) {
        (Secret::MuxSigningKey, Some(id)) => {
            format!("Mux has made the signing key {id}, which nobody uses: delete it there")
        }
        _ => "nothing was changed".to_owned(),
    })
}

async fn made(secret: Secret, mux: &MuxKeys) -> anyhow::Result<Fresh> {
    match secret.is_made_by() {
        Maker::Us => generated(secret),
        Maker::Mux => mux.create().await,
        Maker::Operator => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text)?;
            let mut lines = text.lines().map(str::trim).filter(|it| !it.is_empty());
            let id =
                (secret == Secret::MuxToken).then(|| lines.next().unwrap_or_default().to_owned());
            let value = lines.next().unwrap_or_default().to_owned();
            ensure!(
                !value.is_empty(),
                "{} is read from standard input, and nothing was there",
                secret.variable()
            );
            Ok(Fresh { id, value })
        }
    }
}

/// A new secret of ours: 32 random bytes, or a key.
pub fn generated(secret: Secret) -> anyhow::Result<Fresh> {
    let value = if secret == Secret::AuditSigningKey {
        SigningKey::generate()?
    } else {
        hex::encode(rand::random::<[u8; 32]>())
    };
    Ok(Fresh { id: None, value })
}

fn status(kept: &Kept, secret: Secret, now: OffsetDateTime) -> String {
    let Some(progress) = kept.document.progress(secret) else {
        return "no rotation under way".to_owned();
    };
    let done = format!("{} since {}", progress.done, told(progress.at));
    match kept.document.next(secret, now) {
        Next::Step(step) => format!("{done}; {step} can be done"),
        Next::Wait(step, until) => format!("{done}; {step} not before {}", told(until)),
    }
}

/// What somebody has to do elsewhere.
fn advice(secret: Secret, step: Step) -> Option<&'static str> {
    match (secret, step) {
        (Secret::MuxWebhookSigningSecret, Step::Accept) => {
            Some("in ten minutes: switch the new endpoint on at Mux, then the old one off")
        }
        (Secret::MuxWebhookSigningSecret, Step::Retire) => Some("delete the old endpoint at Mux"),
        (Secret::CronSecret, Step::Use) => {
            Some("give the new one to whoever calls: Vercel's CRON_SECRET, and who deploys")
        }
        (Secret::MuxToken, Step::Use) => Some("in ten minutes: revoke the old token at Mux"),
        (Secret::SmtpUrl, Step::Use) => Some("in ten minutes: the old password can go"),
        (Secret::AuditSigningKey, Step::Accept) => {
            Some("auditors find the new public key at /api/audit/key from now on")
        }
        _ => None,
    }
}

fn told(at: OffsetDateTime) -> String {
    let seconds = at.replace_nanosecond(0).unwrap_or(at);
    seconds.format(&Rfc3339).unwrap_or_default()
}
