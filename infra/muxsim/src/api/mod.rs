//! The API at `/video/v1` and `/system/v1`: Basic auth, everything under `data`, errors as Mux words them.

mod assets;
mod endpoints;
mod event_stream;
mod playback_ids;
mod renditions;
mod restrictions;
mod settings;
mod signing_keys;
mod tracks;
mod uploads;
mod usage;

use axum::{
    Json, Router,
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Path, Query, Request, State},
    http::{HeaderMap, StatusCode, header, request::Parts},
    middleware::{Next, from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::get,
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};
use subtle::ConstantTimeEq;

use crate::{
    documents::Asset,
    error::ApiError,
    ids, limits,
    sim::Sim,
    state::{Kind, Step},
    trouble,
};

pub(crate) fn router(sim: &Sim) -> Router<Sim> {
    Router::new()
        .merge(uploads::router())
        .merge(assets::router())
        .merge(endpoints::router())
        .merge(event_stream::router())
        .merge(playback_ids::router())
        .merge(renditions::router())
        .merge(restrictions::router())
        .merge(signing_keys::router())
        .merge(tracks::router())
        .merge(usage::router())
        .route("/system/v1/whoami", get(whoami))
        .layer(from_fn_with_state(sim.clone(), trouble::strike))
        .layer(from_fn_with_state(sim.clone(), limits::enforce))
        .layer(from_fn(stamp))
        .merge(usage::files())
}

/// Every answer names its request.
async fn stamp(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    if let Ok(id) = ids::request().parse() {
        response.headers_mut().insert("x-request-id", id);
    }
    response
}

/// Proof that the caller holds the access token.
pub(crate) struct Authorized;

impl FromRequestParts<Sim> for Authorized {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, sim: &Sim) -> Result<Self, ApiError> {
        let authorized = is_authorized(sim, &parts.headers);
        authorized
            .then_some(Self)
            .ok_or_else(ApiError::unauthorized)
    }
}

/// Whether a call names a token of the account and its secret.
pub(crate) fn is_authorized(sim: &Sim, headers: &HeaderMap) -> bool {
    let options = sim.options();
    let further = options.further_tokens.iter();
    let mut tokens = further
        .map(|(id, secret)| (id, secret))
        .chain([(&options.token_id, &options.token_secret)]);
    let sent = basic(headers).unwrap_or_default();
    tokens.any(|(id, secret)| {
        let expected = STANDARD.encode(format!("{id}:{secret}"));
        bool::from(sent.as_bytes().ct_eq(expected.as_bytes()))
    })
}

fn basic(headers: &HeaderMap) -> Option<&str> {
    headers
        .get(header::AUTHORIZATION)?
        .to_str()
        .ok()?
        .strip_prefix("Basic ")
}

/// The names in a path. What cannot be one is told apart from what is not there.
pub(crate) struct Named<T>(pub(crate) T);

impl FromRequestParts<Sim> for Named<String> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, sim: &Sim) -> Result<Self, ApiError> {
        let path = Path::<String>::from_request_parts(parts, sim).await;
        let Path(id) = path.map_err(|_| not_a_name())?;
        named(&id).then_some(Self(id)).ok_or_else(not_a_name)
    }
}

impl FromRequestParts<Sim> for Named<(String, String)> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, sim: &Sim) -> Result<Self, ApiError> {
        let path = Path::<(String, String)>::from_request_parts(parts, sim).await;
        let Path(both) = path.map_err(|_| not_a_name())?;
        let good = named(&both.0) && named(&both.1);
        good.then_some(Self(both)).ok_or_else(not_a_name)
    }
}

fn named(id: &str) -> bool {
    ids::is_plausible(id)
}

fn not_a_name() -> ApiError {
    ApiError::invalid("Failed to parse ID")
}

/// A JSON body; an empty one is an empty object, as for Mux.
pub(crate) struct Input<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Sim> for Input<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, sim: &Sim) -> Result<Self, ApiError> {
        let bytes = Bytes::from_request(request, sim)
            .await
            .map_err(|_| ApiError::invalid("The request body could not be read"))?;
        let bytes = if bytes.is_empty() {
            Bytes::from_static(b"{}")
        } else {
            bytes
        };
        // A list is not taken for an object with its fields in order.
        let object: Map<String, Value> = serde_json::from_slice(&bytes)
            .map_err(|_| ApiError::invalid("The request body must be a JSON object"))?;
        serde_path_to_error::deserialize(Value::from(object))
            .map(Self)
            .map_err(|error| ApiError::invalid(error.to_string()))
    }
}

