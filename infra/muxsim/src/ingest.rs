//! Where files go: a resumable session as Google Cloud Storage speaks it, which is what Mux hands out.
//! One PUT, or chunks with `Content-Range`; `308` with `Range` says how much has arrived.

use std::io::SeekFrom;

use axum::{
    Router,
    body::Body,
    extract::{Path, Query, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
    routing::any,
};
use futures::StreamExt;
use serde::Deserialize;
use tokio::{
    fs::{File, OpenOptions},
    io::{AsyncSeekExt, AsyncWriteExt},
};

use crate::{
    cors,
    documents::{Upload, UploadStatus},
    ids, jobs,
    sim::Sim,
    state::Kind,
};

/// Every chunk but the last is a multiple of this, in bytes; what breaks off is kept up to one
/// (cloud.google.com/storage/docs/performing-resumable-uploads).
const QUANTUM: u64 = 256 * 1024;

pub(crate) fn router() -> Router<Sim> {
    Router::new().route("/storage/video-storage-us-east1-uploads/{id}", any(receive))
}

fn path(upload: &str) -> String {
    format!("/storage/video-storage-us-east1-uploads/{upload}")
}

/// The address of an upload: whoever holds it may send the file.
pub(crate) fn address(sim: &Sim, upload: &Upload) -> String {
    let path = path(&upload.id);
    let expires = upload.expires();
    let signature = sim.paths().sign(&path, expires);
    let session = ids::event(); // not the upload's own id, though it is called so
    let base = &sim.options().public_url;
    format!(
        "{base}{path}?Expires={expires}&GoogleAccessId=muxsim&Signature={signature}&upload_id={session}"
    )
}

#[derive(Deserialize)]
struct Permission {
    #[serde(rename = "Signature", default)]
    signature: String,
}

async fn receive(
    State(sim): State<Sim>,
    Path(id): Path<String>,
    Query(permission): Query<Permission>,
    method: Method,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let upload: Option<Upload> = sim.state().get(Kind::Upload, &id).ok().flatten();
    let allowed = upload.as_ref().map_or("", |it| it.cors_origin.as_str());
    let cors = cors::of_upload(allowed, &headers, sim.options().expose_range);
    let now = sim.now();
    let answer = match upload {
        _ if method == Method::OPTIONS => StatusCode::OK.into_response(),
        _ if method != Method::PUT => StatusCode::METHOD_NOT_ALLOWED.into_response(),
        Some(upload)
            if sim
                .paths()
                .allows(&path(&id), &permission.signature, now.unix_timestamp()) =>
        {
            match upload.status(now) {
                UploadStatus::Waiting => put(&sim, &id, &headers, body).await,
                UploadStatus::AssetCreated | UploadStatus::Errored => {
                    StatusCode::OK.into_response()
                }
                UploadStatus::Cancelled => refused(StatusCode::GONE, "UploadCancelled"),
                UploadStatus::TimedOut => refused(StatusCode::FORBIDDEN, "ExpiredToken"),
            }
        }
        _ => refused(StatusCode::FORBIDDEN, "AccessDenied"),
    };
    (cors, answer).into_response()
}

/// The store's own errors are XML.
fn refused(status: StatusCode, code: &str) -> Response {
    let body = format!("<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code></Error>");
    (status, [(header::CONTENT_TYPE, "application/xml")], body).into_response()
}

/// What a request sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// The whole file.
    Whole,
    /// Bytes `from..=to` of `total`.
    Range { from: u64, to: u64, total: u64 },
    /// Nothing: how much has arrived?
    Query,
}

impl Part {
    fn of(headers: &HeaderMap) -> Option<Self> {
        let Some(range) = headers.get(header::CONTENT_RANGE) else {
            return Some(Self::Whole);
        };
        let (range, total) = range
            .to_str()
            .ok()?
            .strip_prefix("bytes ")?
            .split_once('/')?;
        if range == "*" {
            return Some(Self::Query);
        }
        let (from, to) = range.split_once('-')?;
        let (from, to, total) = (from.parse().ok()?, to.parse().ok()?, total.parse().ok()?);
        (from <= to && to < total).then_some(Self::Range { from, to, total })
    }
}

async fn put(sim: &Sim, id: &str, headers: &HeaderMap, body: Body) -> Response {
    let Some(part) = Part::of(headers) else {
        return refused(StatusCode::BAD_REQUEST, "InvalidContentRange");
    };
    let Some(_receiving) = sim.receive(id) else {
        return refused(StatusCode::SERVICE_UNAVAILABLE, "UploadBusy");
    };
    let (from, end, whole) = match part {
        Part::Query => return incomplete(arrived(sim, id).await),
        Part::Whole => (0, None, true),
        Part::Range { from, to, total } => {
            let last = to + 1 == total;
            if !last && !(to + 1 - from).is_multiple_of(QUANTUM) {
                return refused(StatusCode::BAD_REQUEST, "InvalidChunkSize");
            }
            (from, Some(to + 1), last)
        }
    };
    let before = arrived(sim, id).await;
    if from > before {
        return incomplete(before); // a gap: the sender must go back
    }
    match write(sim, id, from, end, body).await {
        Ok(()) if !whole => incomplete(arrived(sim, id).await),
        Ok(()) => match jobs::arrived(sim, id) {
            Ok(()) => StatusCode::OK.into_response(),
            Err(error) => {
                tracing::error!(%error, "upload could not be finished");
                refused(StatusCode::SERVICE_UNAVAILABLE, "InternalError")
            }
        },
        Err(fault) => fault,
    }
}

/// `308` and how much has arrived; without a `Range`, nothing has.
fn incomplete(arrived: u64) -> Response {
    let mut response = StatusCode::PERMANENT_REDIRECT.into_response();
    if let Some(last) = arrived.checked_sub(1)
        && let Ok(range) = HeaderValue::from_str(&format!("bytes=0-{last}"))
    {
        response.headers_mut().insert(header::RANGE, range);
    }
    response
}

/// How much of an unfinished file counts: what broke off in the middle is rounded down.
async fn arrived(sim: &Sim, id: &str) -> u64 {
    let length = tokio::fs::metadata(sim.upload_file(id))
        .await
        .map_or(0, |it| it.len());
    length - length % QUANTUM
}

/// Writes the body at its place. What comes again replaces what was there.
async fn write(
    sim: &Sim,
    id: &str,
    from: u64,
    end: Option<u64>,
    body: Body,
) -> Result<(), Response> {
    let broken = |_| refused(StatusCode::SERVICE_UNAVAILABLE, "InternalError");
    let mut file: File = OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(false)
        .open(sim.upload_file(id))
        .await
        .map_err(broken)?;
    file.set_len(from).await.map_err(broken)?;
    file.seek(SeekFrom::Start(from)).await.map_err(broken)?;
    let mut at = from;
    let mut stream = body.into_data_stream();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|_| refused(StatusCode::BAD_REQUEST, "IncompleteBody"))?;
        at += u64::try_from(chunk.len()).unwrap_or(u64::MAX);
        if end.is_some_and(|end| at > end) {
            return Err(refused(StatusCode::BAD_REQUEST, "TooMuchData"));
        }
        file.write_all(&chunk).await.map_err(broken)?;
    }
    file.flush().await.map_err(broken)?;
    if end.is_some_and(|end| at < end) {
        return Err(refused(StatusCode::BAD_REQUEST, "IncompleteBody"));
    }
    Ok(())
}
