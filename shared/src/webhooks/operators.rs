//! The operators' routes: events that name nothing of ours, and the audit of runs that send recorded
//! events once more.

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use time::OffsetDateTime;

use super::model::{RECEIPT_LIFE, Receipt};
use crate::{
    address::ClientAddress,
    app::App,
    assets::PageQuery,
    auth::Operator,
    events::{Act, Actor, Event},
    http::{Json, Path, Query},
    ids::{RequestId, RunId, UserId},
    mux::MuxEventId,
    problem::{Kind, Problem},
    router::Route,
    store::{Guard, Write, keys},
};

pub fn operators_routes() -> Vec<Route> {
    vec![
        Route::get("/api/ops/unmatched-events", unmatched),
        Route::post("/api/ops/replay-runs", begin),
        Route::post("/api/ops/replay-runs/{id}/end", end),
    ]
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
    Query(page): Query<PageQuery<String>>,
) -> Result<Json<UnmatchedBody>, Problem> {
    let (cursor, limit) = page.read()?;
    let foreign = || Problem::new(Kind::InvalidField, "cursor is not one of ours");
    let after = cursor
        .map(|it| place(&it).ok_or_else(foreign))
        .transpose()?;
    let after = after.map(|(received, event)| keys::unmatched_receipt(&event, received));
    let listing = keys::unmatched();
    let page = app
        .store
        .list::<Receipt>(&listing, after.as_ref(), limit)
        .await?;
    let last = page.items.last().filter(|_| page.more).map(cursor_of);
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

/// Longer than any event's id (see `mux::types`).
const ID_MAX: usize = 255;

fn cursor_of(receipt: &Receipt) -> String {
    let nanos = receipt.received_at.unix_timestamp_nanos();
    format!("{nanos}-{}", receipt.event.as_str())
}

fn place(cursor: &str) -> Option<(OffsetDateTime, MuxEventId)> {
    let (nanos, event) = cursor.split_once('-')?;
    let received = OffsetDateTime::from_unix_timestamp_nanos(nanos.parse().ok()?).ok()?;
    (event.len() <= ID_MAX).then(|| (received, MuxEventId::new(event)))
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
    /// Ends this run and nothing else. The session that began it may be over by then.
    secret: String,
}

/// A run that somebody began.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Run {
    by: UserId,
    /// SHA-256 of its secret, in hexadecimal.
    digest: String,
    ended: bool,
    version: u64,
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
    let secret = hex::encode(app.ids.secret());
    let begun = Event::ReplayBegun {
        run,
        events: body.events,
        digest: body.digest,
    };
    let row = Run {
        by: operator.user,
        digest: hex::encode(Sha256::digest(&secret)),
        ended: false,
        version: 1,
    };
    let key = keys::replay_run(run).expiring(app.clock.now() + RECEIPT_LIFE);
    let writes = vec![
        Write::put(key, &row, Guard::Absent)?,
        operator
            .act()
            .write_change(&app, operator.tenant, begun, None, Some(&row))?,
    ];
    app.store.commit(writes).await?;
    Ok((StatusCode::CREATED, Json(RunBody { run, secret })).into_response())
}

/// What came of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EndBody {
    secret: String,
    accepted: u32,
    refused: u32,
}

#[derive(Serialize)]
struct EndedBody {
    run: RunId,
}

/// Whoever began a run ends it, once. A wrong secret and a run that never was are the same.
async fn end(
    State(app): State<App>,
    request: Option<RequestId>,
    address: Option<ClientAddress>,
    Path(run): Path<RunId>,
    Json(body): Json<EndBody>,
) -> Result<Json<EndedBody>, Problem> {
    let key = keys::replay_run(run);
    let row: Option<Run> = app.store.get(&key).await?;
    let digest = hex::encode(Sha256::digest(&body.secret));
    let known = |it: &Run| bool::from(it.digest.as_bytes().ct_eq(digest.as_bytes()));
    let Some(before) = row.filter(known) else {
        return Err(Problem::new(Kind::NotFound, "no such run"));
    };
    if before.ended {
        return Ok(Json(EndedBody { run }));
    }
    let act = Act {
        actor: Actor::User { id: before.by },
        request,
        address,
    };
    let ended = Event::ReplayEnded {
        run,
        accepted: body.accepted,
        refused: body.refused,
    };
    let next = Run {
        ended: true,
        version: before.version + 1,
        ..before.clone()
    };
    let key = key.expiring(app.clock.now() + RECEIPT_LIFE);
    let writes = vec![
        Write::put(key, &next, Guard::Version(before.version))?,
        act.write_change(
            &app,
            app.config.operators(),
            ended,
            Some(&before),
            Some(&next),
        )?,
    ];
    app.store.commit(writes).await?;
    Ok(Json(EndedBody { run }))
}
