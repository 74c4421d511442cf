//! A stand-in for AWS Secrets Manager: versions of secrets and their stages, as the rotation needs them
//! (docs.aws.amazon.com/secretsmanager/latest/apireference). In memory only.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
};

use aws_sdk_secretsmanager::{
    Client,
    config::{BehaviorVersion, Credentials, Region, retry::RetryConfig},
};
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::aws::{CREDENTIAL, REGION};

/// What a secret's newest version is labelled with.
const CURRENT: &str = "AWSCURRENT";
const PREVIOUS: &str = "AWSPREVIOUS";

/// Secrets by their names.
#[derive(Clone, Default)]
pub struct SecretStore(Arc<Shared>);

#[derive(Default)]
struct Shared {
    secrets: Mutex<BTreeMap<String, Secret>>,
    down: AtomicBool,
    asked: AtomicU32,
}

#[derive(Default)]
struct Secret {
    versions: BTreeMap<String, String>,
    /// Which version a stage is attached to.
    stages: BTreeMap<String, String>,
}

impl SecretStore {
    /// Serves until `stop`; a client that reaches it.
    pub fn serve(
        &self,
        listener: TcpListener,
        stop: &CancellationToken,
        tasks: &mut JoinSet<()>,
    ) -> anyhow::Result<Client> {
        let url = format!("http://{}", listener.local_addr()?);
        let router = Router::new()
            .route("/", post(called))
            .with_state(self.clone());
        let stopped = stop.clone();
        tasks.spawn(async move {
            let serving = axum::serve(listener, router);
            let stopped = stopped.cancelled_owned();
            let _ = serving.with_graceful_shutdown(stopped).await;
        });
        let config = aws_sdk_secretsmanager::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new(REGION))
            .credentials_provider(Credentials::new(
                CREDENTIAL, CREDENTIAL, None, None, "local",
            ))
            .retry_config(RetryConfig::disabled())
            .endpoint_url(url);
        Ok(Client::from_conf(config.build()))
    }

    /// Makes a secret, or gives it a new version, whatever is there.
    pub fn put(&self, name: &str, text: &str) {
        let mut secrets = self.secrets();
        let secret = secrets.entry(name.to_owned()).or_default();
        let version = format!("version-{}", secret.versions.len() + 1);
        secret.versions.insert(version.clone(), text.to_owned());
        secret.attach(CURRENT, version);
    }

    /// What it is now.
    pub fn current(&self, name: &str) -> Option<String> {
        let secrets = self.secrets();
        let secret = secrets.get(name)?;
        secret.versions.get(secret.stages.get(CURRENT)?).cloned()
    }

    /// Nobody answers until somebody does again.
    pub fn down(&self, down: bool) {
        self.0.down.store(down, Ordering::SeqCst);
    }

    /// How often it was asked for a value.
    pub fn asked(&self) -> u32 {
        self.0.asked.load(Ordering::SeqCst)
    }

    fn secrets(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Secret>> {
        let secrets = self.0.secrets.lock();
        secrets.unwrap_or_else(PoisonError::into_inner)
    }
}

impl Secret {
    fn attach(&mut self, stage: &str, version: String) {
        let before = self.stages.insert(stage.to_owned(), version);
        if let Some(before) = before.filter(|_| stage == CURRENT) {
            self.stages.insert(PREVIOUS.to_owned(), before);
        }
    }
}

async fn called(State(store): State<SecretStore>, headers: HeaderMap, body: Bytes) -> Response {
    if store.0.down.load(Ordering::SeqCst) {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let Ok(input) = serde_json::from_slice::<Value>(&body) else {
        return refused("SerializationException", "not JSON");
    };
    let target = headers.get("x-amz-target").and_then(|it| it.to_str().ok());
    let text = |name: &str| input[name].as_str().unwrap_or_default().to_owned();
    let mut secrets = store.secrets();
    let name = text("SecretId");
    let Some(secret) = secrets.get_mut(&name) else {
        return refused("ResourceNotFoundException", "there is no such secret");
    };
    let answer = match target {
        Some("secretsmanager.GetSecretValue") => {
            store.0.asked.fetch_add(1, Ordering::SeqCst);
            let version = secret.stages.get(CURRENT).cloned().unwrap_or_default();
            json!({
                "Name": name, "VersionId": version, "VersionStages": [CURRENT],
                "SecretString": secret.versions.get(&version),
            })
        }
        Some("secretsmanager.PutSecretValue") => {
            let (version, value) = (text("ClientRequestToken"), text("SecretString"));
            if secret.versions.get(&version).is_some_and(|it| *it != value) {
                return refused("ResourceExistsException", "this version has another value");
            }
            secret.versions.insert(version.clone(), value);
            let stages = input["VersionStages"].as_array().cloned();
            let stages = stages.unwrap_or_else(|| vec![json!(CURRENT)]);
            for stage in stages.iter().filter_map(Value::as_str) {
                secret.attach(stage, version.clone());
            }
            json!({"Name": name, "VersionId": version, "VersionStages": stages})
        }
        Some("secretsmanager.UpdateSecretVersionStage") => {
            let stage = text("VersionStage");
            let (to, from) = (text("MoveToVersionId"), text("RemoveFromVersionId"));
            let attached = secret.stages.get(&stage);
            if attached.is_some_and(|it| *it != from) || !secret.versions.contains_key(&to) {
                return refused(
                    "InvalidParameterException",
                    "the stage is not at that version",
                );
            }
            secret.attach(&stage, to);
            json!({"Name": name})
        }
        _ => return refused("InvalidRequestException", "not a call of this stand-in"),
    };
    (
        [("content-type", "application/x-amz-json-1.1")],
        answer.to_string(),
    )
        .into_response()
}

fn refused(kind: &str, why: &str) -> Response {
    let body = json!({"__type": kind, "Message": why}).to_string();
    let media_type = ("content-type", "application/x-amz-json-1.1");
    (StatusCode::BAD_REQUEST, [media_type], body).into_response()
}
