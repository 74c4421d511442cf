//! The owners' routes of share links: parse, call the use case, shape the answer.

use axum::{extract::State as Handle, http::StatusCode};
use serde::Deserialize;

use super::{
    Policy, ShareError,
    bodies::{CreatedBody, LinkBody, PageBody, RevokedBody, ShareBody},
    create, manage, policy,
    retire::{RetireError, Retired, retire},
    rows::{self, Of},
};
use crate::{
    app::{App, Parts},
    assets::{self, PageQuery},
    auth::{Admin, Editor, Member, Reader},
    http::{Json, Path, Query},
    ids::{AssetId, ShareId},
    jobs::{RunBody, Scheduled},
    problem::Problem,
    router::Route,
};

/// Across the tenant.
pub fn tenant_routes() -> Vec<Route> {
    vec![
        Route::get("/api/shares", list),
        Route::post("/api/shares", create_of_list),
        Route::patch("/api/shares/{id}", change),
        Route::delete("/api/shares/{id}", revoke),
        Route::post("/api/shares/revoke", revoke_all),
        Route::get("/api/share-policy", policy_of),
        Route::patch("/api/share-policy", set_policy),
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

/// The schedule's.
pub fn retire_routes() -> Vec<Route> {
    vec![Route::get("/api/cron/retire", retire_now)]
}

async fn create(
    Handle(app): Handle<App>,
    Editor(member): Editor,
    Path(asset): Path<AssetId>,
    Json(body): Json<LinkBody>,
) -> Result<(StatusCode, Json<CreatedBody>), Problem> {
    created(&app, &member, body, Some(asset)).await
}

async fn create_of_list(
    Handle(app): Handle<App>,
    Editor(member): Editor,
    Json(body): Json<LinkBody>,
) -> Result<(StatusCode, Json<CreatedBody>), Problem> {
    created(&app, &member, body, None).await
}

async fn created(
    app: &Parts,
    member: &Member,
    body: LinkBody,
    of: Option<AssetId>,
) -> Result<(StatusCode, Json<CreatedBody>), Problem> {
    let (link, token) = Box::pin(create::create(app, member, body.new_link(of)?)).await?;
    let token = token.reveal();
    let body = CreatedBody {
        url: page(app, &token)?,
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
    let page = rows::list(&app, member.tenant, &Of::Tenant, after, limit).await?;
    Ok(PageBody::of(page, app.clock.now()))
}

async fn list_of_asset(
    Handle(app): Handle<App>,
    Reader(member): Reader,
    Path(asset): Path<AssetId>,
    Query(page): Query<PageQuery<ShareId>>,
) -> Result<Json<PageBody>, Problem> {
    let (after, limit) = page.read()?;
    let of = Of::Asset(assets::find(&app, member.tenant, asset).await?.id);
    let page = rows::list(&app, member.tenant, &of, after, limit).await?;
    Ok(PageBody::of(page, app.clock.now()))
}

async fn revoke(
    Handle(app): Handle<App>,
    Editor(member): Editor,
    Path(id): Path<ShareId>,
) -> Result<Json<ShareBody>, Problem> {
    let link = Box::pin(manage::revoke(&app, &member, id)).await?;
    Ok(Json(ShareBody::of(link, app.clock.now())))
}

async fn change(
    Handle(app): Handle<App>,
    Editor(member): Editor,
    Path(id): Path<ShareId>,
    Json(body): Json<LinkBody>,
) -> Result<Json<ShareBody>, Problem> {
    let link = Box::pin(manage::change(&app, &member, id, body.change()?)).await?;
    Ok(Json(ShareBody::of(link, app.clock.now())))
}

/// `cursor` is the `nextCursor` of the step before: a hundred links are taken back by one request.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RevokeBody {
    /// Those of one recipient only.
    recipient: Option<String>,
    cursor: Option<ShareId>,
}

async fn revoke_all(
    Handle(app): Handle<App>,
    Admin(member): Admin,
    Json(body): Json<RevokeBody>,
) -> Result<Json<RevokedBody>, Problem> {
    let recipient = body.recipient.map(|it| it.parse()).transpose()?;
    let of = recipient.map_or(Of::Tenant, Of::Recipient);
    let taken = manage::revoke_all(&app, &member, &of, body.cursor).await?;
    Ok(Json(taken.into()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RevokeOfAssetBody {
    cursor: Option<ShareId>,
}

async fn revoke_all_of_asset(
    Handle(app): Handle<App>,
    Editor(member): Editor,
    Path(asset): Path<AssetId>,
    Json(body): Json<RevokeOfAssetBody>,
) -> Result<Json<RevokedBody>, Problem> {
    let of = Of::Asset(assets::find(&app, member.tenant, asset).await?.id);
    let taken = manage::revoke_all(&app, &member, &of, body.cursor).await?;
    Ok(Json(taken.into()))
}

async fn policy_of(
    Handle(app): Handle<App>,
    Reader(member): Reader,
) -> Result<Json<Policy>, Problem> {
    Ok(Json(policy::of(&app, member.tenant).await?))
}

async fn set_policy(
    Handle(app): Handle<App>,
    Admin(member): Admin,
    Json(body): Json<Policy>,
) -> Result<Json<Policy>, Problem> {
    Ok(Json(policy::set(&app, &member, body).await?))
}

async fn retire_now(
    _: Scheduled,
    Handle(app): Handle<App>,
) -> Result<Json<RunBody<Retired>>, Problem> {
    Ok(Json(retire(&app).await?.into()))
}

impl From<RetireError> for Problem {
    fn from(error: RetireError) -> Self {
        Self::internal(error)
    }
}
