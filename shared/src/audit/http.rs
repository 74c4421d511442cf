//! The audit log's routes, and the schedule's.

use audit_verify::SEALED;
use axum::{
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, header},
};
use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{
    AuditError,
    erase::{self, Whose},
    export,
    model::{Entry, Pass, Wanted},
    read::{self, About, Question},
    seal,
};
use crate::{
    app::App,
    auth::Auditor,
    http::{Json, PAGE, PAGE_MAX, Query},
    ids::{EventId, ShareId, UserId},
    jobs::{RunBody, Scheduled},
    problem::Problem,
    router::Route,
};

/// The header that says after which checkpoint the next page of an export begins.
pub const NEXT_PAGE: &str = "x-audit-next";

pub fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/audit", list),
        Route::get("/api/audit/export", export_page),
        Route::get("/api/audit/key", public_key),
        Route::post("/api/audit/erase", erase_some),
    ]
}

pub fn schedule_routes() -> Vec<Route> {
    vec![Route::get("/api/cron/audit-seal", run)]
}

async fn run(_: Scheduled, State(app): State<App>) -> Result<Json<RunBody<Pass>>, Problem> {
    Ok(Json(seal(&app).await?.into()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    from: Option<String>,
    to: Option<String>,
    about: Option<String>,
    actor: Option<String>,
    r#type: Option<String>,
    cursor: Option<EventId>,
    limit: Option<u32>,
}

impl ListQuery {
    fn question(self) -> Result<(Question, usize), AuditError> {
        let limit = self.limit.unwrap_or(PAGE);
        if limit == 0 || limit > PAGE_MAX {
            return Err(AuditError::Field("limit must be from 1 to 100"));
        }
        let question = Question {
            from: self.from.as_deref().map(instant).transpose()?,
            to: self.to.as_deref().map(instant).transpose()?,
            after: self.cursor,
            about: self.about.as_deref().map(about).transpose()?,
            wanted: Wanted {
                actor: self.actor,
                kind: self.r#type,
                share: None,
            },
        };
        Ok((question, usize::try_from(limit).unwrap_or_default()))
    }
}

fn instant(text: &str) -> Result<OffsetDateTime, AuditError> {
    OffsetDateTime::parse(text, &Rfc3339)
        .map_err(|_| AuditError::Field("from and to must be times such as 2026-01-05T09:00:00Z"))
}

fn about(text: &str) -> Result<About, AuditError> {
    let asset = text.parse().map(About::Asset);
    asset
        .or_else(|_| text.parse().map(About::Share))
        .map_err(|_| AuditError::Field("about must be the id of a video or of a link"))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PageBody {
    entries: Vec<EntryBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<EventId>,
}

/// An entry as it is stored, without its salts.
#[derive(Serialize)]
#[serde(transparent)]
struct EntryBody(Entry);

impl From<Entry> for EntryBody {
    fn from(mut entry: Entry) -> Self {
        let clear = entry.get_mut(audit_verify::CLEAR);
        let fields = clear.and_then(|it| it.as_object_mut()).into_iter();
        for (_, field) in fields.flatten() {
            *field = field["value"].take();
        }
        entry.entry(SEALED).or_insert_with(Default::default);
        Self(entry)
    }
}

async fn list(
    State(app): State<App>,
    Auditor(member): Auditor,
    Query(query): Query<ListQuery>,
) -> Result<Json<PageBody>, Problem> {
    let (question, limit) = query.question()?;
    let found = read::entries(&app, member.tenant, question, limit).await?;
    Ok(Json(PageBody {
        entries: found.entries.into_iter().map(EntryBody::from).collect(),
        next_cursor: found.next,
    }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExportQuery {
    #[serde(default)]
    after: u64,
}

async fn export_page(
    State(app): State<App>,
    Auditor(member): Auditor,
    Query(query): Query<ExportQuery>,
) -> Result<(HeaderMap, Vec<u8>), Problem> {
    let page = export::page(&app, &member, query.after).await?;
    let mut headers = HeaderMap::new();
    let media_type = HeaderValue::from_static("application/jsonl");
    headers.insert(header::CONTENT_TYPE, media_type);
    if let Some(next) = page.next {
        headers.insert(HeaderName::from_static(NEXT_PAGE), next.into());
    }
    Ok((headers, page.lines))
}

async fn public_key(
    State(app): State<App>,
    _: Auditor,
) -> Result<([(HeaderName, &'static str); 1], String), Problem> {
    let media_type = (header::CONTENT_TYPE, "application/x-pem-file");
    Ok(([media_type], app.keys().seals.clone()))
}

/// One of the two: an entry, or a person: a user, or the link that a guest came by.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EraseBody {
    entry: Option<EventId>,
    actor: Option<String>,
    cursor: Option<EventId>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ErasedBody {
    /// How many entries had personal fields.
    erased: u32,
    /// Where there is more: the same request again, with this.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<EventId>,
}

impl EraseBody {
    fn whose(self) -> Result<Whose, AuditError> {
        match (self.entry, self.actor) {
            (Some(entry), None) => Ok(Whose::Entry(entry)),
            (None, Some(actor)) if is_person(&actor) => Ok(Whose::Actor(actor, self.cursor)),
            (None, Some(_)) => Err(AuditError::Field(
                "actor must be the id of a user or a link",
            )),
            (Some(_), Some(_)) | (None, None) => {
                Err(AuditError::Field("name an entry or an actor"))
            }
        }
    }
}

fn is_person(actor: &str) -> bool {
    actor.parse::<UserId>().is_ok() || actor.parse::<ShareId>().is_ok()
}

async fn erase_some(
    State(app): State<App>,
    Auditor(member): Auditor,
    Json(body): Json<EraseBody>,
) -> Result<Json<ErasedBody>, Problem> {
    let erased = erase::erase(&app, &member, body.whose()?).await?;
    Ok(Json(ErasedBody {
        erased: erased.entries,
        next_cursor: erased.next,
    }))
}
