//! New links, and what their owners may say of them.

use futures::future;
use sha2::{Digest, Sha256};
use time::{Duration, OffsetDateTime};

use super::{
    ShareError,
    fields::{Domain, EmailRule, Label, Life, Recipient},
    gate::Rules,
    model::{ShareLink, State},
    password::PasswordHash,
    policy, rows,
    token::ShareToken,
};
use crate::{
    app::Parts,
    assets::{self, Asset, Status},
    auth::Member,
    events::Event,
    http::Said,
    ids::AssetId,
    mux::{Resolution, RestrictionId},
    store::{Guard, StoreError, keys},
};

/// How many videos one link may lead to.
const ASSETS_MAX: usize = 50;

/// How many addresses and domains one link may name.
const EMAILS_MAX: usize = 100;

/// One restriction of Mux takes ten domains (mux.com/docs/guides/secure-video-playback); one of them is
/// that of our own page.
const DOMAINS_MAX: usize = 9;

/// What an owner wishes of a new link.
#[derive(Debug)]
pub(super) struct Wish {
    pub assets: Vec<AssetId>,
    pub label: Label,
    pub recipient: Option<Recipient>,
    pub hours: Option<u32>,
    pub rules: RulesWish,
}

/// What an owner wishes a link to ask for and allow; what is not said stays as it is.
#[derive(Debug, Default)]
pub(super) struct RulesWish {
    pub password: Said<String>,
    pub emails: Option<Vec<EmailRule>>,
    pub sign_in: Option<bool>,
    pub comments: Option<bool>,
    pub resolution: Said<Resolution>,
    pub domains: Option<Vec<Domain>>,
}

/// Makes a link to videos that are there or on their way. The token is in this answer and nowhere else.
pub(super) async fn create(
    app: &Parts,
    member: &Member,
    wish: Wish,
) -> Result<(ShareLink, ShareToken), ShareError> {
    let now = app.clock.now();
    let first = shareable(app, member, &wish.assets, now).await?;
    let policy = policy::of(app, member.tenant).await?;
    let life = life(app, &policy, wish.hours)?;
    let mut rules = Rules::default();
    change_rules(app, &mut rules, wish.rules, &policy).await?;
    let token = ShareToken::new(app.ids.mint(), first, app.ids.secret());
    let link = ShareLink {
        id: token.share,
        tenant: member.tenant,
        assets: wish.assets,
        label: wish.label,
        recipient: wish.recipient,
        created_by: member.user,
        created_at: now,
        expires_at: life.after(now),
        state: State::Active,
        rules,
        playbacks: Vec::new(),
        shared_until: None,
        unsigned: false,
        warned: false,
        refused_after_ms: None,
        cut: None,
        held_until: None,
        digest: token.digest(),
        version: 1,
    };
    let created = Event::ShareCreated {
        share: link.id,
        asset: first,
    };
    let writes = rows::first(app, &link, &member.act(), created)?;
    app.store.commit(writes).await?;
    Ok((link, token))
}

/// Whether all of these can be shared; the first of them.
async fn shareable(
    app: &Parts,
    member: &Member,
    ids: &[AssetId],
    now: OffsetDateTime,
) -> Result<AssetId, ShareError> {
    let first = *ids
        .first()
        .ok_or(ShareError::Field("assets must name a video"))?;
    if ids.len() > ASSETS_MAX {
        return Err(ShareError::Field("assets must be at most 50"));
    }
    if (1..ids.len()).any(|place| ids[..place].contains(&ids[place])) {
        return Err(ShareError::Field("assets names a video twice"));
    }
    let found = ids.iter().map(|id| assets::find(app, member.tenant, *id));
    for asset in future::try_join_all(found).await? {
        let asset: Asset = asset;
        match asset.status(now) {
            Status::AwaitingUpload | Status::Processing | Status::Ready => {}
            Status::Deleted => return Err(ShareError::Deleted),
            Status::Failed | Status::Cancelled | Status::Expired => {
                return Err(ShareError::Field(
                    "the video has failed and cannot be shared",
                ));
            }
        }
    }
    Ok(first)
}

