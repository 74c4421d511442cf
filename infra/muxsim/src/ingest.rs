//! Where files go: a resumable session as Google Cloud Storage speaks it, which is what Mux hands out.
//! One PUT, or chunks with `Content-Range`; `308` with `Range` says how much has arrived.

use std::{io::SeekFrom, time::Duration};

use axum::{
    Router,
    body::{Body, BodyDataStream},
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
    error::causes,
    faults::{self, Fault},
    jobs,
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
    let session = sim.ids().event(); // not the upload's own id, though it is called so
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
    let now = sim.now().unix_timestamp();
    let permitted = sim.paths().allows(&path(&id), &permission.signature, now);
    let mut body = body.into_data_stream();
    let answer = match method {
        Method::OPTIONS => StatusCode::OK.into_response(),
        Method::PUT if permitted => put(&sim, &id, &headers, &mut body).await,
        Method::PUT => refused(StatusCode::FORBIDDEN, "AccessDenied"),
        _ => StatusCode::METHOD_NOT_ALLOWED.into_response(),
    };
    // Whoever is refused is heard to the end: a sender cut short may see a reset and no answer.
    while let Some(Ok(_)) = body.next().await {}
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
    /// Bytes `from..=to` of `total`, or of as many as there will be.
    Range {
        from: u64,
        to: u64,
        total: Option<u64>,
    },
    /// Nothing: how much of `total` has arrived?
    Query { total: Option<u64> },
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
            let total = total.parse().ok();
            return Some(Self::Query { total });
        }
        let (from, to) = range.split_once('-')?;
        let (from, to) = (from.parse().ok()?, to.parse().ok()?);
        let total = if total == "*" {
            None
        } else {
            Some(total.parse().ok()?)
        };
        (from <= to && total.is_none_or(|it| to < it)).then_some(Self::Range { from, to, total })
    }
}

async fn put(sim: &Sim, id: &str, headers: &HeaderMap, body: &mut BodyDataStream) -> Response {
    let Some(_receiving) = sim.receivers().begin(id) else {
        return refused(StatusCode::SERVICE_UNAVAILABLE, "UploadBusy");
    };
    // Read only now: whoever sent before may just have finished the file.
    let upload: Option<Upload> = sim.state().get(Kind::Upload, id).ok().flatten();
    match upload.map(|it| it.status(sim.now())) {
        Some(UploadStatus::Waiting) => collect(sim, id, headers, body).await,
        Some(UploadStatus::AssetCreated | UploadStatus::Errored) => StatusCode::OK.into_response(),
        Some(UploadStatus::Cancelled) => refused(StatusCode::GONE, "UploadCancelled"),
        Some(UploadStatus::TimedOut) => refused(StatusCode::FORBIDDEN, "ExpiredToken"),
        None => refused(StatusCode::FORBIDDEN, "AccessDenied"),
    }
}

async fn collect(sim: &Sim, id: &str, headers: &HeaderMap, body: &mut BodyDataStream) -> Response {
    let Some(part) = Part::of(headers) else {
        return refused(StatusCode::BAD_REQUEST, "InvalidContentRange");
    };
    let length = stored(sim, id).await;
    let arrived = whole_quanta(length);
    let (place, last) = match part {
        // The file was all there when its sender, or the stand-in, went away.
        Part::Query { total } if length > 0 && total == Some(length) => return finish(sim, id),
        Part::Query { .. } => return incomplete(arrived),
        Part::Whole => (Place::default(), true),
        Part::Range { from, to, total }
            if total != Some(to + 1) && !(to + 1 - from).is_multiple_of(QUANTUM) =>
        {
            return refused(StatusCode::BAD_REQUEST, "InvalidChunkSize");
        }
        Part::Range { from, .. } if from > arrived => return incomplete(arrived), // a gap: go back
        Part::Range { total, .. } if total.is_some_and(|it| it < arrived) => {
            return refused(StatusCode::BAD_REQUEST, "InvalidContentRange");
        }
        Part::Range { from, to, total } => {
            let (kept, end) = (arrived, Some(to + 1));
            (Place { from, kept, end }, total == Some(to + 1))
        }
    };
    if let Some(fault) = struck(sim, id, part) {
        let half = headers.get(header::CONTENT_LENGTH);
        let half = half
            .and_then(|it| it.to_str().ok()?.parse::<u64>().ok())
            .unwrap_or(0)
            / 2;
        // Whatever has come until then stays.
        let _ = write(sim, id, place, body, half).await;
        return harmed(sim, id, fault).await;
    }
    match write(sim, id, place, body, u64::MAX).await {
        Ok(()) if last => finish(sim, id),
        Ok(()) => incomplete(whole_quanta(stored(sim, id).await)),
        Err(fault) => fault,
    }
}

