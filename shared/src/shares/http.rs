//! The share links' routes: parse, call the service, shape the answer.

use axum::{extract::State as Handle, http::StatusCode};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::{
    ShareError,
    manage::{self, Taken},
    model::{Label, Life, ShareLink, ShareToken, State},
    service::{self, Extras},
};
use crate::{
    address::ClientAddress,
    app::{App, Parts},
    assets::{PageQuery, Title},
    auth::{Admin, Editor, Reader},
    http::{Json, Path, Query},
    ids::{AssetId, RequestId, ShareId},
    problem::Problem,
    router::Route,
    store::Page,
};

/// What a guest may do through a link.
pub fn guest_routes() -> Vec<Route> {
    vec![Route::get("/api/share/{token}", open)]
}

/// Across the tenant.
pub fn tenant_routes() -> Vec<Route> {
    vec![
        Route::get("/api/shares", list),
        Route::patch("/api/shares/{id}", change),
        Route::delete("/api/shares/{id}", revoke),
        Route::post("/api/shares/revoke", revoke_all),
    ]
}

/// Of one video.
pub fn asset_routes() -> Vec<Route> {
    vec![
        Route::get("/api/assets/{id}/shares", list_of_asset),
        Route::post("/api/assets/{id}/shares", create),
        Route::post("/api/assets/{id}/shares/revoke", revoke_all_of_asset),
    ]
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct CreateBody {
    label: String,
    expires_in_hours: Option<u32>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ShareBody {
    id: ShareId,
    asset_id: AssetId,
    label: Label,
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
    fn of(link: ShareLink, now: OffsetDateTime) -> Self {
        let (state, revoked_at) = match link.state {
            State::Revoked { at, .. } => (StateBody::Revoked, Some(at)),
            State::Ended { .. } => (StateBody::Ended, None),
            State::Active if link.check(now).is_err() => (StateBody::Expired, None),
            State::Active => (StateBody::Active, None),
        };
        Self {
            id: link.id,
            asset_id: link.asset,
            label: link.label,
            state,
            created_at: link.created_at,
            expires_at: link.expires_at,
            revoked_at,
        }
    }
}

/// The one answer that holds the token.
#[derive(Serialize)]
struct CreatedBody {
    #[serde(flatten)]
    share: ShareBody,
    token: String,
    url: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PageBody {
    shares: Vec<ShareBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<ShareId>,
}

impl PageBody {
    fn of(page: Page<ShareLink>, now: OffsetDateTime) -> Json<Self> {
        let last = page.items.last().map(|link| link.id);
        let links = page.items.into_iter();
        Json(Self {
            next_cursor: last.filter(|_| page.more),
            shares: links.map(|link| ShareBody::of(link, now)).collect(),
        })
    }
}

/// What a viewer gets (S0-078), and what a player needs to go on without a gap.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OpenedBody {
    playback_url: String,
    #[serde(with = "time::serde::rfc3339")]
    expires_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    renew_after: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    link_expires_at: OffsetDateTime,
    title: Title,
    #[serde(skip_serializing_if = "Option::is_none")]
    aspect_ratio: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    poster_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    storyboard_url: Option<String>,
}

/// `?include=poster,storyboard`.
#[derive(Deserialize)]
struct OpenQuery {
    #[serde(default)]
    include: String,
}

impl OpenQuery {
    fn extras(&self) -> Result<Extras, ShareError> {
        let mut extras = Extras::default();
        for name in self.include.split(',').filter(|it| !it.is_empty()) {
            match name {
                "poster" => extras.poster = true,
                "storyboard" => extras.storyboard = true,
                _ => return Err(ShareError::Field("include knows poster and storyboard")),
            }
        }
        Ok(extras)
    }
}

async fn open(
    Handle(app): Handle<App>,
    request: Option<RequestId>,
    address: Option<ClientAddress>,
    Path(token): Path<ShareToken>,
    Query(query): Query<OpenQuery>,
) -> Result<Json<OpenedBody>, Problem> {
    let opened = service::open(&app, &token, query.extras()?, request, address).await?;
    Ok(Json(OpenedBody {
        playback_url: opened.playback.into(),
        expires_at: opened.expires_at,
        renew_after: opened.renew_after,
        link_expires_at: opened.link.expires_at,
        aspect_ratio: opened.asset.lifecycle.aspect_ratio().map(str::to_owned),
        title: opened.asset.title,
        poster_url: opened.poster.map(Into::into),
        storyboard_url: opened.storyboard.map(Into::into),
    }))
}

async fn create(
    Handle(app): Handle<App>,
    Editor(member): Editor,
    Path(asset): Path<AssetId>,
    Json(body): Json<CreateBody>,
) -> Result<(StatusCode, Json<CreatedBody>), Problem> {
    let usual = Duration::days(app.config.share_days.into());
    let life = Life::new(body.expires_in_hours, usual, app.config.share_max())?;
    let label = body.label.parse()?;
    let (link, token) = service::create(&app, &member, asset, label, life).await?;
    let token = token.reveal();
    let body = CreatedBody {
        url: page(&app, &token)?,
        share: ShareBody::of(link, app.clock.now()),
        token,
    };
    Ok((StatusCode::CREATED, Json(body)))
}

/// The page on which a guest watches.
fn page(app: &Parts, token: &str) -> Result<String, Problem> {
    let mut url = app.config.public_url.clone();
    url.path_segments_mut()
        .map_err(|()| ShareError::Field("links cannot be made here"))?
        .pop_if_empty()
        .extend(["s", token]);
    Ok(url.into())
}

async fn list(
    Handle(app): Handle<App>,
    Reader(member): Reader,
    Query(page): Query<PageQuery<ShareId>>,
) -> Result<Json<PageBody>, Problem> {
    let (after, limit) = page.read()?;
    let page = service::list(&app, member.tenant, after, limit).await?;
    Ok(PageBody::of(page, app.clock.now()))
}

async fn list_of_asset(
    Handle(app): Handle<App>,
    Reader(member): Reader,
    Path(asset): Path<AssetId>,
    Query(page): Query<PageQuery<ShareId>>,
) -> Result<Json<PageBody>, Problem> {
    let (after, limit) = page.read()?;
    let page = service::list_of_asset(&app, member.tenant, asset, after, limit).await?;
    Ok(PageBody::of(page, app.clock.now()))
}

async fn revoke(
    Handle(app): Handle<App>,
    Editor(member): Editor,
    Path(id): Path<ShareId>,
) -> Result<Json<ShareBody>, Problem> {
    let link = manage::revoke(&app, &member, id).await?;
    Ok(Json(ShareBody::of(link, app.clock.now())))
}

/// What is not said stays as it is.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ChangeBody {
    label: Option<String>,
    /// From now on.
    expires_in_hours: Option<u32>,
}

async fn change(
    Handle(app): Handle<App>,
    Editor(member): Editor,
    Path(id): Path<ShareId>,
    Json(body): Json<ChangeBody>,
) -> Result<Json<ShareBody>, Problem> {
    let label = body.label.map(|it| it.parse()).transpose()?;
    let usual = Duration::days(app.config.share_days.into());
    let most = app.config.share_max();
    let hours = body.expires_in_hours;
    let life = hours
        .map(|it| Life::new(Some(it), usual, most))
        .transpose()?;
    let link = manage::change(&app, &member, id, label, life).await?;
    Ok(Json(ShareBody::of(link, app.clock.now())))
}

/// `cursor` is the `nextCursor` of the step before: a hundred links are taken back by one request.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RevokeBody {
    cursor: Option<ShareId>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RevokedBody {
    /// Links that were active until now.
    revoked: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<ShareId>,
}

impl From<Taken> for RevokedBody {
    fn from(taken: Taken) -> Self {
        Self {
            revoked: taken.revoked,
            next_cursor: taken.next,
        }
    }
}

async fn revoke_all(
    Handle(app): Handle<App>,
    Admin(member): Admin,
    Json(body): Json<RevokeBody>,
) -> Result<Json<RevokedBody>, Problem> {
    let taken = manage::revoke_all(&app, &member, None, body.cursor).await?;
    Ok(Json(taken.into()))
}

async fn revoke_all_of_asset(
    Handle(app): Handle<App>,
    Editor(member): Editor,
    Path(asset): Path<AssetId>,
    Json(body): Json<RevokeBody>,
) -> Result<Json<RevokedBody>, Problem> {
    let taken = manage::revoke_all(&app, &member, Some(asset), body.cursor).await?;
    Ok(Json(taken.into()))
}
