//! Answers that are asked for again and again: each names its version in an `ETag`, and whoever has
//! that version already is told so, without a body (RFC 9110, sections 8.8.3 and 13.1.2).
//!
//! Does not own how soon to ask again (`polling`).

use std::convert::Infallible;

use axum::{
    extract::FromRequestParts,
    http::{HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::problem::Problem;

/// How much of a SHA-256 names a version, in bytes: two bodies of one address never share it by chance.
const TAG_BYTES: usize = 16;

/// The versions of an answer that the caller has, as `If-None-Match` names them.
pub struct Known(Vec<String>);

impl Known {
    /// 200 with the body and its version; or 304, if the caller has it.
    ///
    /// The version is a digest of the body, so it changes when and only when the answer does, for
    /// whatever reason: a write, the passing of time, another hint. That makes it a strong one.
    pub fn answer<T: Serialize>(&self, body: &T) -> Result<Response, Problem> {
        let bytes = serde_json::to_vec(body).map_err(Problem::internal)?;
        let tag = tag(&bytes);
        let headers = [(header::ETAG, tag.clone())];
        if self.has(&tag) {
            return Ok((StatusCode::NOT_MODIFIED, headers).into_response());
        }
        let media_type = HeaderValue::from_static("application/json");
        let content = [(header::CONTENT_TYPE, media_type)];
        Ok((headers, content, bytes).into_response())
    }

    /// Weak comparison, as this header demands: what compresses on the way may have made a tag weak.
    fn has(&self, tag: &HeaderValue) -> bool {
        self.0
            .iter()
            .any(|it| it == "*" || it.trim_start_matches("W/").as_bytes() == tag.as_bytes())
    }
}

impl<S: Sync> FromRequestParts<S> for Known {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let lists = parts.headers.get_all(header::IF_NONE_MATCH).into_iter();
        let lists = lists.filter_map(|it| it.to_str().ok());
        // Tags of others may hold a comma; the pieces are none of ours.
        let tags = lists.flat_map(|it| it.split(','));
        Ok(Self(tags.map(|it| it.trim().to_owned()).collect()))
    }
}

fn tag(bytes: &[u8]) -> HeaderValue {
    let digest = hex::encode(&Sha256::digest(bytes)[..TAG_BYTES]);
    // Digits and quotation marks are what a header may hold.
    HeaderValue::from_str(&format!("\"{digest}\"")).unwrap_or(HeaderValue::from_static("\"\""))
}
