//! The operators' view of limits.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{
    model::{Limit, Mode, Rule},
    refusals::{self, Refused},
};
use crate::{
    app::App,
    auth::Operator,
    http::{Json, Query},
    problem::{Kind, Problem},
    router::Route,
};

/// How far back one may look: a week, which is how often numbers are reviewed.
const FURTHEST: u16 = 168;

pub fn routes() -> Vec<Route> {
    vec![Route::get("/api/ops/limits", limits)]
}

/// `?hours=168`: this hour and so many before it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LimitsQuery {
    #[serde(default = "a_day")]
    hours: u16,
}

const fn a_day() -> u16 {
    24
}

#[derive(Serialize)]
struct LimitsBody {
    limits: Vec<LimitBody>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LimitBody {
    rule: &'static str,
    mode: Mode,
    most: u16,
    seconds: u32,
    refused: u64,
    would_be_refused: u64,
    /// Newest first, without those in which nothing was refused.
    hours: Vec<HourBody>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct HourBody {
    #[serde(with = "time::serde::rfc3339")]
    hour: OffsetDateTime,
    refused: u64,
    would_be_refused: u64,
    subjects: Vec<SubjectBody>,
}

/// A link or a person by their id, an address by its pseudonym.
#[derive(Serialize)]
struct SubjectBody {
    subject: String,
    count: u64,
}

async fn limits(
    State(app): State<App>,
    _: Operator,
    Query(query): Query<LimitsQuery>,
) -> Result<Json<LimitsBody>, Problem> {
    if query.hours > FURTHEST {
        return Err(Problem::new(Kind::InvalidField, "hours is at most 168"));
    }
    let found = refusals::of_late(&app, query.hours).await?;
    let limits = Rule::ALL.map(|rule| {
        let of_rule = found.iter().filter(|it| it.rule == rule);
        LimitBody::of(rule, app.config.limits.of(rule), of_rule)
    });
    Ok(Json(LimitsBody {
        limits: limits.into(),
    }))
}

impl LimitBody {
    fn of<'a>(rule: Rule, limit: Limit, found: impl Iterator<Item = &'a Refused>) -> Self {
        let hours: Vec<HourBody> = found.map(HourBody::of).collect();
        Self {
            rule: rule.name(),
            mode: limit.mode,
            most: limit.most,
            seconds: limit.seconds,
            refused: hours.iter().map(|it| it.refused).sum(),
            would_be_refused: hours.iter().map(|it| it.would_be_refused).sum(),
            hours,
        }
    }
}

impl HourBody {
    fn of(found: &Refused) -> Self {
        let subjects = found.subjects.iter().cloned();
        Self {
            hour: found.hour,
            refused: found.enforced,
            would_be_refused: found.shadowed,
            subjects: subjects
                .map(|(subject, count)| SubjectBody { subject, count })
                .collect(),
        }
    }
}
