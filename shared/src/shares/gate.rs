//! What a viewer must show before a link opens, and what they may do then. Pure.

use serde::{Deserialize, Serialize};

use super::{
    fields::{Domain, Email, EmailRule},
    grant::Grant,
    password::PasswordHash,
};
use crate::{
    ids::UserId,
    mux::{Resolution, RestrictionId},
};

/// What a link asks for and allows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<PasswordHash>,
    /// Who may ask for a code. Nobody in it: no code is asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub emails: Vec<EmailRule>,
    /// Whether a viewer must be signed in (S0-078).
    #[serde(default)]
    pub sign_in: bool,
    /// Whether a viewer may comment.
    #[serde(default = "yes")]
    pub comments: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolution: Option<Resolution>,
    /// On whose pages it plays. Nobody in it: on all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub domains: Vec<Domain>,
    /// What makes Mux see to that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restriction: Option<RestrictionId>,
    /// Grows with every change of what a viewer must show: what was shown before counts no more.
    #[serde(default)]
    pub epoch: u32,
}

fn yes() -> bool {
    true
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            password: None,
            emails: Vec::new(),
            sign_in: false,
            comments: true,
            resolution: None,
            domains: Vec::new(),
            restriction: None,
            epoch: 0,
        }
    }
}

/// Who stands before the gate, as far as they have shown it.
#[derive(Debug, Clone, Default)]
pub struct Visitor {
    pub grant: Option<Grant>,
    pub user: Option<UserId>,
}

/// What is still to be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lock {
    SignIn,
    Password,
    Code,
}

impl Rules {
    /// The first thing that this visitor has still to show; `None` lets them in.
    pub fn lock(&self, visitor: &Visitor) -> Option<Lock> {
        let grant = visitor.grant.as_ref();
        let grant = grant.filter(|it| it.epoch == self.epoch);
        if self.sign_in && visitor.user.is_none() {
            return Some(Lock::SignIn);
        }
        if self.password.is_some() && !grant.is_some_and(|it| it.password) {
            return Some(Lock::Password);
        }
        if !self.emails.is_empty() && grant.is_none_or(|it| it.email.is_none()) {
            return Some(Lock::Code);
        }
        None
    }

    /// Whether a code may be sent to this address.
    pub fn admits(&self, email: &Email) -> bool {
        self.emails.iter().any(|it| it.admits(email))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(password: bool, email: bool, epoch: u32) -> Visitor {
        let noon = time::OffsetDateTime::UNIX_EPOCH;
        let mut grant = Grant::begin(ulid::Ulid::from_bytes([1; 16]).into(), epoch, noon);
        grant.password = password;
        grant.email = email.then(|| "digest".to_owned());
        Visitor {
            grant: Some(grant),
            user: None,
        }
    }

    #[test]
    fn every_rule_asks_for_its_own_and_all_of_them_have_to_be_met() {
        let mut rules = Rules::default();
        assert_eq!(rules.lock(&Visitor::default()), None);
        rules.emails = vec!["@example.com".parse().unwrap()];
        rules.password = Some(PasswordHash::made_up());
        rules.epoch = 3;
        assert_eq!(rules.lock(&Visitor::default()), Some(Lock::Password));
        assert_eq!(rules.lock(&grant(true, false, 3)), Some(Lock::Code));
        assert_eq!(rules.lock(&grant(false, true, 3)), Some(Lock::Password));
        assert_eq!(rules.lock(&grant(true, true, 3)), None);
        rules.sign_in = true;
        assert_eq!(rules.lock(&grant(true, true, 3)), Some(Lock::SignIn));
    }

    #[test]
    fn what_was_shown_before_the_rules_changed_counts_no_more() {
        let rules = Rules {
            password: Some(PasswordHash::made_up()),
            epoch: 1,
            ..Rules::default()
        };
        assert_eq!(rules.lock(&grant(true, false, 0)), Some(Lock::Password));
    }
}
