//! The operators' routes.

use axum::extract::State;
use serde::{Deserialize, Serialize};

use super::{
    IncidentError, Step,
    model::{Incident, Standing},
    service,
};
use crate::{
    app::App,
    assets::PageQuery,
    auth::Operator,
    http::{Json, Path, Query},
    ids::IncidentId,
    problem::Problem,
    router::Route,
};

/// Of a note, in characters.
const NOTE_MAX: usize = 1_000;

pub fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/ops/incidents", list),
        Route::post("/api/ops/incidents/{id}", step),
    ]
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ListBody {
    incidents: Vec<IncidentBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

#[derive(Serialize)]
struct IncidentBody {
    state: Standing,
    /// What to do.
    runbook: &'static str,
    #[serde(flatten)]
    incident: Incident,
}

impl From<Incident> for IncidentBody {
    fn from(incident: Incident) -> Self {
        Self {
            state: incident.standing(),
            runbook: incident.matter.runbook(),
            incident,
        }
    }
}

/// Those that are not over first, and of each the newest first.
async fn list(
    State(app): State<App>,
    _: Operator,
    Query(page): Query<PageQuery<String>>,
) -> Result<Json<ListBody>, Problem> {
    let (cursor, limit) = page.read()?;
    let foreign = IncidentError::Field("cursor is not one of ours");
    let after = match cursor {
        Some(cursor) => Some(place(&cursor).ok_or(foreign)?),
        None => None,
    };
    let page = service::list(&app, after, limit).await?;
    let last = page.items.last().filter(|_| page.more);
    let next_cursor = last.map(|it| format!("{}-{}", u8::from(it.standing().is_open()), it.id));
    Ok(Json(ListBody {
        next_cursor,
        incidents: page.items.into_iter().map(IncidentBody::from).collect(),
    }))
}

/// `nextCursor` of the page before: whether its last incident was open, and its id.
fn place(cursor: &str) -> Option<(bool, IncidentId)> {
    let (open, id) = cursor.split_once('-')?;
    let open = match open {
        "0" => false,
        "1" => true,
        _ => return None,
    };
    Some((open, id.parse().ok()?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StepBody {
    step: Step,
    note: Option<String>,
}

async fn step(
    State(app): State<App>,
    Operator(operator): Operator,
    Path(id): Path<IncidentId>,
    Json(body): Json<StepBody>,
) -> Result<Json<IncidentBody>, Problem> {
    let note = body.note.map(|it| it.trim().to_owned());
    let note = note.filter(|it| !it.is_empty());
    let strange = |it: char| it.is_control() && it != '\n';
    let refused = |it: &String| it.chars().count() > NOTE_MAX || it.chars().any(strange);
    if note.as_ref().is_some_and(refused) {
        let most = "note must have at most 1000 characters, and no other controls than new lines";
        return Err(IncidentError::Field(most).into());
    }
    let incident = service::operate(&app, &operator, id, body.step, note).await?;
    Ok(Json(incident.into()))
}
