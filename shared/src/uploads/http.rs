//! The uploads' routes: parse, call the service, shape the answer.

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::Response,
};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{
    UploadError,
    model::{IdempotencyKey, Order},
    service,
};
use crate::{
    app::{App, Parts},
    assets::{self, Asset, ErrorBody, Status, Title},
    auth::{Editor, Reader},
    etag::Known,
    http::{Json, Path},
    ids::AssetId,
    origin::Origin,
    polling::{self, PollBody},
    problem::Problem,
    router::Route,
    slo::Objective,
    traces,
};

pub fn routes() -> Vec<Route> {
    vec![
        Route::post("/api/uploads", create).promising(Objective::Uploads),
        Route::post("/api/mux/create-video-upload", create).promising(Objective::Uploads),
        Route::get("/api/uploads/{id}", status),
        Route::delete("/api/uploads/{id}", cancel),
    ]
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct CreateBody {
    title: String,
    content_type: String,
    size: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UploadBody {
    id: AssetId,
    title: Title,
    status: Status,
    /// Where to send the file; only while it is awaited.
    #[serde(skip_serializing_if = "Option::is_none")]
    upload_url: Option<String>,
    #[serde(
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    expires_at: Option<OffsetDateTime>,
    /// When and where to ask again; absent when nothing more will happen by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    poll: Option<PollBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorBody>,
}

impl UploadBody {
    async fn of(asset: Asset, app: &Parts) -> Self {
        let status = asset.status(app.clock.now());
        let waiting = status == Status::AwaitingUpload;
        let poll = if status.is_final() {
            None
        } else {
            let url = format!("/api/uploads/{}", asset.id);
            Some(PollBody::new(polling::pace(app).await, url))
        };
        let url = asset.lifecycle.open_upload().map(|(_, url)| url);
        Self {
            id: asset.id,
            status,
            upload_url: url.filter(|_| waiting).map(|url| url.as_str().to_owned()),
            expires_at: waiting.then(|| asset.upload_deadline()),
            poll,
            error: asset.failure().map(ErrorBody::from),
            title: asset.title,
        }
    }
}

async fn create(
    State(app): State<App>,
    Editor(member): Editor,
    headers: HeaderMap,
    Json(body): Json<CreateBody>,
) -> Result<(StatusCode, Json<UploadBody>), Problem> {
    let origin = origin(&app, &headers)?;
    let key = idempotency_key(&headers)?;
    let most = app.config.upload_max_bytes;
    let order = Order::new(&body.title, &body.content_type, body.size, most)?;
    let asset = service::create(&app, &member, order, key, origin).await?;
    // A repeat goes on where the first request was.
    traces::join(asset.trace, asset.created_at);
    traces::note("asset.id", asset.id);
    let body = UploadBody::of(asset, &app).await;
    Ok((StatusCode::CREATED, Json(body)))
}

async fn status(
    State(app): State<App>,
    Reader(member): Reader,
    Path(id): Path<AssetId>,
    known: Known,
) -> Result<Response, Problem> {
    let asset = assets::find(&app, member.tenant, id).await?;
    let mut body = UploadBody::of(asset, &app).await;
    if !member.role.edits() {
        body.upload_url = None; // whoever holds it can send a file
    }
    known.answer(&body)
}

async fn cancel(
    State(app): State<App>,
    Editor(member): Editor,
    Path(id): Path<AssetId>,
) -> Result<Json<UploadBody>, Problem> {
    let asset = service::cancel(&app, &member, id).await?;
    Ok(Json(UploadBody::of(asset, &app).await))
}

/// The page that will send the file, if it is one of ours. Who sends no `Origin` is no browser, and
/// is given that of the first page.
fn origin<'a>(app: &'a Parts, headers: &HeaderMap) -> Result<&'a Origin, UploadError> {
    let mut allowed = app.config.allowed_origins.iter();
    let found = match headers.get(header::ORIGIN) {
        Some(sent) => allowed.find(|it| it.as_str().as_bytes() == sent.as_bytes()),
        None => allowed.next(),
    };
    found.ok_or(UploadError::Origin)
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, UploadError> {
    let Some(value) = headers.get("idempotency-key") else {
        return Ok(None);
    };
    let text = value.to_str().unwrap_or_default(); // not ASCII: refused like an empty one
    text.parse().map(Some)
}
