//! The operators' routes: parse, call, shape.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;

use super::{
    OperateError,
    hidden::without_capabilities,
    model::{Attempt, Case, Class, Note, Reason, State as Standing},
    operate::{self, Inspected, Left, Place, Replayed, Replays, Selection},
};
use crate::{
    app::App,
    assets::{Asset, Status},
    auth::Operator,
    http::{Json, PAGE, PAGE_MAX, Path, Query},
    ids::{AssetId, DeadLetterId, RequestId},
    mux::MuxEvent,
    problem::Problem,
    router::Route,
    slo,
    store::keys::Cases,
    webhooks::Outcome,
};

/// Letters that can be named in one request.
const IDS_MAX: usize = 100;

pub fn operators_routes() -> Vec<Route> {
    vec![
        Route::get("/api/ops/dead-letters", list),
        Route::get("/api/ops/dead-letters/{id}", inspect),
        Route::post("/api/ops/dead-letters/replay", replay),
        Route::post("/api/ops/dead-letters/{id}/discard", discard),
    ]
}

/// Which letters. Nothing said means all that are parked, a page at a time.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
struct Wanted {
    state: Listed,
    #[serde(with = "time::serde::rfc3339::option")]
    from: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    to: Option<OffsetDateTime>,
    cursor: Option<String>,
    limit: Option<u32>,
}

#[derive(Deserialize, Default, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum Listed {
    Waiting,
    #[default]
    Parked,
}

impl Wanted {
    fn selection(self) -> Result<Selection, OperateError> {
        let limit = self.limit.unwrap_or(PAGE);
        if !(1..=PAGE_MAX).contains(&limit) {
            return Err(OperateError::Field("limit must be from 1 to 100"));
        }
        if self.from.zip(self.to).is_some_and(|(from, to)| to < from) {
            return Err(OperateError::Field("to must not be before from"));
        }
        let after = self.cursor.map(|it| place(&it)).transpose()?;
        Ok(Selection::Listed {
            list: match self.state {
                Listed::Waiting => Cases::Waiting,
                Listed::Parked => Cases::Parked,
            },
            from: self.from,
            to: self.to,
            after,
            limit,
        })
    }
}

/// `nextCursor` of the page before: when its last letter was first seen, in nanoseconds, and its id.
fn place(cursor: &str) -> Result<Place, OperateError> {
    let read = || {
        let (nanos, id) = cursor.split_once('-')?;
        Some(Place {
            first_seen: OffsetDateTime::from_unix_timestamp_nanos(nanos.parse().ok()?).ok()?,
            id: id.parse().ok()?,
        })
    };
    read().ok_or(OperateError::Field("cursor is not one of ours"))
}