/// How long a link shall live, if its owner says so many hours, or nothing.
pub(super) fn life(
    app: &Parts,
    policy: &policy::Policy,
    hours: Option<u32>,
) -> Result<Life, ShareError> {
    let usual = Duration::days(app.config.share_days.into());
    Life::new(hours, usual, policy.most(app.config.share_max()))
}

/// Changes rules as their owner wishes and the policy allows. Whether anything changed.
pub(super) async fn change_rules(
    app: &Parts,
    rules: &mut Rules,
    wish: RulesWish,
    policy: &policy::Policy,
) -> Result<bool, ShareError> {
    let before = rules.clone();
    match wish.password {
        Said::Nothing => {}
        Said::Away => rules.password = None,
        Said::This(text) => rules.password = Some(hashed(text, app.ids.secret()).await?),
    }
    if let Some(emails) = wish.emails {
        if emails.len() > EMAILS_MAX {
            return Err(ShareError::Field("allowedEmails must be at most 100"));
        }
        if !emails.is_empty() && app.keys().mail.is_none() {
            return Err(ShareError::Field(
                "allowedEmails needs mail, which is not set up here",
            ));
        }
        rules.emails = emails;
    }
    rules.sign_in = wish.sign_in.unwrap_or(rules.sign_in);
    rules.comments = wish.comments.unwrap_or(rules.comments);
    match wish.resolution {
        Said::Nothing => {}
        Said::Away => rules.resolution = None,
        Said::This(resolution) => rules.resolution = Some(resolution),
    }
    if let Some(domains) = wish.domains {
        check_domains(&domains)?;
        rules.domains = domains;
    }
    policy.apply(rules)?;
    if rules.domains != before.domains {
        rules.restriction = restriction(app, &rules.domains).await?;
    }
    let asks = |it: &Rules| (it.password.clone(), it.emails.clone(), it.sign_in);
    if asks(rules) != asks(&before) {
        rules.epoch += 1;
    }
    Ok(*rules != before)
}

/// Hashing takes long, and others wait for the same thread.
async fn hashed(password: String, salt: [u8; 32]) -> Result<PasswordHash, ShareError> {
    let hashing = move || PasswordHash::of(&password, &salt);
    let hashed = tokio::task::spawn_blocking(hashing).await;
    hashed.map_err(|_| ShareError::Password)?
}

pub(super) fn check_domains(domains: &[Domain]) -> Result<(), ShareError> {
    if domains.len() > DOMAINS_MAX {
        return Err(ShareError::Field("allowedDomains must be at most 9"));
    }
    Ok(())
}

/// How long somebody at a page waits for Mux.
const PATIENCE: Duration = Duration::seconds(10);

/// The restriction that Mux has for these domains; made if there is none yet. The same set has the
/// same one, in whatever order it is given.
async fn restriction(app: &Parts, domains: &[Domain]) -> Result<Option<RestrictionId>, ShareError> {
    let mut names: Vec<&str> = domains.iter().map(Domain::as_str).collect();
    if names.is_empty() {
        return Ok(None);
    }
    // A link always plays on the page that it leads to.
    names.extend(app.config.public_url.domain());
    names.sort_unstable();
    names.dedup();
    let key = keys::restriction(&digest(&names));
    let known: Option<Restriction> = app.store.get(&key).await?;
    if let Some(known) = known {
        return Ok(Some(known.id));
    }
    let made = Restriction {
        id: app
            .mux(PATIENCE, "domains")
            .create_restriction(&names)
            .await?,
    };
    match app.store.put(&key, &made, Guard::Absent).await {
        Ok(()) => Ok(Some(made.id)),
        // Somebody else made one, too: theirs is as good, and one more at Mux harms nobody.
        Err(StoreError::Conflict { .. }) => {
            let theirs: Option<Restriction> = app.store.get(&key).await?;
            Ok(Some(theirs.unwrap_or(made).id))
        }
        Err(error) => Err(error.into()),
    }
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Restriction {
    id: RestrictionId,
}

fn digest(names: &[&str]) -> String {
    hex::encode(Sha256::digest(names.join(" ")))
}
