//! The report's route, and the schedule's.

use axum::{
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;

use super::{
    closing::{self, Closed},
    error::CostsError,
    job::{Learnt, UsageError, usage},
    model::Month,
    page::page,
    report::Report,
    service,
    sheet::sheet,
};
use crate::{
    app::{App, Parts},
    auth::{Admin, MaybeOperator, Member},
    http::{Json, Query},
    ids::TenantId,
    jobs::{RunBody, Scheduled},
    problem::Problem,
    router::Route,
};

/// The header with the SHA-256 of a closed report's body, as the audit log has it.
pub const DIGEST: &str = "x-report-digest";

pub fn routes() -> Vec<Route> {
    vec![Route::get("/api/cost-report", show)]
}

pub fn schedule_routes() -> Vec<Route> {
    vec![Route::get("/api/cron/usage", run)]
}

async fn run(_: Scheduled, State(app): State<App>) -> Result<Json<RunBody<Learnt>>, Problem> {
    Ok(Json(usage(&app).await?.into()))
}

impl From<UsageError> for Problem {
    fn from(error: UsageError) -> Self {
        Self::internal(error)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReportQuery {
    period: Option<String>,
    format: Option<String>,
    tenant: Option<String>,
}

enum Format {
    Json,
    Csv,
    Html,
}

impl ReportQuery {
    /// The month that is asked for; without a word, this one.
    fn month(&self, app: &Parts) -> Result<Month, CostsError> {
        let now = Month::of(app.clock.now().date());
        let asked = self.period.as_deref().map_or(Ok(now), str::parse);
        asked
            .ok()
            .filter(|month| *month <= now)
            .ok_or(CostsError::Field(
                "period must be a month such as 2026-01, and not one to come",
            ))
    }

    fn format(&self) -> Result<Format, CostsError> {
        match self.format.as_deref() {
            None | Some("json") => Ok(Format::Json),
            Some("csv") => Ok(Format::Csv),
            Some("html") => Ok(Format::Html),
            Some(_) => Err(CostsError::Field("format must be json, csv or html")),
        }
    }

    /// Whose report it is: one's own; an operator may see anybody's, and everybody's together.
    fn whose(&self, member: &Member, operator: bool) -> Result<Option<TenantId>, CostsError> {
        let Some(asked) = self.tenant.as_deref() else {
            return Ok(Some(member.tenant));
        };
        if asked == "all" && operator {
            return Ok(None);
        }
        let tenant: TenantId = asked.parse().map_err(|_| CostsError::NotYours)?;
        let may = operator || tenant == member.tenant;
        may.then_some(Some(tenant)).ok_or(CostsError::NotYours)
    }
}

async fn show(
    State(app): State<App>,
    Admin(member): Admin,
    MaybeOperator(operator): MaybeOperator,
    Query(query): Query<ReportQuery>,
) -> Result<Response, Problem> {
    let (month, format) = (query.month(&app)?, query.format()?);
    let tenant = query.whose(&member, operator)?;
    let shown = match Box::pin(closing::closed(&app, tenant, month)).await? {
        Some(closed) => frozen(closed, &format, month)?,
        None => live(
            &Box::pin(service::report_of(&app, tenant, month)).await?,
            &format,
        )?,
    };
    Ok(shown)
}

fn live(report: &Report, format: &Format) -> Result<Response, CostsError> {
    match format {
        Format::Json => Ok(Json(report).into_response()),
        Format::Csv => Ok(table(sheet(report)?, report.period)),
        Format::Html => html(report),
    }
}

/// A closed report is given out as it was written, to the byte.
fn frozen(closed: Closed, format: &Format, month: Month) -> Result<Response, CostsError> {
    let (mut answer, digest) = match format {
        Format::Json => {
            let media_type = (header::CONTENT_TYPE, "application/json");
            (([media_type], closed.report).into_response(), closed.digest)
        }
        Format::Csv => (table(closed.sheet, month), closed.sheet_digest),
        Format::Html => return html(&serde_json::from_slice(&closed.report)?),
    };
    if let Ok(digest) = HeaderValue::try_from(digest) {
        let name = HeaderName::from_static(DIGEST);
        answer.headers_mut().insert(name, digest);
    }
    Ok(answer)
}

fn table(bytes: Vec<u8>, month: Month) -> Response {
    let name = format!("attachment; filename=\"costs-{month}.csv\"");
    let mut headers = HeaderMap::new();
    let media_type = HeaderValue::from_static("text/csv; charset=utf-8");
    headers.insert(header::CONTENT_TYPE, media_type);
    if let Ok(name) = HeaderValue::try_from(name) {
        headers.insert(header::CONTENT_DISPOSITION, name);
    }
    (headers, bytes).into_response()
}

fn html(report: &Report) -> Result<Response, CostsError> {
    let page = page(report)?;
    let mut headers = HeaderMap::new();
    let media_type = HeaderValue::from_static("text/html; charset=utf-8");
    headers.insert(header::CONTENT_TYPE, media_type);
    if let Ok(policy) = HeaderValue::try_from(page.policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    Ok((headers, page.html).into_response())
}
