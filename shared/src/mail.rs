//! Mail that goes out, over SMTP: every provider speaks it, Amazon SES too. Who is written to, and
//! what, is never logged.

use lettre::{
    AsyncSmtpTransport, AsyncTransport, Tokio1Executor,
    message::{Mailbox, header::ContentType},
};
use secrecy::{ExposeSecret, SecretString};
use time::Duration;

use crate::{
    app::Parts,
    resilience::{Again, Attempts, Call, Failure, HeldBack, Repeat, Vendor, Verdict},
};

/// How long a server is waited for. Somebody is waiting, too.
const PATIENCE: Duration = Duration::seconds(5);

/// A letter of a few lines.
pub struct Message {
    pub to: String,
    pub subject: String,
    pub text: String,
}

/// Sends mail.
pub struct Mail {
    smtp: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

/// Why mail was not sent. It names no address.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    #[error("SMTP_URL is not the address of a mail server")]
    Server,
    #[error("MAIL_FROM is not an address such as `Portal <portal@example.com>`")]
    From,
    #[error("the letter could not be written")]
    Letter,
    #[error("the mail server did not take the letter, and never will")]
    Refused,
    /// It may have been taken, and then it is sent.
    #[error("the mail server did not take the letter ({0})")]
    Later(&'static str),
    #[error("the mail server is not asked: {0}")]
    HeldBack(HeldBack),
}

impl Mail {
    /// `smtp` as in `smtps://user:password@server:465`.
    pub fn new(smtp: &SecretString, from: &str) -> Result<Self, MailError> {
        let server = AsyncSmtpTransport::<Tokio1Executor>::from_url(smtp.expose_secret());
        Ok(Self {
            smtp: server
                .map_err(|_| MailError::Server)?
                .timeout(Some(PATIENCE.unsigned_abs()))
                .build(),
            from: from.parse().map_err(|_| MailError::From)?,
        })
    }

    /// Sends a letter, which says who it is for by an id: of a link, say. No second try, so that nobody
    /// gets it twice: whoever waits for it asks again.
    pub async fn send(
        &self,
        app: &Parts,
        message: Message,
        entity: String,
    ) -> Result<(), MailError> {
        let call = Call {
            vendor: Vendor::Mail,
            operation: "send",
            entity,
            deadline: app.clock.now() + PATIENCE,
            longest: PATIENCE,
            repeat: Repeat::Doubles,
            pace: None,
        };
        let mut attempts = Attempts::new(app, call);
        let turn = attempts.begin().await.map_err(MailError::HeldBack)?;
        match self.deliver(message).await {
            Ok(()) => {
                attempts.succeeded(turn).await;
                Ok(())
            }
            Err(error) => {
                attempts.failed(turn, &error).await;
                Err(error)
            }
        }
    }

    async fn deliver(&self, message: Message) -> Result<(), MailError> {
        let to: Mailbox = message.to.parse().map_err(|_| MailError::Letter)?;
        let letter = lettre::Message::builder()
            .from(self.from.clone())
            .to(to)
            .subject(message.subject)
            .header(ContentType::TEXT_PLAIN)
            .body(message.text)
            .map_err(|_| MailError::Letter)?;
        let sent = self.smtp.send(letter).await;
        sent.map(drop).map_err(|error| {
            // The server's own words may repeat the address.
            if error.is_permanent() {
                MailError::Refused
            } else if error.is_timeout() {
                MailError::Later("in time")
            } else {
                MailError::Later("for now")
            }
        })
    }
}

impl Failure for MailError {
    fn verdict(&self) -> Verdict {
        match self {
            Self::Refused => Verdict::Well,
            Self::Later(_) => Verdict::Ailing,
            Self::Server | Self::From | Self::Letter | Self::HeldBack(_) => Verdict::Neither,
        }
    }

    fn again(&self) -> Again {
        match self {
            Self::Later(_) => Again::Uncertain,
            Self::Server | Self::From | Self::Letter | Self::Refused | Self::HeldBack(_) => {
                Again::Never
            }
        }
    }
}
