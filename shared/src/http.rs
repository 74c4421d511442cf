//! Extractors whose rejection is a [`Problem`]; handlers use these, never axum's own.
#![expect(
    clippy::disallowed_types,
    reason = "this module wraps the disallowed extractors"
)]

use axum::{
    extract::{
        FromRequest, FromRequestParts, OptionalFromRequestParts, Request,
        rejection::{BytesRejection, JsonRejection, PathRejection, QueryRejection},
    },
    http::{StatusCode, request::Parts},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize};

use crate::{
    ids::RequestId,
    problem::{Kind, Problem},
};

/// What a JSON route of ours reads at the most, in bytes. Bodies here are a few hundred.
pub const BODY_LIMIT: usize = 64 * 1024;

/// How many items a page holds when nobody says (and at the most).
pub const PAGE: u32 = 20;
pub const PAGE_MAX: u32 = 100;

#[derive(FromRequest)]
#[from_request(via(axum::Json), rejection(Problem))]
pub struct Json<T>(pub T);

#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Path), rejection(Problem))]
pub struct Path<T>(pub T);

#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Query), rejection(Problem))]
pub struct Query<T>(pub T);

/// What a body says of something that can be there or not: nothing, which leaves it; `null`, which
/// takes it away; or a value, which takes its place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Said<T> {
    #[default]
    Nothing,
    Away,
    This(T),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Said<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(from)?.map_or(Self::Away, Self::This))
    }
}

/// The raw body. What is signed must be read as it was sent.
pub struct Body(pub Bytes);

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        Ok(Self(Bytes::from_request(request, state).await?))
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

/// The id of this request, given by `telemetry::observe`.
impl<S: Sync> OptionalFromRequestParts<S> for RequestId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Problem> {
        Ok(parts.extensions.get().copied())
    }
}

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        of_body(rejection.status(), rejection.body_text())
    }
}

impl From<BytesRejection> for Problem {
    fn from(rejection: BytesRejection) -> Self {
        of_body(rejection.status(), rejection.body_text())
    }
}

fn of_body(status: StatusCode, text: String) -> Problem {
    match status {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(Kind::TooLarge, "send a smaller body"),
        _ => Problem::new(Kind::InvalidRequest, text),
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        Self::new(Kind::InvalidRequest, rejection.body_text())
    }
}

/// What is not an id of ours cannot name anything of ours.
impl From<PathRejection> for Problem {
    fn from(_: PathRejection) -> Self {
        Self::new(Kind::NotFound, "there is nothing at this address")
    }
}
