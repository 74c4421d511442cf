//! The operators' routes: events that name nothing of ours, and the audit of runs that send recorded
//! events once more.

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::model::Receipt;
use crate::{
    app::App,
    auth::Operator,
    events::Event,
    http::{Json, PAGE, PAGE_MAX, Path, Query},
    ids::RunId,
    mux::MuxEventId,
    problem::{Kind, Problem},
    router::Route,
    store::{Write, keys},
};

pub fn operators_routes() -> Vec<Route> {
    vec![
        Route::get("/api/ops/unmatched-events", unmatched),
        Route::post("/api/ops/replay-runs", begin),
        Route::post("/api/ops/replay-runs/{id}/end", end),
    ]
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PageQuery {
    limit: Option<u32>,
    cursor: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UnmatchedBody {
    events: Vec<EventBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EventBody {
    id: String,
    r#type: String,
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    received_at: OffsetDateTime,
}

/// Newest first.
async fn unmatched(
    State(app): State<App>,
    _: Operator,
    Query(page): Query<PageQuery>,
) -> Result<Json<UnmatchedBody>, Problem> {
    let limit = page.limit.unwrap_or(PAGE);
    if !(1..=PAGE_MAX).contains(&limit) {
        return Err(Problem::new(
            Kind::InvalidField,
            "limit must be from 1 to 100",
        ));
    }
    let after = match &page.cursor {
        Some(cursor) => Some(place(cursor).ok_or(Problem::new(
            Kind::InvalidField,
            "cursor is not one of ours",
        ))?),
        None => None,
    };
    let after = after.map(|(received, event)| keys::unmatched_receipt(&event, received));
    let listing = keys::unmatched();
    let page = app
        .store
        .list::<Receipt>(&listing, after.as_ref(), limit)
        .await?;
    let last = page.items.last().filter(|_| page.more).map(cursor);
    let events = page.items.into_iter().map(|it| EventBody {
        id: it.event.as_str().to_owned(),
        r#type: it.kind,
        at: it.at,
        received_at: it.received_at,
    });
    Ok(Json(UnmatchedBody {
        events: events.collect(),
        next_cursor: last,
    }))
}

fn cursor(receipt: &Receipt) -> String {
    let nanos = receipt.received_at.unix_timestamp_nanos();
    format!("{nanos}-{}", receipt.event.as_str())
}

fn place(cursor: &str) -> Option<(OffsetDateTime, MuxEventId)> {
    let (nanos, event) = cursor.split_once('-')?;
    let received = OffsetDateTime::from_unix_timestamp_nanos(nanos.parse().ok()?).ok()?;
    Some((received, MuxEventId::new(event)))
}

/// What is about to be sent.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BeginBody {
    events: u32,
    /// SHA-256 of the recording, in hexadecimal.
    digest: String,
}

#[derive(Serialize)]
struct RunBody {
    run: RunId,
}

async fn begin(
    State(app): State<App>,
    Operator(operator): Operator,
    Json(body): Json<BeginBody>,
) -> Result<Response, Problem> {
    if body.digest.len() != 64 || !body.digest.bytes().all(|it| it.is_ascii_hexdigit()) {
        return Err(Problem::new(
            Kind::InvalidField,
            "digest must be a SHA-256 in hexadecimal",
        ));
    }
    let run = app.ids.mint();
    let begun = Event::ReplayBegun {
        run,
        events: body.events,
        digest: body.digest,
    };
    let event = operator.act().write(&app, operator.tenant, begun)?;
    note(&app, event).await?;
    Ok((StatusCode::CREATED, Json(RunBody { run })).into_response())
}

/// What came of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EndBody {
    accepted: u32,
    refused: u32,
}

async fn end(
    State(app): State<App>,
    Operator(operator): Operator,
    Path(run): Path<RunId>,
    Json(body): Json<EndBody>,
) -> Result<Json<RunBody>, Problem> {
    let ended = Event::ReplayEnded {
        run,
        accepted: body.accepted,
        refused: body.refused,
    };
    let event = operator.act().write(&app, operator.tenant, ended)?;
    note(&app, event).await?;
    Ok(Json(RunBody { run }))
}

async fn note(app: &App, event: Write) -> Result<(), Problem> {
    Ok(app.store.commit(vec![event]).await?)
}