/// `page` from 1, `limit` 10 and at most 100 (mux.com/docs/core/make-api-requests).
#[derive(Deserialize)]
pub(crate) struct Paging {
    page: Option<usize>,
    limit: Option<usize>,
    /// Where a list that has cursors goes on; counts for more than `page` and `limit`.
    cursor: Option<String>,
    pub(crate) upload_id: Option<String>,
    pub(crate) live_stream_id: Option<String>,
}

/// What a cursor says, in base64 of JSON, as Mux's do.
#[derive(Serialize, Deserialize)]
struct Cursor {
    page_limit: usize,
    page_count: usize,
}

impl FromRequestParts<Sim> for Paging {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, sim: &Sim) -> Result<Self, ApiError> {
        let Query(mut paging) = Query::<Self>::from_request_parts(parts, sim)
            .await
            .map_err(|error| ApiError::invalid(error.body_text()))?;
        if let Some(cursor) = &paging.cursor {
            let read = URL_SAFE_NO_PAD.decode(cursor).ok();
            let read = read.and_then(|it| serde_json::from_slice::<Cursor>(&it).ok());
            let cursor = read.ok_or_else(|| ApiError::invalid("Invalid cursor"))?;
            paging.limit = Some(cursor.page_limit);
            paging.page = cursor.page_count.checked_add(1);
        }
        Ok(paging)
    }
}

impl Paging {
    fn limit(&self) -> usize {
        self.limit.unwrap_or(10).clamp(1, 100)
    }

    fn page(&self) -> usize {
        self.page.unwrap_or(1).max(1)
    }

    /// Newest first, as Mux lists.
    pub(crate) fn cut<T>(&self, mut all: Vec<T>) -> Vec<T> {
        let skip = (self.page() - 1).saturating_mul(self.limit());
        all.reverse();
        all.into_iter().skip(skip).take(self.limit()).collect()
    }

    /// The cursor behind this page, if there is more than it shows.
    pub(crate) fn next_cursor(&self, count: usize) -> Option<String> {
        let cursor = Cursor {
            page_limit: self.limit(),
            page_count: self.page(),
        };
        let more = count > self.page().saturating_mul(self.limit());
        let text = serde_json::to_vec(&cursor).ok().filter(|_| more)?;
        Some(URL_SAFE_NO_PAD.encode(text))
    }
}

pub(crate) fn data(value: &Value) -> Json<Value> {
    Json(json!({ "data": value }))
}

pub(crate) fn created(value: &Value) -> Response {
    (StatusCode::CREATED, data(value)).into_response()
}

/// An address or a method that there is not.
pub(crate) async fn unknown() -> ApiError {
    ApiError::not_found()
}

/// A document that has to be there.
fn found<T: DeserializeOwned>(step: &Step<'_>, kind: Kind, id: &str) -> Result<T, ApiError> {
    step.get(kind, id)?.ok_or_else(ApiError::not_found)
}

/// Takes away what is there.
fn delete(sim: &Sim, kind: Kind, id: &str) -> Result<StatusCode, ApiError> {
    sim.state().step(|step| {
        let found: Option<Value> = step.get(kind, id)?;
        found.ok_or_else(ApiError::not_found)?;
        step.delete(kind, id)?;
        Ok(StatusCode::NO_CONTENT)
    })
}

/// The free plan ends at ten assets (the answer as it was seen in production).
fn check_plan(sim: &Sim) -> Result<(), ApiError> {
    if !sim.options().free_plan || sim.state().all::<Asset>(Kind::Asset)?.len() < FREE_ASSETS {
        return Ok(());
    }
    Err(ApiError::invalid(
        "Free plan is limited to 10 assets, you cannot create direct uploads while exceeding this limit",
    ))
}

/// How many assets the free plan has.
const FREE_ASSETS: usize = 10;

async fn whoami(State(_): State<Sim>, _: Authorized) -> Json<Value> {
    data(&json!({
        "access_token_name": "muxsim",
        "environment_id": "muxsim",
        "environment_name": "Development",
        "environment_type": "development",
        "organization_id": "muxsim",
        "organization_name": "muxsim",
        "permissions": ["video:read", "video:write", "system:read", "system:write"],
    }))
}
