//! What owners send about links, and what they are answered.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{
    ShareError,
    create::{RulesWish, Wish},
    fields::{Domain, Label, Recipient},
    manage::{Change, Taken},
    model::{Cut, ShareLink, State},
};
use crate::{
    http::{Json, Said},
    ids::{AssetId, ShareId},
    mux::Resolution,
    store::Page,
};

/// A new link, or what shall change of one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct LinkBody {
    label: Option<String>,
    recipient: Option<String>,
    /// From now on.
    expires_in_hours: Option<u32>,
    assets: Option<Vec<AssetId>>,
    #[serde(default)]
    password: Said<String>,
    allowed_emails: Option<Vec<String>>,
    sign_in_required: Option<bool>,
    comments_allowed: Option<bool>,
    #[serde(default)]
    max_resolution: Said<Resolution>,
    allowed_domains: Option<Vec<String>>,
}

impl LinkBody {
    /// A new link. `of` is the video that the path names, if it names one.
    pub(super) fn new_link(self, of: Option<AssetId>) -> Result<Wish, ShareError> {
        let assets = match (of, self.assets.clone()) {
            (Some(_), Some(_)) => {
                return Err(ShareError::Field("assets: the video is in the path"));
            }
            (Some(of), None) => vec![of],
            (None, assets) => assets.unwrap_or_default(),
        };
        let recipient = self.recipient.as_deref().map(str::parse).transpose()?;
        let change = Self {
            assets: None,
            recipient: None,
            ..self
        };
        let change = change.change()?;
        Ok(Wish {
            assets,
            label: change
                .label
                .ok_or(ShareError::Field("label must be there"))?,
            recipient,
            hours: change.hours,
            rules: change.rules,
        })
    }

    /// What shall change.
    pub(super) fn change(self) -> Result<Change, ShareError> {
        if self.assets.is_some() || self.recipient.is_some() {
            return Err(ShareError::Field(
                "assets and recipient stay as they are: make another link",
            ));
        }
        let emails = |it: Vec<String>| it.iter().map(|it| it.parse()).collect();
        let domains = |it: Vec<String>| it.iter().map(|it| it.parse()).collect();
        Ok(Change {
            label: self.label.as_deref().map(str::parse).transpose()?,
            hours: self.expires_in_hours,
            rules: RulesWish {
                password: self.password,
                emails: self.allowed_emails.map(emails).transpose()?,
                sign_in: self.sign_in_required,
                comments: self.comments_allowed,
                resolution: self.max_resolution,
                domains: self.allowed_domains.map(domains).transpose()?,
            },
        })
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ShareBody {
    id: ShareId,
    /// The first of its videos.
    #[serde(skip_serializing_if = "Option::is_none")]
    asset_id: Option<AssetId>,
    /// All of them, if there are more.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    assets: Vec<AssetId>,
    label: Label,
    #[serde(skip_serializing_if = "Option::is_none")]
    recipient: Option<Recipient>,
    state: StateBody,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    expires_at: OffsetDateTime,
    #[serde(
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    revoked_at: Option<OffsetDateTime>,
    /// How long it took until nobody could play by it.
    #[serde(skip_serializing_if = "Option::is_none")]
    cut: Option<Cut>,
    has_password: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    allowed_emails: Vec<super::fields::EmailRule>,
    sign_in_required: bool,
    comments_allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_resolution: Option<Resolution>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    allowed_domains: Vec<Domain>,
}

#[derive(Serialize)]
#[serde(rename_all = "UPPERCASE")]
enum StateBody {
    Active,
    Expired,
    Revoked,
    Ended,
}

impl ShareBody {
    pub(super) fn of(link: ShareLink, now: OffsetDateTime) -> Self {
        let (state, revoked_at) = match link.state {
            State::Revoked { at, .. } => (StateBody::Revoked, Some(at)),
            State::Ended { .. } => (StateBody::Ended, None),
            State::Active if link.check(now).is_err() => (StateBody::Expired, None),
            State::Active => (StateBody::Active, None),
        };
        Self {
            id: link.id,
            asset_id: link.assets.first().copied(),
            assets: Some(link.assets)
                .filter(|it| it.len() > 1)
                .unwrap_or_default(),
            label: link.label,
            recipient: link.recipient,
            state,
            created_at: link.created_at,
            expires_at: link.expires_at,
            revoked_at,
            cut: link.cut,
            has_password: link.rules.password.is_some(),
            allowed_emails: link.rules.emails,
            sign_in_required: link.rules.sign_in,
            comments_allowed: link.rules.comments,
            max_resolution: link.rules.resolution,
            allowed_domains: link.rules.domains,
        }
    }
}

/// The one answer that holds the token.
#[derive(Serialize)]
pub(super) struct CreatedBody {
    #[serde(flatten)]
    pub share: ShareBody,
    pub token: String,
    pub url: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PageBody {
    shares: Vec<ShareBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<ShareId>,
}

impl PageBody {
    pub(super) fn of(page: Page<ShareLink>, now: OffsetDateTime) -> Json<Self> {
        let last = page.items.last().map(|link| link.id);
        let links = page.items.into_iter();
        Json(Self {
            next_cursor: last.filter(|_| page.more),
            shares: links.map(|link| ShareBody::of(link, now)).collect(),
        })
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RevokedBody {
    /// Links that were active until now.
    revoked: u32,
    /// How many of them still play for those who have just opened them, until Mux has been told.
    cutting: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<ShareId>,
}

impl From<Taken> for RevokedBody {
    fn from(taken: Taken) -> Self {
        Self {
            revoked: taken.revoked,
            cutting: taken.cutting,
            next_cursor: taken.next,
        }
    }
}
