//! Hands requests to functions that run elsewhere: under `cargo lambda watch`, each at an address of
//! its own. So pages, demonstration and webhooks find them where they always are.

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::Request,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::any,
};
use shared::router::Deployable;

/// The largest body that is handed on, in bytes: the webhook route reads one of 1 MiB.
const BODY_LIMIT: usize = 2 * 1024 * 1024;

/// Every route of every function, at `{functions}/lambda-url/{name}`.
pub(crate) fn router(functions: &str) -> Router {
    let http = reqwest::Client::new();
    let mut router = Router::new();
    for deployable in Deployable::ALL {
        let base = format!("{functions}/lambda-url/{}", deployable.name());
        let mut paths: Vec<&str> = deployable.routes().iter().map(|it| it.path).collect();
        paths.sort_unstable();
        paths.dedup(); // one path may have several methods
        for path in paths {
            let (http, base) = (http.clone(), base.clone());
            router = router.route(
                path,
                any(async move |request| hand_on(&http, &base, request).await),
            );
        }
    }
    router
}

/// The same request to another place, and its answer.
pub(crate) async fn hand_on(http: &reqwest::Client, base: &str, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_LIMIT).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let path = parts.uri.path_and_query().map_or("/", |it| it.as_str());
    let mut headers = parts.headers;
    for name in [header::HOST, header::CONTENT_LENGTH, header::CONNECTION] {
        headers.remove(name);
    }
    let request = http.request(parts.method, format!("{base}{path}"));
    let Ok(answer) = request.headers(headers).body(body).send().await else {
        let hint = format!("nothing answers at {base}: is it running?\n");
        return (StatusCode::BAD_GATEWAY, hint).into_response();
    };
    let (status, mut headers) = (answer.status(), answer.headers().clone());
    for name in [
        header::CONTENT_LENGTH,
        header::TRANSFER_ENCODING,
        header::CONNECTION,
    ] {
        headers.remove(name);
    }
    (status, headers, Body::from_stream(answer.bytes_stream())).into_response()
}
