//! CORS as Mux's hosts do it: uploads answer exactly the origin they were made for, streams answer anybody.

use axum::http::{HeaderMap, HeaderValue, header};

/// Headers for an upload's answer. Without the right `Origin` there are none, and the browser refuses.
pub(crate) fn of_upload(allowed: &str, request: &HeaderMap, expose_range: bool) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let Some(origin) = request.get(header::ORIGIN) else {
        return headers;
    };
    if allowed != "*" && origin.as_bytes() != allowed.trim_end_matches('/').as_bytes() {
        return headers;
    }
    let exposed = if expose_range {
        "Content-Length, Content-Type, Date, Range, Server, Transfer-Encoding"
    } else {
        "Content-Length, Content-Type, Date, Server, Transfer-Encoding"
    };
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    headers.insert(header::VARY, HeaderValue::from_static("Origin"));
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("PUT"),
    );
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static("Content-Type, Content-Range"),
    );
    headers.insert(
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static(exposed),
    );
    headers
}

/// Headers for what a player fetches, from any page.
pub(crate) fn of_stream() -> (header::HeaderName, HeaderValue) {
    (
        header::ACCESS_CONTROL_ALLOW_ORIGIN,
        HeaderValue::from_static("*"),
    )
}
