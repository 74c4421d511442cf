//! The API at `/video/v1`: Basic auth, everything under `data`, errors as Mux words them.

mod assets;
mod playback_ids;
mod uploads;

use axum::{
    Json, Router,
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Query, Request, State},
    http::{HeaderMap, StatusCode, header, request::Parts},
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
    routing::get,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use subtle::ConstantTimeEq;

use crate::{error::ApiError, ids, sim::Sim};

pub(crate) fn router() -> Router<Sim> {
    Router::new()
        .merge(uploads::router())
        .merge(assets::router())
        .merge(playback_ids::router())
        .route("/system/v1/whoami", get(whoami))
        .layer(from_fn(stamp))
}

/// Every answer names its request.
async fn stamp(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    if let Ok(id) = ids::event().parse() {
        response.headers_mut().insert("x-request-id", id);
    }
    response
}

/// Proof that the caller holds the access token.
pub(crate) struct Authorized;

impl FromRequestParts<Sim> for Authorized {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, sim: &Sim) -> Result<Self, ApiError> {
        let options = sim.options();
        let expected = STANDARD.encode(format!("{}:{}", options.token_id, options.token_secret));
        let sent = basic(&parts.headers).unwrap_or_default();
        if bool::from(sent.as_bytes().ct_eq(expected.as_bytes())) {
            return Ok(Self);
        }
        Err(ApiError::unauthorized())
    }
}

fn basic(headers: &HeaderMap) -> Option<&str> {
    headers
        .get(header::AUTHORIZATION)?
        .to_str()
        .ok()?
        .strip_prefix("Basic ")
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
        serde_json::from_slice(&bytes)
            .map(Self)
            .map_err(|error| ApiError::invalid(error.to_string()))
    }
}

/// `page` from 1, `limit` 10 and at most 100 (mux.com/docs/core/make-api-requests).
#[derive(Deserialize)]
pub(crate) struct Paging {
    page: Option<usize>,
    limit: Option<usize>,
    pub(crate) upload_id: Option<String>,
}

impl FromRequestParts<Sim> for Paging {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, sim: &Sim) -> Result<Self, ApiError> {
        let Query(paging) = Query::from_request_parts(parts, sim)
            .await
            .map_err(|error| ApiError::invalid(error.body_text()))?;
        Ok(paging)
    }
}

impl Paging {
    /// Newest first, as Mux lists.
    pub(crate) fn cut<T>(&self, mut all: Vec<T>) -> Vec<T> {
        let limit = self.limit.unwrap_or(10).clamp(1, 100);
        let skip = self
            .page
            .unwrap_or(1)
            .saturating_sub(1)
            .saturating_mul(limit);
        all.reverse();
        all.into_iter().skip(skip).take(limit).collect()
    }
}

pub(crate) fn data(value: &Value) -> Json<Value> {
    Json(json!({ "data": value }))
}

pub(crate) fn created(value: &Value) -> Response {
    (StatusCode::CREATED, data(value)).into_response()
}

async fn whoami(State(_): State<Sim>, _: Authorized) -> Json<Value> {
    data(&json!({
        "access_token_name": "muxsim",
        "environment_id": "muxsim",
        "environment_name": "Development",
        "environment_type": "development",
        "organization_id": "muxsim",
        "organization_name": "muxsim",
        "permissions": ["video:read", "video:write"],
    }))
}
