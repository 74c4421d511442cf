//! What operators see of all videos, whoever's they are: where each stands, since when, and what Mux
//! is known to have of it. No titles, no people, no address that plays or takes a file.
//!
//! Read are the two lists that every video stands in until it is at rest: one of those that something
//! is expected of, and sixteen of the others. Age is a range of their keys and costs nothing. What a
//! key cannot answer is looked for in at most [`READ`] videos a request; the cursor goes on from there.

use std::{iter, str::FromStr};

use axum::extract::State;
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};
use ulid::Ulid;

use super::{
    http::{ErrorBody, PageQuery},
    model::{Asset, Status, Way},
};
use crate::{
    app::{App, Parts},
    auth::Operator,
    http::{Json, PAGE_MAX, Query},
    ids::{self, AssetId, TenantId},
    mux::{MuxAssetId, MuxUploadId},
    problem::{Kind, Problem},
    router::Route,
    store::{StoreError, keys, keys::Listing},
};

/// How many videos one request reads at the most: a few hundred kilobytes.
const READ: u32 = 200;

pub fn operators_routes() -> Vec<Route> {
    vec![Route::get("/api/debug/mux-assets", list)]
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ListQuery {
    status: Option<Status>,
    older_than_minutes: Option<u32>,
    newer_than_minutes: Option<u32>,
    unmatched: Option<bool>,
    limit: Option<u32>,
    cursor: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ListBody {
    assets: Vec<VideoBody>,
    /// How many videos were looked at.
    read: u32,
    /// There may be more. A page with one may be empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct VideoBody {
    id: AssetId,
    tenant: TenantId,
    status: Status,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    updated_at: OffsetDateTime,
    mux_uploads: Vec<String>,
    mux_assets: Vec<String>,
    /// Whether no asset of Mux is known of it.
    unmatched: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    closed_by: Option<Way>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorBody>,
}

impl VideoBody {
    fn of(asset: &Asset, now: OffsetDateTime) -> Self {
        let uploads = asset.lifecycle.uploads().map(MuxUploadId::as_str);
        let assets = asset.lifecycle.assets().map(MuxAssetId::as_str);
        Self {
            id: asset.id,
            tenant: asset.tenant,
            status: asset.status(now),
            created_at: asset.created_at,
            updated_at: asset.updated_at(),
            mux_uploads: uploads.map(str::to_owned).collect(),
            mux_assets: assets.map(str::to_owned).collect(),
            unmatched: asset.is_unmatched(),
            closed_by: asset.closed_by,
            error: asset.failure().map(ErrorBody::from),
        }
    }
}

/// Those that something is expected of come first; within each list, the newest.
async fn list(
    State(app): State<App>,
    _: Operator,
    Query(query): Query<ListQuery>,
) -> Result<Json<ListBody>, Problem> {
    let now = app.clock.now();
    let (cursor, limit) = PageQuery::new(query.limit, query.cursor).read()?;
    let foreign = || Problem::new(Kind::InvalidField, "cursor is not one of ours");
    let after = cursor.map(|it| it.parse().map_err(|()| foreign()));
    let ago = |minutes: u32| now - Duration::minutes(minutes.into());
    let wanted = Wanted {
        status: query.status,
        unmatched: query.unmatched,
        since: query.newer_than_minutes.map(ago),
        until: query.older_than_minutes.map(ago),
        now,
    };
    let found = find(&app, &wanted, after.transpose()?, limit).await?;
    Ok(Json(ListBody {
        assets: found
            .assets
            .iter()
            .map(|it| VideoBody::of(it, now))
            .collect(),
        read: found.read,
        next_cursor: found.next.map(|it| it.to_string()),
    }))
}

/// Which videos are asked for.
struct Wanted {
    status: Option<Status>,
    unmatched: Option<bool>,
    since: Option<OffsetDateTime>,
    until: Option<OffsetDateTime>,
    now: OffsetDateTime,
}

impl Wanted {
    fn is(&self, asset: &Asset) -> bool {
        self.status.is_none_or(|it| it == asset.status(self.now))
            && self.unmatched.is_none_or(|it| it == asset.is_unmatched())
    }

    /// Whether keys alone answer it.
    const fn is_plain(&self) -> bool {
        self.status.is_none() && self.unmatched.is_none()
    }

    /// Whether a list can hold any of them. An upload whose time is over stands among those that
    /// something is expected of until somebody has asked Mux.
    const fn may_be_in(&self, list: List) -> bool {
        match self.status {
            None | Some(Status::Expired) => true,
            Some(Status::AwaitingUpload | Status::Processing) => matches!(list, List::Open),
            Some(Status::Ready | Status::Failed | Status::Cancelled | Status::Deleted) => {
                matches!(list, List::Closed(_))
            }
        }
    }

    /// The oldest and the newest id of that age.
    fn ids(&self) -> (AssetId, AssetId) {
        let oldest = self
            .since
            .map_or(Ulid::nil().into(), |it| ids::bounds(it).0);
        let newest = self
            .until
            .map_or(Ulid::max().into(), |it| ids::bounds(it).1);
        (oldest, newest)
    }
}

/// What was found, and after which video to go on.
struct Found {
    assets: Vec<Asset>,
    read: u32,
    next: Option<Place>,
}

async fn find(
    app: &Parts,
    wanted: &Wanted,
    after: Option<Place>,
    limit: u32,
) -> Result<Found, StoreError> {
    let (oldest, newest) = wanted.ids();
    let (mut assets, mut read) = (Vec::new(), 0);
    let lists = List::all().skip_while(|list| after.is_some_and(|it| it.list() != *list));
    for list in lists.filter(|it| wanted.may_be_in(*it)) {
        let gone_by = after.filter(|it| it.list() == list);
        let mut from = gone_by.map_or(newest, |it| newest.min(ids::before(it.id())));
        while oldest <= from {
            let left = limit.saturating_sub(u32::try_from(assets.len()).unwrap_or(u32::MAX));
            let most = if wanted.is_plain() { left } else { PAGE_MAX };
            let listing = list.listing(oldest, from);
            let page = app
                .store
                .list::<Asset>(&listing, None, most.min(READ - read));
            let page = page.await?;
            for asset in page.items {
                let id = asset.id;
                read += 1;
                from = ids::before(id);
                if wanted.is(&asset) {
                    assets.push(asset);
                }
                if assets.len() >= limit as usize || read >= READ {
                    let next = Some(list.place(id));
                    return Ok(Found { assets, read, next });
                }
            }
            if !page.more {
                break;
            }
        }
    }
    Ok(Found {
        assets,
        read,
        next: None,
    })
}

/// One of the lists that videos stand in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum List {
    Open,
    Closed(u8),
}

impl List {
    /// In the order in which they are read.
    fn all() -> impl Iterator<Item = Self> {
        iter::once(Self::Open).chain((0..keys::CLOSED_SHARDS).map(Self::Closed))
    }

    /// The videos of it from one id to another, both included.
    fn listing(self, from: AssetId, to: AssetId) -> Listing {
        match self {
            Self::Open => keys::open_assets_between(from, to),
            Self::Closed(shard) => keys::closed_assets_between(shard, from, to),
        }
    }

    const fn place(self, id: AssetId) -> Place {
        match self {
            Self::Open => Place::Open(id),
            Self::Closed(_) => Place::Closed(id),
        }
    }
}

/// The last video that was looked at. Among the closed ones its id says in which list.
#[derive(Debug, Clone, Copy)]
enum Place {
    Open(AssetId),
    Closed(AssetId),
}

impl Place {
    const fn id(self) -> AssetId {
        match self {
            Self::Open(id) | Self::Closed(id) => id,
        }
    }

    fn list(self) -> List {
        match self {
            Self::Open(_) => List::Open,
            Self::Closed(id) => List::Closed(keys::closed_shard(id)),
        }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Open(id) => write!(f, "open-{id}"),
            Self::Closed(id) => write!(f, "closed-{id}"),
        }
    }
}

impl FromStr for Place {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (list, id) = text.split_once('-').ok_or(())?;
        let id = id.parse().map_err(drop)?;
        match list {
            "open" => Ok(Self::Open(id)),
            "closed" => Ok(Self::Closed(id)),
            _ => Err(()),
        }
    }
}
