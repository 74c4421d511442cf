//! The keys at Mux that sign playback tokens (mux.com/docs/api-reference/system/signing-keys).

use anyhow::{Context, ensure};
use reqwest::StatusCode;
use serde::Deserialize;

use super::plan::{Document, Fresh};

/// Mux's API, with the token that is kept.
pub struct MuxKeys {
    client: reqwest::Client,
    url: String,
    id: String,
    secret: String,
}

#[derive(Deserialize)]
struct Created {
    data: Key,
}

#[derive(Deserialize)]
struct Key {
    id: String,
    private_key: String,
}

impl MuxKeys {
    /// At this address, which `/system/v1/signing-keys` is put behind.
    pub fn new(url: &str, kept: &Document) -> anyhow::Result<Self> {
        Ok(Self {
            client: reqwest::Client::builder()
                .timeout(std::time::Duration::from_secs(20))
                .build()?,
            url: format!("{}/system/v1/signing-keys", url.trim_end_matches('/')),
            id: kept.only("MUX_TOKEN_ID")?,
            secret: kept.only("MUX_TOKEN_SECRET")?,
        })
    }

    /// A new key. Its private half is told once.
    pub async fn create(&self) -> anyhow::Result<Fresh> {
        let call = self.client.post(&self.url);
        let sent = call.basic_auth(&self.id, Some(&self.secret)).send().await;
        let answer = sent
            .map_err(reqwest::Error::without_url)
            .context("Mux made no key")?;
        ensure!(
            answer.status().is_success(),
            "Mux made no key: it answered {}",
            answer.status()
        );
        let made: Created = answer.json().await.context("Mux's answer was no key")?;
        Ok(Fresh {
            id: Some(made.data.id),
            value: made.data.private_key,
        })
    }

    /// Deletes a key, which makes all that it signed worthless. One that is gone is gone.
    pub async fn delete(&self, id: &str) -> anyhow::Result<()> {
        let call = self.client.delete(format!("{}/{id}", self.url));
        let sent = call.basic_auth(&self.id, Some(&self.secret)).send().await;
        let answer = sent
            .map_err(reqwest::Error::without_url)
            .context("the old key was not deleted")?;
        let gone = answer.status().is_success() || answer.status() == StatusCode::NOT_FOUND;
        ensure!(
            gone,
            "the old key was not deleted: Mux answered {}",
            answer.status()
        );
        Ok(())
    }
}
