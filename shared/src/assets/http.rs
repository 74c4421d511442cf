//! The assets' routes: parse, call the service, shape the answer.

use axum::{extract::State, response::Response};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{
    model::{Asset, Status, Title, Way},
    service,
};
use crate::{
    app::{App, Parts},
    auth::{Editor, Reader},
    etag::Known,
    http::{Json, PAGE, PAGE_MAX, Path, Query},
    ids::AssetId,
    mux::Failure,
    polling::{self, PollBody},
    problem::{Kind, Problem},
    router::Route,
};

pub fn routes() -> Vec<Route> {
    let mut routes = vec![Route::get("/api/assets", list)];
    for path in ["/api/assets/{id}", "/api/creative-assets/{id}"] {
        routes.push(Route::get(path, get));
        routes.push(Route::patch(path, rename));
        routes.push(Route::delete(path, delete));
    }
    routes
}

/// An asset as clients see it. Ids of Mux stay inside.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AssetBody {
    id: AssetId,
    title: Title,
    status: Status,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    updated_at: OffsetDateTime,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aspect_ratio: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorBody>,
    /// How it was learnt that nothing more is to be expected of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    closed_by: Option<Way>,
    /// When and where to ask again; absent when nothing more will happen by itself, and in a list,
    /// which is asked for as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    poll: Option<PollBody>,
}

/// Why a video failed, in Mux's words.
#[derive(Serialize)]
pub struct ErrorBody {
    r#type: String,
    message: String,
}

impl From<&Failure> for ErrorBody {
    fn from(failure: &Failure) -> Self {
        Self {
            r#type: failure.kind.clone(),
            message: failure.message.clone(),
        }
    }
}

impl AssetBody {
    fn of(asset: Asset, now: OffsetDateTime) -> Self {
        Self {
            id: asset.id,
            status: asset.status(now),
            created_at: asset.created_at,
            updated_at: asset.updated_at(),
            duration_seconds: asset.lifecycle.millis().map(seconds),
            aspect_ratio: asset.lifecycle.aspect_ratio().map(str::to_owned),
            error: asset.failure().map(ErrorBody::from),
            closed_by: asset.closed_by,
            title: asset.title,
            poll: None,
        }
    }

    /// The same, for whoever follows this one video.
    async fn alone(asset: Asset, app: &Parts) -> Self {
        let url = format!("/api/assets/{}", asset.id);
        let body = Self::of(asset, app.clock.now());
        let moving = !body.status.is_final();
        Self {
            poll: hint(app, moving, url).await,
            ..body
        }
    }
}

/// Where and when to ask again about what moves.
async fn hint(app: &Parts, moving: bool, url: String) -> Option<PollBody> {
    if !moving {
        return None;
    }
    Some(PollBody::new(polling::pace(app).await, url))
}

#[expect(clippy::cast_precision_loss, reason = "exact up to 285,000 years")]
fn seconds(millis: u64) -> f64 {
    millis as f64 / 1000.0
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PageBody {
    assets: Vec<AssetBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<AssetId>,
    /// When and where to ask for the same page again; absent when nothing in it will change by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    poll: Option<PollBody>,
}

/// How a list is asked for: `cursor` is the `nextCursor` of the page before.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PageQuery<Id> {
    limit: Option<u32>,
    cursor: Option<Id>,
}

impl<Id> PageQuery<Id> {
    /// The same of a query that asks for more than a page.
    pub(super) const fn new(limit: Option<u32>, cursor: Option<Id>) -> Self {
        Self { limit, cursor }
    }

    /// After which item, and how many.
    pub fn read(self) -> Result<(Option<Id>, u32), Problem> {
        let limit = self.limit.unwrap_or(PAGE);
        if (1..=PAGE_MAX).contains(&limit) {
            return Ok((self.cursor, limit));
        }
        Err(Problem::new(
            Kind::InvalidField,
            "limit must be from 1 to 100",
        ))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RenameBody {
    title: String,
}

async fn list(
    State(app): State<App>,
    Reader(member): Reader,
    Query(page): Query<PageQuery<AssetId>>,
    known: Known,
) -> Result<Response, Problem> {
    let (after, limit) = page.read()?;
    let url = match after {
        Some(id) => format!("/api/assets?limit={limit}&cursor={id}"),
        None => format!("/api/assets?limit={limit}"),
    };
    let page = service::list(&app, member.tenant, after, limit).await?;
    let now = app.clock.now();
    let last = page.items.last().map(|asset| asset.id);
    let moving = page.items.iter().any(|it| !it.status(now).is_final());
    let assets = page.items.into_iter();
    known.answer(&PageBody {
        next_cursor: last.filter(|_| page.more),
        poll: hint(&app, moving, url).await,
        assets: assets.map(|asset| AssetBody::of(asset, now)).collect(),
    })
}

async fn get(
    State(app): State<App>,
    Reader(member): Reader,
    Path(id): Path<AssetId>,
    known: Known,
) -> Result<Response, Problem> {
    let asset = service::find(&app, member.tenant, id).await?;
    known.answer(&AssetBody::alone(asset, &app).await)
}

async fn rename(
    State(app): State<App>,
    Editor(member): Editor,
    Path(id): Path<AssetId>,
    Json(body): Json<RenameBody>,
) -> Result<Json<AssetBody>, Problem> {
    let title = body.title.parse()?;
    let asset = service::rename(&app, &member, id, title).await?;
    Ok(Json(AssetBody::alone(asset, &app).await))
}

async fn delete(
    State(app): State<App>,
    Editor(member): Editor,
    Path(id): Path<AssetId>,
) -> Result<Json<AssetBody>, Problem> {
    let asset = service::delete(&app, &member, id).await?;
    Ok(Json(AssetBody::alone(asset, &app).await))
}
