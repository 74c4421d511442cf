//! A status page that is asked, as Atlassian Statuspage answers it. It is somebody else's, so nothing
//! that it says is believed but one word, and nothing that it does keeps anybody waiting.

use std::time::Duration;

use serde::Deserialize;
use url::Url;

use super::model::Indicator;
use crate::{outgoing::Outgoing, telemetry};

/// How long a page has for its whole answer: it is asked every minute.
const PATIENCE: Duration = Duration::from_secs(3);

/// How much of an answer is read, in bytes. A summary with all its components is some ten thousand.
const ANSWER_LIMIT: usize = 256 * 1024;

/// Asks a status page.
pub struct StatusPage {
    http: Outgoing,
    url: Url,
}

/// Of the summary what is of use here; whatever else is in it is left alone.
#[derive(Deserialize)]
struct Summary {
    status: Status,
}

#[derive(Deserialize)]
struct Status {
    indicator: Indicator,
}

/// Why a page says nothing.
#[derive(Debug, thiserror::Error)]
enum Mute {
    #[error("the page is not reachable")]
    Unreachable(#[from] reqwest::Error),
    #[error("the page answers {0}")]
    Refuses(reqwest::StatusCode),
    #[error("the page is too long")]
    TooLong,
    #[error("the page is no summary")]
    NoSummary(#[from] serde_json::Error),
    #[error("the page did not answer in time")]
    Late,
}

impl StatusPage {
    pub fn new(url: Url) -> Self {
        let http = Outgoing::new(|it| it);
        Self { http, url }
    }

    /// What it says; nothing, if that cannot be known. Asked once: the next look is a minute away.
    pub(super) async fn ask(&self) -> Option<Indicator> {
        let asked = tokio::time::timeout(PATIENCE, self.read()).await;
        match asked.unwrap_or(Err(Mute::Late)) {
            Ok(indicator) => Some(indicator),
            Err(mute) => {
                let error = telemetry::chain(&mute);
                tracing::warn!(error, "the status page says nothing");
                None
            }
        }
    }

    async fn read(&self) -> Result<Indicator, Mute> {
        let mut response = self.http.client()?.get(self.url.clone()).send().await?;
        if !response.status().is_success() {
            return Err(Mute::Refuses(response.status()));
        }
        let mut answer = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            if answer.len() + chunk.len() > ANSWER_LIMIT {
                return Err(Mute::TooLong);
            }
            answer.extend_from_slice(&chunk);
        }
        let summary: Summary = serde_json::from_slice(&answer)?;
        Ok(summary.status.indicator)
    }
}
