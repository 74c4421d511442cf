//! Mail that goes out, over SMTP: every provider speaks it, Amazon SES too. Who is written to, and
//! what, is never logged.

use std::time::Duration;

use lettre::{
    AsyncSmtpTransport, AsyncTransport, Tokio1Executor,
    message::{Mailbox, header::ContentType},
};
use secrecy::{ExposeSecret, SecretString};

/// How long a server is waited for. Somebody is waiting, too.
const PATIENCE: Duration = Duration::from_secs(5);

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
    #[error("the mail server did not take the letter ({0})")]
    Refused(&'static str),
}

impl Mail {
    /// `smtp` as in `smtps://user:password@server:465`.
    pub fn new(smtp: &SecretString, from: &str) -> Result<Self, MailError> {
        let server = AsyncSmtpTransport::<Tokio1Executor>::from_url(smtp.expose_secret());
        Ok(Self {
            smtp: server
                .map_err(|_| MailError::Server)?
                .timeout(Some(PATIENCE))
                .build(),
            from: from.parse().map_err(|_| MailError::From)?,
        })
    }

    pub async fn send(&self, message: Message) -> Result<(), MailError> {
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
            MailError::Refused(if error.is_permanent() {
                "for good"
            } else if error.is_timeout() {
                "in time"
            } else {
                "for now"
            })
        })
    }
}
