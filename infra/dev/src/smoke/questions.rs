//! What each function is asked, and what it has to say: something that needs nobody, and something that
//! needs the table, the sign-in service or Mux. Who may do what is `tests/it/access.rs`.

use std::{
    fmt,
    time::{Duration, Instant},
};

use reqwest::Method;
use serde_json::Value;
use shared::router::Deployable;

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub(super) enum Who {
    Nobody,
    /// One of the seeded people.
    Person(&'static str),
    Schedule,
}

#[derive(Debug)]
pub(super) struct Question {
    pub who: Who,
    pub method: Method,
    pub path: &'static str,
    pub body: &'static str,
    /// The status, and the problem by the last part of its type; empty for none.
    pub expected: (u16, &'static str),
}

/// What was answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub status: u16,
    pub problem: String,
    pub took: Duration,
}

impl Answer {
    pub(super) fn new(status: u16, body: &str, took: Duration) -> Self {
        let body: Value = serde_json::from_str(body).unwrap_or_default();
        let kind = body["type"].as_str().unwrap_or_default();
        let problem = match status {
            ..400 => "",
            _ => kind.rsplit('/').next().unwrap_or_default(),
        };
        Self {
            status,
            problem: problem.to_owned(),
            took,
        }
    }
}

impl Question {
    /// What a schedule asks where it speaks no HTTP: that the job be done.
    pub(super) fn woken() -> Self {
        get("(its event)", Who::Schedule, (200, ""))
    }

    pub(super) fn is_met_by(&self, answer: &Answer) -> bool {
        self.expected == (answer.status, answer.problem.as_str())
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = match self.who {
            Who::Nobody => "nobody",
            Who::Person(name) => name,
            Who::Schedule => "schedule",
        };
        f.pad(&format!("{who:<9} {} {}", self.method, self.path))
    }
}

/// An upload that is not there.
const NO_UPLOAD: &str = "/api/uploads/ast_01M7YRM9H2BK7Y9SHW9K8FEAZ3";

/// What a function is asked over HTTP.
pub(super) fn over_http(deployable: Deployable) -> Vec<Question> {
    let unauthenticated = (401, "unauthenticated");
    let ada = Who::Person("ada");
    let dana = Who::Person("dana");
    match deployable {
        Deployable::Uploads => vec![
            post("/api/uploads", Who::Nobody, unauthenticated),
            post("/api/uploads", ada, (400, "invalid-request")),
            get(NO_UPLOAD, ada, (404, "not-found")),
        ],
        Deployable::WebhooksMux => {
            vec![post(
                "/api/webhooks/mux",
                Who::Nobody,
                (401, "invalid-signature"),
            )]
        }
        Deployable::Share => vec![get("/api/share/x", Who::Nobody, (404, "not-found"))],
        Deployable::Shares => people("/api/shares", ada),
        Deployable::Assets => people("/api/assets", ada),
        Deployable::Ops => vec![
            get("/api/health", Who::Nobody, (200, "")),
            get("/api/health/mux-system", Who::Nobody, (200, "")),
            get("/api/ops/dead-letters", Who::Nobody, unauthenticated),
            get("/api/ops/dead-letters", dana, (200, "")),
        ],
        Deployable::Audit => people("/api/audit", ada),
        Deployable::CostReport => people("/api/cost-report", ada),
        Deployable::DlqReplay => people("/api/cron/dlq-replay", Who::Schedule),
        Deployable::Reconcile => people("/api/cron/reconcile", Who::Schedule),
        Deployable::Retire => people("/api/cron/retire", Who::Schedule),
        Deployable::AuditSeal => people("/api/cron/audit-seal", Who::Schedule),
        Deployable::Usage => people("/api/cron/usage", Who::Schedule),
        Deployable::Watch => people("/api/cron/watch", Who::Schedule),
    }
}

/// What some may and nobody else.
fn people(path: &'static str, who: Who) -> Vec<Question> {
    vec![
        get(path, Who::Nobody, (401, "unauthenticated")),
        get(path, who, (200, "")),
    ]
}

fn get(path: &'static str, who: Who, expected: (u16, &'static str)) -> Question {
    Question {
        who,
        method: Method::GET,
        path,
        body: "",
        expected,
    }
}

fn post(path: &'static str, who: Who, expected: (u16, &'static str)) -> Question {
    Question {
        who,
        method: Method::POST,
        path,
        body: "{}",
        expected,
    }
}

/// Asks over HTTP.
pub(super) async fn ask(
    http: &reqwest::Client,
    base: &str,
    question: &Question,
    session: Option<String>,
) -> anyhow::Result<Answer> {
    let began = Instant::now();
    let mut request = http
        .request(question.method.clone(), format!("{base}{}", question.path))
        .header("content-type", "application/json")
        // Where a request comes from, as Vercel's edge says it (shared/src/vercel.rs).
        .header("x-vercel-forwarded-for", "127.0.0.1")
        .body(question.body);
    if let Some(session) = session {
        request = request.bearer_auth(session);
    }
    let answer = request.send().await?;
    let status = answer.status().as_u16();
    Ok(Answer::new(status, &answer.text().await?, began.elapsed()))
}
