//! What a viewer shows to a link that asks for something: a password, or a code that was sent by
//! e-mail. What was shown is signed and given back, so that it is shown once.

use serde::{Deserialize, Serialize};
use subtle::{Choice, ConstantTimeEq};
use time::{Duration, OffsetDateTime};

use super::{
    ShareError,
    fields::Email,
    gate::Lock,
    grant::Grant,
    model::ShareLink,
    open::{Admitted, Asked, knock, refused},
};
use crate::{
    app::Parts,
    events::{Act, Actor, Event, Shown},
    limits::{self, Rule},
    mail::{Mail, Message},
    secrets::Keys,
    store::{Guard, StoreError, Write, keys},
    telemetry,
};

/// How long a code counts.
const CODE_LIFE: Duration = Duration::minutes(10);

/// After what time it is answered whether a code was sent or not: most mail servers take less.
const ANSWER: Duration = Duration::SECOND;

/// What a viewer shows.
#[derive(Debug)]
pub(super) struct Key {
    pub password: Option<String>,
    pub email: Option<Email>,
    pub code: Option<String>,
}

/// What they are given for it.
pub(super) struct Unlocked {
    pub grant: String,
    pub until: OffsetDateTime,
    /// What is still to be shown.
    pub lock: Option<Lock>,
}

/// Takes what is shown, and gives a grant for it.
pub(super) async fn unlock(app: &Parts, asked: &Asked, key: Key) -> Result<Unlocked, ShareError> {
    let now = app.clock.now();
    let Admitted {
        link,
        grant,
        mut act,
        ..
    } = knock(app, asked, now).await?;
    if let Err(over) = link.check(now) {
        refused(app, &act, &link, &over).await;
        return Err(over);
    }
    let begin = || Grant::begin(app.ids.mint(), link.rules.epoch, now);
    let mut grant = grant
        .filter(|it| it.epoch == link.rules.epoch)
        .unwrap_or_else(begin);
    if let Actor::Guest { session, .. } = &mut act.actor {
        *session = Some(grant.session);
    }
    let (mut by, mut came) = (Vec::new(), None);
    if let Some(password) = key.password {
        if link.rules.password.is_none() {
            return Err(ShareError::Field("this link asks for no password"));
        }
        // A try is taken before it is looked at, or many at once would be as good as one.
        let subject = link.id.to_string();
        let tried = limits::take(app, Rule::PasswordTriesPerLink, &subject, None).await?;
        let right = is_password(&link, password).await?;
        let wrong = ShareError::WrongPassword;
        attempt(app, &act, &link, Shown::Password, right, wrong).await?;
        limits::give_back(app, tried).await?;
        grant.password = true;
        by.push(Shown::Password);
    }
    if let Some((email, code)) = key.email.zip(key.code) {
        asks_for_code(&link)?;
        let subject = link.id.to_string();
        let tried = limits::take(app, Rule::CodeTriesPerLink, &subject, None).await?;
        // The list may have changed since the code was sent.
        let admitted = link.rules.admits(&email);
        let right = admitted && take_code(app, &link, &email, &code, now).await?;
        attempt(app, &act, &link, Shown::Code, right, ShareError::WrongCode).await?;
        limits::give_back(app, tried).await?;
        grant.email = Some(whom(&app.keys(), &link, &email));
        came = Some(email.as_str().to_owned());
        by.push(Shown::Code);
    }
    if by.is_empty() {
        return Err(ShareError::Field(
            "show a password, or an email with its code",
        ));
    }
    let unlocked = Event::ShareUnlocked { share: link.id, by };
    let mut entry = act.envelope(app, link.tenant, unlocked);
    if let Some(email) = came {
        // Who it was, until somebody asks for it to be erased.
        entry.tell(app, "email", email);
    }
    entry.note(app).await?;
    let visitor = super::gate::Visitor {
        grant: Some(grant.clone()),
        user: None,
    };
    let text = app.keys().grants.write(link.id, &grant);
    Ok(Unlocked {
        grant: text.ok_or(ShareError::Grant)?,
        until: grant.until,
        lock: link.rules.lock(&visitor),
    })
}

fn asks_for_code(link: &ShareLink) -> Result<(), ShareError> {
    if link.rules.emails.is_empty() {
        return Err(ShareError::Field("this link asks for no code"));
    }
    Ok(())
}

/// A wrong one is noted.
async fn attempt(
    app: &Parts,
    act: &Act,
    link: &ShareLink,
    by: Shown,
    right: bool,
    wrong: ShareError,
) -> Result<(), ShareError> {
    if right {
        return Ok(());
    }
    let event = Event::ShareNotUnlocked { share: link.id, by };
    act.note(app, link.tenant, event).await?;
    Err(wrong)
}

/// Hashing takes long, and others wait for the same thread. A link without a password takes none.
async fn is_password(link: &ShareLink, password: String) -> Result<bool, ShareError> {
    let Some(hash) = link.rules.password.clone() else {
        return Ok(false);
    };
    let checking = tokio::task::spawn_blocking(move || hash.is_of(&password));
    checking.await.map_err(|_| ShareError::Password)
}

