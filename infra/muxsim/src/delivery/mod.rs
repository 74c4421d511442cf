//! What viewers fetch: playlists, static renditions, subtitles and pictures, which ask for a token;
//! renditions and segments, whose addresses carry their own signature.

mod files;
mod images;
mod opaque;
mod playlists;
mod tokens;

use std::{collections::BTreeMap, path::Path};

use axum::{
    Json, Router,
    http::{Request, StatusCode, request::Parts},
    response::{IntoResponse, Response},
    routing::get,
};
use serde::de::DeserializeOwned;
use serde_json::json;
use tower_http::services::ServeFile;

use crate::{cors, error::causes, sim::Sim, state::Kind};

/// What a viewer asked for, name by name.
type Parameters = BTreeMap<String, String>;

pub(crate) fn router() -> Router<Sim> {
    Router::new()
        // Mux's two hosts, side by side.
        .nest(
            "/stream",
            streams().route("/{playback}/{file}", get(files::rendition)),
        )
        .nest(
            "/image",
            Router::new().route("/{playback}/{file}", get(images::show)),
        )
        // And both at the root, for an SDK that has one base address.
        .merge(streams().route("/{playback}/{file}", get(images::or_rendition)))
        // The hosts that playlists lead to.
        .merge(playlists::router())
        .merge(files::router())
}

fn streams() -> Router<Sim> {
    Router::new()
        .route("/{name}", get(playlists::multivariant))
        .route("/{playback}/text/{file}", get(files::text))
}

/// A refusal: the code and message of Mux's streaming hosts.
#[derive(Debug)]
struct Refusal(StatusCode, u8, &'static str);

const DENIED: Refusal = Refusal(StatusCode::FORBIDDEN, 7, "Forbidden");
const UNKNOWN: Refusal = Refusal(StatusCode::NOT_FOUND, 5, "Not Found");
const INVALID: Refusal = Refusal(StatusCode::BAD_REQUEST, 3, "Invalid parameter");
const NOT_READY: Refusal = Refusal(StatusCode::PRECONDITION_FAILED, 9, "Asset not ready");
const BROKEN: Refusal = Refusal(StatusCode::INTERNAL_SERVER_ERROR, 13, "Internal");
const NO_FFMPEG: Refusal = Refusal(
    StatusCode::NOT_IMPLEMENTED,
    12,
    "Pictures need ffmpeg: put it on the PATH and start again",
);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = Json(json!({"code": self.1, "message": self.2}));
        (self.0, [cors::of_stream()], body).into_response()
    }
}

/// A document, if there is one.
fn found<T: DeserializeOwned>(sim: &Sim, kind: Kind, id: &str) -> Result<Option<T>, Refusal> {
    sim.state().get(kind, id).map_err(|error| {
        tracing::error!(error = causes(&error), "the stand-in's state failed");
        BROKEN
    })
}

/// A file as it is, with ranges, to pages of any origin.
async fn file(path: &Path, asked: &Parts, kind: &str) -> Result<Response, Refusal> {
    let kind = kind.parse().map_err(|_| BROKEN)?;
    let mut request = Request::new(());
    *request.method_mut() = asked.method.clone();
    *request.headers_mut() = asked.headers.clone();
    let served = ServeFile::new_with_mime(path, &kind)
        .try_call(request)
        .await
        .map_err(|_| BROKEN)?;
    if served.status() == StatusCode::NOT_FOUND {
        return Err(UNKNOWN);
    }
    Ok(([cors::of_stream()], served).into_response())
}
