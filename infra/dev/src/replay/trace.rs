//! The trace of a run in the portal: that it begins, before anything is sent, and how it ended.

use anyhow::{Context, bail};
use reqwest::{Client, Url, header};
use serde_json::{Value, json};

use super::{WEBHOOKS, is_local};

/// A run that has begun.
pub(super) struct Trace {
    portal: Url,
    pub(super) run: String,
}

impl Trace {
    pub(super) async fn begin(
        http: &Client,
        to: &Url,
        events: usize,
        digest: &str,
    ) -> anyhow::Result<Self> {
        let Some(base) = to.path().strip_suffix(WEBHOOKS) else {
            bail!("{to} is not where the portal takes webhooks: say --no-trace to leave none");
        };
        let mut portal = to.clone();
        portal.set_path(base);
        portal.set_query(None);
        let mut trace = Self {
            portal,
            run: String::new(),
        };
        let body = json!({"events": events, "digest": digest});
        let begun = trace.post(http, "/api/ops/replay-runs", &body).await;
        let begun = begun.context("the run could not be written down, so nothing was sent")?;
        let run = begun["run"].as_str().context("the portal names no run")?;
        run.clone_into(&mut trace.run);
        Ok(trace)
    }

    pub(super) async fn end(
        &self,
        http: &Client,
        accepted: u32,
        refused: u32,
    ) -> anyhow::Result<()> {
        let path = format!("/api/ops/replay-runs/{}/end", self.run);
        let body = json!({"accepted": accepted, "refused": refused});
        self.post(http, &path, &body).await.map(drop)
    }

    async fn post(&self, http: &Client, path: &str, body: &Value) -> anyhow::Result<Value> {
        let address = |path: &str| {
            let base = self.portal.as_str().trim_end_matches('/');
            format!("{base}{path}")
        };
        let token = match crate::environment("PORTAL_TOKEN") {
            Some(token) => token,
            None if is_local(&self.portal) => sign_in(http, &address("/sign-in/session")).await?,
            None => bail!("set PORTAL_TOKEN to an operator's session token, or say --no-trace"),
        };
        let answer = http.post(address(path)).bearer_auth(token).json(body);
        answer_of(answer).await
    }
}

/// The local operator's session.
async fn sign_in(http: &Client, address: &str) -> anyhow::Result<String> {
    let call = http
        .post(address)
        .header(header::ORIGIN, origin(address)?)
        .json(&json!({"person": "dana"}));
    let session = answer_of(call).await?;
    let token = session["token"].as_str();
    Ok(token
        .context("the sign-in service gives no token")?
        .to_owned())
}

fn origin(address: &str) -> anyhow::Result<String> {
    Ok(Url::parse(address)?.origin().ascii_serialization())
}

async fn answer_of(call: reqwest::RequestBuilder) -> anyhow::Result<Value> {
    let answer = call.send().await.context("the portal does not answer")?;
    let status = answer.status();
    let body: Value = answer.json().await.unwrap_or_default();
    if status.is_success() {
        return Ok(body);
    }
    bail!("{} {}: {}", status.as_u16(), body["title"], body["detail"])
}
