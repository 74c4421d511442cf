//! The trace of a run in the portal: that it begins, before anything is sent, and how it ended.

use anyhow::{Context, bail};
use reqwest::{Client, Url, header};
use serde_json::{Value, json};

use super::{WEBHOOKS, is_local};

/// A run that has begun.
pub(super) struct Trace {
    portal: Url,
    pub(super) run: String,
    /// Ends it, when the session that began it is long over.
    secret: String,
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
            secret: String::new(),
        };
        let body = json!({"events": events, "digest": digest});
        let call = http.post(trace.address("/api/ops/replay-runs")).json(&body);
        let begun = answer_of(call.bearer_auth(trace.token(http).await?)).await;
        let begun = begun.context("the run could not be written down, so nothing was sent")?;
        let named = |name: &str| begun[name].as_str().map(str::to_owned);
        trace.run = named("run").context("the portal names no run")?;
        trace.secret = named("secret").context("the portal names no secret")?;
        Ok(trace)
    }

    pub(super) async fn end(
        &self,
        http: &Client,
        accepted: u32,
        refused: u32,
    ) -> anyhow::Result<()> {
        let path = format!("/api/ops/replay-runs/{}/end", self.run);
        let body = json!({"secret": self.secret, "accepted": accepted, "refused": refused});
        let call = http.post(self.address(&path)).json(&body);
        answer_of(call).await.map(drop)
    }

    fn address(&self, path: &str) -> String {
        format!("{}{path}", self.portal.as_str().trim_end_matches('/'))
    }

    async fn token(&self, http: &Client) -> anyhow::Result<String> {
        match crate::environment("PORTAL_TOKEN") {
            Some(token) => Ok(token),
            None if is_local(&self.portal) => {
                sign_in(http, &self.address("/sign-in/session")).await
            }
            None => bail!("set PORTAL_TOKEN to an operator's session token, or say --no-trace"),
        }
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
