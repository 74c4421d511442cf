//! A stand-in of Cost Explorer: it answers `GetCostAndUsage` by day and service, page by page, in JSON 1.1 as
//! AWS does. What it says is what it was told, to the digit.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::{Value, json};
use time::{Date, Duration, macros::format_description};

/// The one call that it knows.
const TARGET: &str = "AWSInsightsIndexService.GetCostAndUsage";

/// For what a request must be signed: the service is in one region.
const SCOPE: &str = "/us-east-1/ce/aws4_request";

/// How it refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusing {
    /// The role has no `ce:GetCostAndUsage`.
    AccessDenied,
    Throttling,
    /// AWS has not made its figures.
    NoData,
    /// 500.
    Broken,
}

impl Refusing {
    fn answer(self) -> Response {
        let (status, code) = match self {
            Self::AccessDenied => (StatusCode::BAD_REQUEST, "AccessDeniedException"),
            Self::Throttling => (StatusCode::BAD_REQUEST, "ThrottlingException"),
            Self::NoData => (StatusCode::BAD_REQUEST, "DataUnavailableException"),
            Self::Broken => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "InternalFailureException",
            ),
        };
        refusal(status, code)
    }
}

fn refusal(status: StatusCode, code: &str) -> Response {
    let body = json!({"__type": code, "message": "the stand-in was told to refuse"});
    (status, body.to_string()).into_response()
}

/// The stand-in. Cheap to clone: all clones are one.
#[derive(Debug, Clone, Default)]
pub struct CostExplorer(Arc<Mutex<Bills>>);

#[derive(Debug, Default)]
struct Bills {
    /// Amounts as AWS spells them, and the currency, by day and service.
    days: BTreeMap<Date, BTreeMap<String, (String, String)>>,
    /// From this day on AWS has no invoice yet.
    preliminary: Option<Date>,
    /// Made up for a day that it was told nothing of.
    invented: Vec<(String, String)>,
    refusing: Option<Refusing>,
    /// Days on a page; nothing: all of them.
    page: Option<usize>,
    /// What it was asked, in order.
    asked: Vec<Value>,
}

impl CostExplorer {
    /// One that makes up every day: for who wants to look at a report.
    pub fn inventing() -> Self {
        let it = Self::default();
        it.bills().invented = [
            ("AWS Lambda", "0.0834519237"),
            ("Amazon DynamoDB", "0.2100000004"),
        ]
        .map(|(service, amount)| (service.to_owned(), amount.to_owned()))
        .into();
        it
    }

    /// A service cost this much on a day, in US dollars as AWS spells them.
    pub fn bill(&self, day: Date, service: &str, amount: &str) {
        self.bill_in(day, service, amount, "USD");
    }

    /// The same in another currency.
    pub fn bill_in(&self, day: Date, service: &str, amount: &str, unit: &str) {
        let amount = (amount.to_owned(), unit.to_owned());
        let mut bills = self.bills();
        let of = bills.days.entry(day).or_default();
        of.insert(service.to_owned(), amount);
    }

    /// From this day on there is no invoice.
    pub fn preliminary_from(&self, day: Option<Date>) {
        self.bills().preliminary = day;
    }

    pub fn refuse(&self, how: Option<Refusing>) {
        self.bills().refusing = how;
    }

    /// Tells so many days on a page.
    pub fn page(&self, days: usize) {
        self.bills().page = Some(days);
    }

    /// Every request that came, as it came.
    pub fn asked(&self) -> Vec<Value> {
        self.bills().asked.clone()
    }

    pub fn router(&self) -> Router {
        Router::new().fallback(answer).with_state(self.clone())
    }

    fn bills(&self) -> MutexGuard<'_, Bills> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Period {
    start: String,
    end: String,
}

async fn answer(State(it): State<CostExplorer>, headers: HeaderMap, body: String) -> Response {
    let Ok(body) = serde_json::from_str::<Value>(&body) else {
        return refusal(StatusCode::BAD_REQUEST, "SerializationException");
    };
    let text = |name: header::HeaderName| {
        let value = headers.get(name).and_then(|it| it.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    if text(header::HeaderName::from_static("x-amz-target")) != TARGET {
        return refusal(StatusCode::BAD_REQUEST, "UnknownOperationException");
    }
    if !text(header::AUTHORIZATION).contains(SCOPE) {
        return refusal(StatusCode::BAD_REQUEST, "UnrecognizedClientException");
    }
    let mut bills = it.bills();
    bills.asked.push(body.clone());
    match bills.refusing {
        Some(how) => how.answer(),
        None => bills
            .tell(&body)
            .unwrap_or_else(|| refusal(StatusCode::BAD_REQUEST, "ValidationException")),
    }
}

impl Bills {
    /// `None`: not what the real one takes.
    fn tell(&self, body: &Value) -> Option<Response> {
        let period: Period = serde_json::from_value(body["TimePeriod"].clone()).ok()?;
        let format = format_description!("[year]-[month]-[day]");
        let start = Date::parse(&period.start, format).ok()?;
        let end = Date::parse(&period.end, format).ok()?;
        let by_service = json!([{"Type": "DIMENSION", "Key": "SERVICE"}]);
        let good = start < end
            && body["Granularity"] == "DAILY"
            && body["Metrics"] == json!(["UnblendedCost"])
            && body["GroupBy"] == by_service
            && body["Filter"]["Tags"]["Values"].is_array();
        if !good {
            return None;
        }
        let first = match body.get("NextPageToken") {
            Some(token) => token.as_str()?.strip_prefix("page-")?.parse().ok()?,
            None => 0,
        };
        let all: Vec<Date> = (0..(end - start).whole_days())
            .map(|it| start + Duration::days(it))
            .collect();
        let page = self.page.unwrap_or(all.len());
        let days = all.iter().skip(first).take(page);
        let days: Vec<Value> = days.map(|day| self.day(*day)).collect();
        let mut answer = json!({
            "ResultsByTime": days,
            "GroupDefinitions": by_service,
            "DimensionValueAttributes": [],
        });
        if first + page < all.len() {
            answer["NextPageToken"] = json!(format!("page-{}", first + page));
        }
        Some(answer.to_string().into_response())
    }

    fn day(&self, day: Date) -> Value {
        let invented = self.invented.iter();
        let told: BTreeMap<&str, (&str, &str)> = match self.days.get(&day) {
            Some(told) => {
                let told = told.iter();
                told.map(|(service, (amount, unit))| {
                    (service.as_str(), (amount.as_str(), unit.as_str()))
                })
                .collect()
            }
            None => invented
                .map(|(service, amount)| (service.as_str(), (amount.as_str(), "USD")))
                .collect(),
        };
        let groups: Vec<Value> = told
            .into_iter()
            .map(|(service, (amount, unit))| {
                let cost = json!({"UnblendedCost": {"Amount": amount, "Unit": unit}});
                json!({"Keys": [service], "Metrics": cost})
            })
            .collect();
        json!({
            "TimePeriod": {"Start": day.to_string(), "End": (day + Duration::DAY).to_string()},
            "Total": {},
            "Groups": groups,
            "Estimated": self.preliminary.is_some_and(|it| day >= it),
        })
    }
}