fn cursor(place: Place) -> String {
    format!("{}-{}", place.first_seen.unix_timestamp_nanos(), place.id)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ListBody {
    dead_letters: Vec<CaseBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// A dead letter as operators see it. Of what is in it, `inspect` tells.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CaseBody {
    id: DeadLetterId,
    state: Standing,
    reason: Reason,
    class: Class,
    #[serde(with = "time::serde::rfc3339")]
    first_seen: OffsetDateTime,
    tries: u32,
    history: Vec<Attempt>,
}

impl From<Case> for CaseBody {
    fn from(case: Case) -> Self {
        Self {
            id: case.id,
            state: case.state,
            reason: case.reason,
            class: case.class,
            first_seen: case.first_seen,
            tries: case.tries,
            history: case.history,
        }
    }
}

async fn list(
    State(app): State<App>,
    _: Operator,
    Query(wanted): Query<Wanted>,
) -> Result<Json<ListBody>, Problem> {
    let page = operate::list(&app, &wanted.selection()?).await?;
    let last = page.items.last().map(Place::of);
    Ok(Json(ListBody {
        next_cursor: last.filter(|_| page.more).map(cursor),
        dead_letters: page.items.into_iter().map(CaseBody::from).collect(),
    }))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InspectedBody {
    #[serde(flatten)]
    case: CaseBody,
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<RequestId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    headers: Option<std::collections::BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<EventBody>,
    /// The event, without what opens something.
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Value>,
}

#[derive(Serialize)]
struct EventBody {
    id: String,
    r#type: String,
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
}

impl From<&MuxEvent> for EventBody {
    fn from(event: &MuxEvent) -> Self {
        Self {
            id: event.id.as_str().to_owned(),
            r#type: event.kind.clone(),
            at: event.at,
        }
    }
}

async fn inspect(
    State(app): State<App>,
    _: Operator,
    Path(id): Path<DeadLetterId>,
) -> Result<Json<InspectedBody>, Problem> {
    let Inspected {
        case,
        letter,
        event,
    } = operate::inspect(&app, id).await?;
    let (request, headers) = letter.map_or((None, None), |it| (it.request, Some(it.headers)));
    let body = event.as_ref().map(|(body, _)| without_capabilities(body));
    Ok(Json(InspectedBody {
        case: case.into(),
        request,
        headers,
        event: event.as_ref().map(|(_, event)| event.into()),
        body,
    }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ReplayBody {
    /// These, whatever list they are in. Not together with what selects from a list.
    ids: Option<Vec<DeadLetterId>>,
    state: Option<Listed>,
    #[serde(default, with = "time::serde::rfc3339::option")]
    from: Option<OffsetDateTime>,
    #[serde(default, with = "time::serde::rfc3339::option")]
    to: Option<OffsetDateTime>,
    cursor: Option<String>,
    limit: Option<u32>,
    /// Whether only to say what would happen, and to write nothing. It does, unless told otherwise.
    #[serde(default = "yes")]
    dry_run: bool,
}

fn yes() -> bool {
    true
}

impl ReplayBody {
    fn selection(self) -> Result<Selection, OperateError> {
        let listed = self.state.is_some()
            || self.from.is_some()
            || self.to.is_some()
            || self.cursor.is_some()
            || self.limit.is_some();
        match self.ids {
            Some(_) if listed => Err(OperateError::Field(
                "ids go alone: without state, from, to, cursor and limit",
            )),
            Some(ids) if !(1..=IDS_MAX).contains(&ids.len()) => {
                Err(OperateError::Field("ids must be from 1 to 100"))
            }
            Some(ids) => Ok(Selection::These(ids)),
            None => Wanted {
                state: self.state.unwrap_or_default(),
                from: self.from,
                to: self.to,
                cursor: self.cursor,
                limit: self.limit,
            }
            .selection(),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ReplayedBody {
    dry_run: bool,
    items: Vec<ItemBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
    /// Of those that were named, the ones that there was no time for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ids_left: Vec<DeadLetterId>,
}

#[derive(Serialize)]
struct ItemBody {
    id: DeadLetterId,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<EventBody>,
    /// Without one it was in vain, and `error` says why.
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<Outcome>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    asset: Option<AssetId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<AssetBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<AssetBody>,
}

/// What an operator sees of a video: how it stands, and nothing that plays it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AssetBody {
    status: Status,
    version: u64,
    playable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_millis: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aspect_ratio: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl AssetBody {
    fn of(asset: &Asset, now: OffsetDateTime) -> Self {
        Self {
            status: asset.status(now),
            version: asset.version,
            playable: asset.lifecycle.playable().is_some(),
            duration_millis: asset.lifecycle.millis(),
            aspect_ratio: asset.lifecycle.aspect_ratio().map(str::to_owned),
            error: asset.failure().map(|it| it.message.clone()),
        }
    }
}

impl ItemBody {
    fn of(item: Replayed, now: OffsetDateTime) -> Self {
        let event = item.event.as_ref().map(EventBody::from);
        let (effect, error) = match item.effect {
            Ok(effect) => (Some(effect), None),
            Err(failure) => (None, Some(failure.error)),
        };
        let change = effect.as_ref().and_then(|it| it.change.as_deref());
        Self {
            id: item.id,
            event,
            error,
            outcome: effect.as_ref().map(|it| it.outcome),
            asset: effect.as_ref().and_then(|it| it.asset),
            before: change.map(|(before, _)| AssetBody::of(before, now)),
            after: change.map(|(_, after)| AssetBody::of(after, now)),
        }
    }
}

async fn replay(
    State(app): State<App>,
    Operator(operator): Operator,
    Json(body): Json<ReplayBody>,
) -> Result<Json<ReplayedBody>, Problem> {
    let dry_run = body.dry_run;
    let selection = body.selection()?;
    let Replays { items, left } = if dry_run {
        operate::rehearse(&app, &selection).await?
    } else {
        operate::replay(&app, &operator, &selection).await?
    };
    let now = app.clock.now();
    let (next, ids_left) = match left {
        Left::Nothing => (None, Vec::new()),
        Left::After(place) => (Some(place), Vec::new()),
        Left::These(ids) => (None, ids),
    };
    Ok(Json(ReplayedBody {
        dry_run,
        items: items.into_iter().map(|it| ItemBody::of(it, now)).collect(),
        next_cursor: next.map(cursor),
        ids_left,
    }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DiscardBody {
    reason: String,
}

async fn discard(
    State(app): State<App>,
    Operator(operator): Operator,
    Path(id): Path<DeadLetterId>,
    Json(body): Json<DiscardBody>,
) -> Result<Json<CaseBody>, Problem> {
    let field = |_| OperateError::Field("reason must have 1 to 200 characters on one line");
    let reason = Note::try_from(body.reason).map_err(field)?;
    // What it discards is gone for good, and can wait.
    slo::refuse_if_frozen(&app).await?;
    let case = operate::discard(&app, &operator, id, reason).await?;
    Ok(Json(case.into()))
}
