//! What an owner may say of a link, field by field. Pure.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::ShareError;

macro_rules! texts {
    ($($name:ident)*) => {$(
        impl TryFrom<String> for $name {
            type Error = ShareError;

            fn try_from(text: String) -> Result<Self, ShareError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(it: $name) -> Self {
                it.0
            }
        }
    )*};
}

texts! { Label Recipient Email EmailRule Domain }

/// The shortest life of a link (S0-056).
const LIFE_MIN: Duration = Duration::hours(24);

/// What the link is for, in its owner's words: 1 to 100 characters on one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Label(String);

const LABEL_MAX: usize = 100;

impl FromStr for Label {
    type Err = ShareError;

    fn from_str(text: &str) -> Result<Self, ShareError> {
        line(text).map(Self).ok_or(ShareError::Field(
            "label must have 1 to 100 characters on one line",
        ))
    }
}

fn line(text: &str) -> Option<String> {
    let text = text.trim();
    let good =
        (1..=LABEL_MAX).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    good.then(|| text.to_owned())
}

/// Whom the link is for: a name or an e-mail address. All links of a recipient can be taken back at
/// once; for that, case does not matter. It is about a person, so `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Recipient(String);

impl Recipient {
    /// By what the recipient's links are found.
    pub fn key(&self) -> String {
        self.0.to_lowercase()
    }
}

impl std::fmt::Debug for Recipient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Recipient(…)")
    }
}

impl FromStr for Recipient {
    type Err = ShareError;

    fn from_str(text: &str) -> Result<Self, ShareError> {
        line(text).map(Self).ok_or(ShareError::Field(
            "recipient must have 1 to 100 characters on one line",
        ))
    }
}

/// An e-mail address, in lower case. It is about a person, so `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Email(String);

/// RFC 5321, section 4.5.3.1.3: a path of 256 with its brackets.
const EMAIL_MAX: usize = 254;

impl Email {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Email {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Email(…)")
    }
}

impl FromStr for Email {
    type Err = ShareError;

    /// One that mail can be sent to. Whether it exists, the code shows that is sent there.
    fn from_str(text: &str) -> Result<Self, ShareError> {
        let text = text.trim().to_lowercase();
        let refused = ShareError::Field("email must be an e-mail address");
        // In quotes or with backslashes, one mailbox would have many spellings.
        let spelled = text.contains(['"', '\\']);
        if spelled || text.len() > EMAIL_MAX || text.parse::<lettre::Address>().is_err() {
            return Err(refused);
        }
        Ok(Self(text))
    }
}

/// Who may ask for a code: one address, or with `@example.com` everybody of a domain.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EmailRule(String);

impl EmailRule {
    pub fn admits(&self, email: &Email) -> bool {
        if self.0.starts_with('@') {
            return email.0.ends_with(&self.0);
        }
        email.0 == self.0
    }
}

impl std::fmt::Debug for EmailRule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EmailRule(…)")
    }
}

impl FromStr for EmailRule {
    type Err = ShareError;

    fn from_str(text: &str) -> Result<Self, ShareError> {
        let text = text.trim().to_lowercase();
        let whole = if text.starts_with('@') {
            format!("anybody{text}")
        } else {
            text.clone()
        };
        let good = whole.parse::<Email>().is_ok();
        good.then_some(Self(text)).ok_or(ShareError::Field(
            "allowedEmails must be e-mail addresses, or @ and a domain",
        ))
    }
}

/// A domain whose pages may play the link: `example.com`, or `*.example.com` for all below it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Domain(String);

impl Domain {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Domain {
    type Err = ShareError;

    fn from_str(text: &str) -> Result<Self, ShareError> {
        let text = text.trim().to_lowercase();
        let name = text.strip_prefix("*.").unwrap_or(&text);
        let refused = ShareError::Field("allowedDomains must be names such as example.com");
        match url::Host::parse(name) {
            Ok(url::Host::Domain(parsed))
                if parsed == name && name.contains('.') && !name.contains('*') =>
            {
                Ok(Self(text))
            }
            _ => Err(refused),
        }
    }
}

/// How long a link shall live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Life(Duration);

impl Life {
    /// Hours, or what is usual here; at least a day, at most what is allowed here.
    pub(super) fn new(
        hours: Option<u32>,
        usual: Duration,
        most: Duration,
    ) -> Result<Self, ShareError> {
        let life = hours.map_or(usual.min(most), |hours| Duration::hours(hours.into()));
        if life < LIFE_MIN {
            return Err(ShareError::Field("expiresInHours must be at least 24"));
        }
        if life > most {
            return Err(ShareError::Field(
                "expiresInHours is more than links may live",
            ));
        }
        Ok(Self(life))
    }

    pub(super) fn after(self, now: OffsetDateTime) -> OffsetDateTime {
        now + self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_admits_an_address_or_a_whole_domain_and_nobody_else() {
        let sam: Email = "Sam@Example.com".parse().unwrap();
        for (rule, admitted) in [
            ("sam@example.com", true),
            ("@example.com", true),
            ("@EXAMPLE.com", true),
            ("kim@example.com", false),
            ("@ample.com", false),
            ("@sub.example.com", false),
        ] {
            let rule: EmailRule = rule.parse().unwrap();
            assert_eq!(rule.admits(&sam), admitted, "{}", String::from(rule));
        }
        for text in ["", "@", "sam", "sam@", "a b@example.com", "@exa mple.com"] {
            assert!(text.parse::<EmailRule>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_domain_is_a_name_and_nothing_that_goes_around_one() {
        for text in ["example.com", "*.example.com", "Studio.Example.com"] {
            assert!(text.parse::<Domain>().is_ok(), "{text}");
        }
        for text in [
            "",
            "*",
            "com",
            "https://example.com",
            "example.com/x",
            "127.0.0.1",
            "*.*.com",
        ] {
            assert!(text.parse::<Domain>().is_err(), "{text}");
        }
    }
}
