//! Where secrets are kept: one secret of AWS Secrets Manager, a JSON object whose keys are the names of the
//! variables that its values stand in for.

use std::{collections::HashMap, time::Duration};

use aws_sdk_secretsmanager::Client;
use serde_json::Value;

use super::SecretsError;
use crate::config::{Config, ConfigError};

/// How long the store has. Whoever waits for it has a request to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// What a variable of the environment says.
type Environment = dyn Fn(&str) -> Option<String> + Send + Sync;

/// The store, and the environment that says all else.
pub struct Source {
    client: Client,
    id: String,
    environment: Box<Environment>,
}

/// What was in the store. It has no `Debug`.
pub struct Fetched {
    /// Which version of the secret it is.
    pub version: String,
    values: HashMap<String, String>,
}

impl Source {
    /// `id`: the secret's name or ARN.
    pub fn new(
        client: Client,
        id: String,
        environment: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        Self {
            client,
            id,
            environment: Box::new(environment),
        }
    }

    /// What is there now. One round trip.
    pub async fn fetch(&self) -> Result<Fetched, SecretsError> {
        let asked = self.client.get_secret_value().secret_id(&self.id).send();
        let answer = tokio::time::timeout(PATIENCE, asked)
            .await
            .map_err(|_| SecretsError::Late)?
            .map_err(|error| SecretsError::Unavailable(error.into()))?;
        let text = answer.secret_string.unwrap_or_default();
        let object: HashMap<String, Value> =
            serde_json::from_str(&text).map_err(|_| SecretsError::NotAnObject)?;
        // What is no text is about the secrets: how far a rotation has come.
        let texts = object.into_iter().filter_map(|(name, value)| match value {
            Value::String(text) => Some((name, text)),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::Array(_)
            | Value::Object(_) => None,
        });
        Ok(Fetched {
            version: answer.version_id.unwrap_or_default(),
            values: texts.collect(),
        })
    }

    /// The configuration with them: what is in the store counts more than what is in the environment.
    pub fn config(&self, fetched: &Fetched) -> Result<Config, ConfigError> {
        Config::read(|name| {
            let kept = fetched.values.get(name).cloned();
            kept.or_else(|| (self.environment)(name))
        })
    }
}