/// A code that was sent, until it is used.
#[derive(Serialize, Deserialize)]
struct Code {
    digest: String,
    #[serde(with = "time::serde::rfc3339")]
    until: OffsetDateTime,
    version: u64,
}

/// Sends a code to an address that the link admits. To one that it does not, nothing is sent, and the
/// answer is the same: who is on the list is nobody's business.
pub(super) async fn send_code(app: &Parts, asked: &Asked, email: &Email) -> Result<(), ShareError> {
    let now = app.clock.now();
    let Admitted { link, act, .. } = knock(app, asked, now).await?;
    if let Err(over) = link.check(now) {
        refused(app, &act, &link, &over).await;
        return Err(over);
    }
    asks_for_code(&link)?;
    let whom = whom(&app.keys(), &link, email);
    // Taken for everybody, admitted or not.
    limits::take(app, Rule::CodesPerLink, &link.id.to_string(), None).await?;
    limits::take(app, Rule::CodesPerEmail, &whom, None).await?;
    let keys = app.keys();
    let mail = keys.mail.as_ref().filter(|_| link.rules.admits(email));
    let sending = async {
        match mail {
            Some(mail) => send(app, &act, mail, &link, &whom, email).await,
            None => Ok(()),
        }
    };
    // Sending takes time, and not sending must not take less.
    let (sent, ()) = tokio::join!(sending, app.clock.pause(ANSWER));
    if let Err(error) = sent {
        let error = telemetry::chain(&error);
        tracing::error!(alert = "mail", share.id = %link.id, error, "a code was not sent");
    }
    Ok(())
}

/// Makes a code, keeps what tells it, and sends it.
async fn send(
    app: &Parts,
    act: &Act,
    mail: &Mail,
    link: &ShareLink,
    whom: &str,
    email: &Email,
) -> Result<(), ShareError> {
    let number = u32::from_be_bytes(app.ids.secret().last_chunk().copied().unwrap_or_default());
    let text = format!("{:08}", number % 100_000_000);
    let key = keys::code(link.id, whom);
    let before: Option<Code> = app.store.get(&key).await?;
    let code = Code {
        digest: digest(&app.keys(), whom, &text),
        until: app.clock.now() + CODE_LIFE,
        version: before.as_ref().map_or(1, |it| it.version + 1),
    };
    let guard = before.map_or(Guard::Absent, |it| Guard::Version(it.version));
    let mut entry = act.envelope(app, link.tenant, Event::ShareCodeSent { share: link.id });
    entry.tell(app, "email", email.as_str().to_owned());
    let row = Write::put(key.expiring(code.until), &code, guard)?;
    match app.store.commit(vec![row, entry.write()?]).await {
        Ok(()) => {}
        // Another request has just sent one.
        Err(StoreError::Conflict { .. }) => return Ok(()),
        Err(error) => return Err(error.into()),
    }
    let message = Message {
        to: email.as_str().to_owned(),
        subject: format!("Your code: {text}"),
        text: format!(
            "{text} opens the video that was shared with you.\n\nIt counts for ten minutes. If you did not ask for it, do nothing."
        ),
    };
    mail.send(app, message, link.id.to_string()).await?;
    Ok(())
}

/// What the table keeps of a code. A plain digest of so few digits would be found by trying.
fn digest(keys: &Keys, whom: &str, code: &str) -> String {
    keys.pseudonyms.hide(&of_code(whom, code))
}

fn of_code(whom: &str, code: &str) -> String {
    format!("{whom} {code}")
}

/// Whether this is the code; it can be used once. It may have been sent when another key hid whom it is for.
async fn take_code(
    app: &Parts,
    link: &ShareLink,
    email: &Email,
    text: &str,
    now: OffsetDateTime,
) -> Result<bool, ShareError> {
    let keys = app.keys();
    for whom in keys.pseudonyms.all(&of_email(link, email)) {
        let key = keys::code(link.id, &whom);
        let code: Option<Code> = app.store.get(&key).await?;
        let shown = of_code(&whom, text.trim());
        let same = |it: &Code| {
            let shown = keys.pseudonyms.all(&shown);
            let same = shown.map(|shown| it.digest.as_bytes().ct_eq(shown.as_bytes()));
            bool::from(same.fold(Choice::from(0), |any, this| any | this))
        };
        let right = code.filter(|it| now < it.until && same(it));
        let Some(code) = right else { continue };
        return match app.store.delete(&key, Guard::Version(code.version)).await {
            Ok(()) => Ok(true),
            // Somebody used it just now.
            Err(StoreError::Conflict { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        };
    }
    Ok(false)
}

/// An address, hidden: another one for each link.
fn whom(keys: &Keys, link: &ShareLink, email: &Email) -> String {
    keys.pseudonyms.hide(&of_email(link, email))
}

fn of_email(link: &ShareLink, email: &Email) -> String {
    format!("{} {}", link.id, email.as_str())
}
