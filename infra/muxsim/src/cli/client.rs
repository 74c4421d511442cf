//! How commands reach the stand-in that runs, and endpoints.

use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use reqwest::{Method, Response, StatusCode, header};
use serde_json::Value;
use time::OffsetDateTime;

/// Where the stand-in runs, and the token it was started with.
#[derive(Args, Clone)]
pub(super) struct Client {
    /// Where the stand-in runs
    #[arg(long, env = "MUXSIM_URL", default_value = "http://127.0.0.1:4010")]
    url: String,
    #[command(flatten)]
    token: Token,
}

/// The access token: the server asks for it, and every command names it.
#[derive(Args, Clone)]
pub(super) struct Token {
    /// The access token of the API
    #[arg(long, env = "MUX_TOKEN_ID", default_value = "muxsim")]
    pub(super) token_id: String,
    /// The token's secret
    #[arg(
        long,
        env = "MUX_TOKEN_SECRET",
        default_value = "muxsim-secret",
        hide_env_values = true
    )]
    pub(super) token_secret: String,
}

/// Nothing answers where the stand-in should be.
#[derive(Debug, thiserror::Error)]
#[error("no muxsim answers at {0}: start it with `muxsim`, or say where it is with --url")]
struct NobodyThere(String);

impl Client {
    /// Whether this may heal by itself: a stand-in that refuses will refuse again.
    pub(super) fn nobody_there(error: &anyhow::Error) -> bool {
        error.is::<NobodyThere>()
    }

    /// What the stand-in answers under `data`.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<Value> {
        let response = self.send(method, path, body).await?;
        let text = response.text().await.context("the answer broke off")?;
        let mut answer: Value = serde_json::from_str(&text).context("the answer is not JSON")?;
        Ok(answer["data"].take())
    }

    /// An answer that is good; what is wrong with any other, in one line.
    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<Response> {
        let url = self.url.trim_end_matches('/');
        let mut request = reqwest::Client::builder()
            .no_proxy()
            .build()?
            .request(method, format!("{url}{path}"))
            .basic_auth(&self.token.token_id, Some(&self.token.token_secret));
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.map_err(|error| {
            if error.is_builder() {
                anyhow::anyhow!("{url} is not an address")
            } else {
                NobodyThere(url.to_owned()).into()
            }
        })?;
        let status = response.status();
        if status == StatusCode::UNAUTHORIZED {
            bail!(
                "the token is not the one that {url} was started with: see --token-id and --token-secret"
            );
        }
        if status.is_success() {
            return Ok(response);
        }
        let text = response.text().await.unwrap_or_default();
        let answer: Value = serde_json::from_str(&text).unwrap_or_default();
        match answer["error"]["messages"][0].as_str() {
            Some(message) => bail!("{message}"),
            None => bail!("{url} answered {status}, which muxsim would not"),
        }
    }
}

/// Where else an event goes, and how it is signed.
#[derive(Args, Clone)]
pub(super) struct Forward {
    /// Signs what is sent there; the endpoint must know it
    #[arg(
        long,
        env = "MUX_WEBHOOK_SECRET",
        default_value = "muxsim-webhook-secret",
        hide_env_values = true
    )]
    secret: String,
}

/// How long an endpoint may take, as for any webhook.
const PATIENCE: Duration = Duration::from_secs(5);

impl Forward {
    /// Sends an event, freshly signed, and says what the endpoint answered.
    pub(super) async fn send(&self, address: &str, event: &Value) -> anyhow::Result<u16> {
        let body = event.to_string();
        let signature = muxsim::sign(&self.secret, &body, now().unix_timestamp());
        let response = reqwest::Client::builder()
            .no_proxy()
            .build()?
            .post(address)
            .timeout(PATIENCE)
            .header(header::CONTENT_TYPE, "application/json")
            .header("mux-signature", signature)
            .body(body)
            .send()
            .await
            .map_err(|_| anyhow::anyhow!("{address} does not answer"))?;
        Ok(response.status().as_u16())
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a program's own time is the system's"
)]
fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}
