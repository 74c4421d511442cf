//! What an organisation demands of all its links. It counts when a link is made or changed; those that
//! are there stay as they are.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use time::Duration;

use super::{ShareError, ShareLink, fields::Domain, gate::Rules};
use crate::{
    app::Parts,
    auth::Member,
    events::Event,
    ids::TenantId,
    mux::Resolution,
    store::{ATTEMPTS, Guard, StoreError, Write, keys},
};

/// What links of an organisation must ask for, and may not exceed. The default demands nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Policy {
    /// The longest life, in hours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_hours: Option<u32>,
    /// What every link must ask for.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub required: BTreeSet<Demand>,
    pub comments_forbidden: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_resolution: Option<Resolution>,
    /// On no other pages may a link play.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allowed_domains: Vec<Domain>,
}

/// What a link may be demanded to ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Demand {
    Password,
    AllowedEmails,
    SignIn,
}

impl Policy {
    /// How long a link may live, if so much is allowed to everybody.
    pub(super) fn most(&self, everybody: Duration) -> Duration {
        let own = self.max_hours.map(|it| Duration::hours(it.into()));
        own.map_or(everybody, |own| own.min(everybody))
    }

    /// Whether a link ends in time, counted from when it was made: extending it does not go around it.
    pub(super) fn check_end(&self, link: &ShareLink) -> Result<(), ShareError> {
        let most = self.max_hours.map(|it| Duration::hours(it.into()));
        if most.is_some_and(|most| link.created_at + most < link.expires_at) {
            return Err(ShareError::Policy(
                "links may not live longer than maxHours",
            ));
        }
        Ok(())
    }

    /// Makes the rules of a link keep to this, where that takes no answer from its owner.
    pub(super) fn apply(&self, rules: &mut Rules) -> Result<(), ShareError> {
        if self.required.contains(&Demand::Password) && rules.password.is_none() {
            return Err(ShareError::Policy("links must have a password"));
        }
        if self.required.contains(&Demand::AllowedEmails) && rules.emails.is_empty() {
            return Err(ShareError::Policy("links must have allowedEmails"));
        }
        rules.sign_in |= self.required.contains(&Demand::SignIn);
        rules.comments &= !self.comments_forbidden;
        if let Some(most) = self.max_resolution {
            rules.resolution = Some(rules.resolution.map_or(most, |it| it.min(most)));
        }
        let allowed = &self.allowed_domains;
        if rules.domains.is_empty() {
            rules.domains.clone_from(allowed);
        } else if !allowed.is_empty() && rules.domains.iter().any(|it| !allowed.contains(it)) {
            return Err(ShareError::Policy("links may not play on these domains"));
        }
        Ok(())
    }

    fn check(&self) -> Result<(), ShareError> {
        if self.max_hours.is_some_and(|hours| hours < 24) {
            return Err(ShareError::Field("maxHours must be at least 24"));
        }
        super::create::check_domains(&self.allowed_domains)
    }
}

#[derive(Default, Serialize, Deserialize)]
struct Row {
    version: u64,
    #[serde(flatten)]
    policy: Policy,
}

/// The policy of a tenant.
pub(super) async fn of(app: &Parts, tenant: TenantId) -> Result<Policy, ShareError> {
    let row: Option<Row> = app.store.get(&keys::sharing_policy(tenant)).await?;
    Ok(row.unwrap_or_default().policy)
}

/// Puts another policy in the place of the one that there is.
pub(super) async fn set(
    app: &Parts,
    member: &Member,
    policy: Policy,
) -> Result<Policy, ShareError> {
    policy.check()?;
    let key = keys::sharing_policy(member.tenant);
    let mut attempt = 1;
    loop {
        let before: Option<Row> = app.store.get(&key).await?;
        let guard = before
            .as_ref()
            .map_or(Guard::Absent, |it| Guard::Version(it.version));
        let (version, known) = before
            .as_ref()
            .map_or((0, Policy::default()), |it| (it.version, it.policy.clone()));
        if known == policy {
            return Ok(policy);
        }
        let next = Row {
            version: version + 1,
            policy: policy.clone(),
        };
        let changed = Event::PolicyChanged {
            policy: policy.clone(),
        };
        let rows = (before.as_ref(), Some(&next));
        let act = member.act();
        let event = act.write_change(app, member.tenant, changed, rows.0, rows.1)?;
        let writes = vec![Write::put(key.clone(), &next, guard)?, event];
        match app.store.commit(writes).await {
            Ok(()) => return Ok(policy),
            Err(StoreError::Conflict { .. }) if attempt < ATTEMPTS => attempt += 1,
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_fills_in_what_it_can_and_refuses_what_only_the_owner_knows() {
        let policy = Policy {
            required: BTreeSet::from([Demand::SignIn]),
            comments_forbidden: true,
            max_resolution: Some(Resolution::P720),
            allowed_domains: vec!["example.com".parse().unwrap()],
            ..Policy::default()
        };
        let mut rules = Rules {
            resolution: Some(Resolution::P1080),
            ..Rules::default()
        };
        policy.apply(&mut rules).unwrap();
        assert!(rules.sign_in && !rules.comments);
        assert_eq!(rules.resolution, Some(Resolution::P720));
        assert_eq!(rules.domains, policy.allowed_domains);
        rules.domains = vec!["example.org".parse().unwrap()];
        assert!(policy.apply(&mut rules).is_err());
        let strict = Policy {
            required: BTreeSet::from([Demand::Password]),
            ..Policy::default()
        };
        assert!(strict.apply(&mut Rules::default()).is_err());
    }
}
