//! Somebody who uses the portal, over its public API.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use reqwest::{Method, Response, StatusCode, header};
use serde_json::{Value, json};

/// A person's browser, as far as the portal can tell.
pub(crate) struct Client {
    pub http: reqwest::Client,
    /// Where the stack is.
    pub url: String,
}

/// What the portal answered, and how long that took.
pub(crate) struct Answer {
    pub status: StatusCode,
    /// Seconds after which the same makes sense, if it says so.
    pub retry_after: Option<u64>,
    pub body: Value,
    pub took: Duration,
}

impl Client {
    pub(crate) fn new(url: String) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none()) // 308 is an answer here, not a detour
            .build()?;
        Ok(Self { http, url })
    }

    /// A call without a session.
    pub(crate) async fn get(&self, path: &str) -> anyhow::Result<Answer> {
        let (began, request) = (Instant::now(), self.http.get(self.url.clone() + path));
        Answer::of(request.send().await, began).await
    }

    /// A call as one of the seeded people, with a session of this moment.
    pub(crate) async fn ask(
        &self,
        person: &str,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> anyhow::Result<Answer> {
        let session = self.session(person).await?;
        let url = format!("{}{path}", self.url);
        let mut request = self.http.request(method, url).bearer_auth(session);
        if let Some(body) = body {
            request = request.header(header::ORIGIN, &self.url).json(&body);
        }
        let began = Instant::now();
        Answer::of(request.send().await, began).await
    }

    pub(crate) async fn session(&self, person: &str) -> anyhow::Result<String> {
        let sign_in = self.http.post(format!("{}/sign-in/session", self.url));
        let sign_in = sign_in
            .header(header::ORIGIN, &self.url)
            .json(&json!({"person": person}));
        let session = sign_in
            .send()
            .await
            .with_context(|| format!("nothing answers at {}", self.url))?;
        let session = Answer::of(Ok(session), Instant::now()).await?.good()?;
        Ok(text(&session, "token")?.to_owned())
    }
}

impl Answer {
    async fn of(sent: reqwest::Result<Response>, began: Instant) -> anyhow::Result<Self> {
        let response = sent.map_err(reqwest::Error::without_url)?;
        let status = response.status();
        let retry_after = response.headers().get(header::RETRY_AFTER);
        let retry_after = retry_after.and_then(|it| it.to_str().ok()?.parse().ok());
        let body = response.json().await.map_err(reqwest::Error::without_url)?;
        Ok(Self {
            status,
            retry_after,
            body,
            took: began.elapsed(),
        })
    }

    /// The body, or the problem that it names.
    pub(crate) fn good(self) -> anyhow::Result<Value> {
        if self.status.is_success() {
            return Ok(self.body);
        }
        let (status, body) = (self.status.as_u16(), self.body);
        bail!("{status} {}: {}", body["title"], body["detail"])
    }

    /// The problem that it names, by the last part of its type.
    pub(crate) fn problem(&self) -> &str {
        let kind = self.body["type"].as_str().unwrap_or_default();
        kind.rsplit('/').next().unwrap_or_default()
    }
}

/// A text of an answer.
pub(crate) fn text<'a>(body: &'a Value, name: &str) -> anyhow::Result<&'a str> {
    body[name]
        .as_str()
        .with_context(|| format!("the answer has no {name}"))
}
