//! What is kept in Secrets Manager, read and replaced.

use anyhow::Context;
use aws_sdk_secretsmanager::Client;

use super::plan::Document;

/// The stage that everybody reads.
const CURRENT: &str = "AWSCURRENT";

/// The stage of a version that is about to be read.
const PENDING: &str = "AWSPENDING";

/// One version of it.
pub struct Kept {
    client: Client,
    id: String,
    version: String,
    pub document: Document,
}

impl Kept {
    pub async fn read(client: Client, id: &str) -> anyhow::Result<Self> {
        let asked = client.get_secret_value().secret_id(id).send().await;
        let answer = asked.with_context(|| format!("{id} cannot be read"))?;
        let text = answer.secret_string.unwrap_or_default();
        Ok(Self {
            document: Document::parse(&text)?,
            version: answer.version_id.unwrap_or_default(),
            id: id.to_owned(),
            client,
        })
    }

    /// Writes another version beside it, and has everybody read that, if this one is still what they read.
    pub async fn write(self, next: Document) -> anyhow::Result<Self> {
        let token = hex::encode(rand::random::<[u8; 16]>());
        let put = self.client.put_secret_value();
        let put = put.secret_id(&self.id).client_request_token(&token);
        let put = put.secret_string(next.text()).version_stages(PENDING);
        put.send()
            .await
            .context("the new version cannot be written")?;
        let moved = self.client.update_secret_version_stage();
        let moved = moved.secret_id(&self.id).version_stage(CURRENT);
        let moved = moved
            .remove_from_version_id(&self.version)
            .move_to_version_id(&token);
        moved
            .send()
            .await
            .context("somebody else has changed the secrets meanwhile: look, and try again")?;
        Ok(Self {
            version: token,
            document: next,
            ..self
        })
    }
}