/// The fault that strikes a part of an upload, if one does.
fn struck(sim: &Sim, id: &str, part: Part) -> Option<Fault> {
    let faults = [Fault::Unavailable, Fault::Stall, Fault::ShortRange];
    let ranged = matches!(part, Part::Range { .. });
    let mut possible = faults
        .into_iter()
        .filter(|it| ranged || *it != Fault::ShortRange);
    possible.find(|it| faults::strikes(sim, *it, &format!("upload {id}")))
}

async fn harmed(sim: &Sim, id: &str, fault: Fault) -> Response {
    if fault == Fault::ShortRange {
        return incomplete(whole_quanta(stored(sim, id).await));
    }
    if fault == Fault::Stall {
        let pause = sim.dice().faults().pause_seconds;
        tokio::time::sleep(Duration::from_secs(pause.into())).await;
    }
    refused(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable")
}

fn finish(sim: &Sim, id: &str) -> Response {
    match jobs::arrived(sim, id) {
        Ok(()) => StatusCode::OK.into_response(),
        Err(error) => {
            tracing::error!(error = causes(&error), "upload could not be finished");
            refused(StatusCode::SERVICE_UNAVAILABLE, "InternalError")
        }
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

async fn stored(sim: &Sim, id: &str) -> u64 {
    tokio::fs::metadata(sim.upload_file(id))
        .await
        .map_or(0, |it| it.len())
}

/// How much of an unfinished file counts: what broke off in the middle is rounded down.
fn whole_quanta(length: u64) -> u64 {
    length - length % QUANTUM
}

/// Where in the file a body belongs.
#[derive(Default)]
struct Place {
    from: u64,
    /// What has arrived before: this much of the file stays as it is.
    kept: u64,
    end: Option<u64>,
}

/// Writes what is new of the body, up to so many bytes of it. Bytes that come again are skipped (the same page as [`QUANTUM`]'s).
async fn write(
    sim: &Sim,
    id: &str,
    place: Place,
    body: &mut BodyDataStream,
    most: u64,
) -> Result<(), Response> {
    let broken = |_| refused(StatusCode::SERVICE_UNAVAILABLE, "InternalError");
    let mut file: File = OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(false)
        .open(sim.upload_file(id))
        .await
        .map_err(broken)?;
    file.set_len(place.kept).await.map_err(broken)?;
    file.seek(SeekFrom::Start(place.kept))
        .await
        .map_err(broken)?;
    let mut at = place.from;
    let mut complete = true;
    while let Some(chunk) = body.next().await {
        let Ok(chunk) = chunk else {
            complete = false;
            break;
        };
        let again = usize::try_from(place.kept.saturating_sub(at)).unwrap_or(usize::MAX);
        at += u64::try_from(chunk.len()).unwrap_or(u64::MAX);
        if place.end.is_some_and(|end| at > end) {
            file.set_len(place.kept).await.map_err(broken)?;
            return Err(refused(StatusCode::BAD_REQUEST, "TooMuchData"));
        }
        let new = chunk.get(again..).unwrap_or_default();
        file.write_all(new).await.map_err(broken)?;
        if at - place.from >= most {
            break;
        }
    }
    // Also what is incomplete: the next sender goes on from there.
    file.flush().await.map_err(broken)?;
    if !complete || place.end.is_some_and(|end| at < end) {
        return Err(refused(StatusCode::BAD_REQUEST, "IncompleteBody"));
    }
    Ok(())
}
