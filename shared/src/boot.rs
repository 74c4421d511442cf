//! One function per deployable: the whole map of what runs in production.

use std::{fmt, sync::Arc, time::Duration};

use aws_config::{BehaviorVersion, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use axum::Router;

use audit_verify::KeyError;

use crate::{
    app::{App, Parts},
    assets::Asset,
    auth::Sessions,
    clock::{Clock, SystemClock},
    config::{self, Config, ConfigError},
    costs::Explorer,
    dlq::DeadLetters,
    federation::Federation,
    guardrails::Acting,
    health::LastLook,
    ids::{self, AssetId, IdSource},
    limits::Refusing,
    mail::MailError,
    meter::Meter,
    mux::SigningError,
    resilience::Known,
    router::{self, Deployable},
    secrets::{Keys, Secrets, SecretsError, Source},
    shares::Players,
    store::{Store, keys},
    telemetry,
    traces::Traces,
    vendors::StatusPage,
    webhooks::Counting,
};

/// Why a function does not start. One line; names variables and shows no value.
#[derive(thiserror::Error)]
pub enum BootError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Signing(#[from] SigningError),
    #[error(transparent)]
    Mail(#[from] MailError),
    #[error("bad configuration: AUDIT_SIGNING_KEY does not parse")]
    Audit(#[from] KeyError),
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    #[error("an http client could not be made")]
    Http(#[from] reqwest::Error),
}

/// What `main` prints when it returns this: the same line.
impl fmt::Debug for BootError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// `api/uploads.rs`, `functions/uploads`: begins, shows and cancels uploads.
pub async fn uploads() -> Result<Router, BootError> {
    function::<{ Deployable::Uploads as usize }>().await
}

/// `api/webhooks/mux.rs`, `functions/webhooks-mux`: takes Mux's events.
pub async fn webhooks_mux() -> Result<Router, BootError> {
    function::<{ Deployable::WebhooksMux as usize }>().await
}

/// `api/share/[token].rs`, `functions/share`: opens links for guests.
pub async fn share() -> Result<Router, BootError> {
    function::<{ Deployable::Share as usize }>().await
}

/// `api/shares.rs`, `functions/shares`: lists and revokes links.
pub async fn shares() -> Result<Router, BootError> {
    function::<{ Deployable::Shares as usize }>().await
}

/// `api/assets.rs`, `functions/assets`: videos, and the links of one video.
pub async fn assets() -> Result<Router, BootError> {
    function::<{ Deployable::Assets as usize }>().await
}

/// `api/ops.rs`, `functions/ops`: health, and what operators see and do.
pub async fn ops() -> Result<Router, BootError> {
    function::<{ Deployable::Ops as usize }>().await
}

/// `api/cron/dlq-replay.rs`: deals with dead letters, woken over HTTP.
pub async fn dlq_replay() -> Result<Router, BootError> {
    function::<{ Deployable::DlqReplay as usize }>().await
}

/// `api/cron/reconcile.rs`: asks Mux what webhooks have not told, woken over HTTP.
pub async fn reconcile() -> Result<Router, BootError> {
    function::<{ Deployable::Reconcile as usize }>().await
}

/// `api/cron/retire.rs`: does what is due about links, woken over HTTP.
pub async fn retire() -> Result<Router, BootError> {
    function::<{ Deployable::Retire as usize }>().await
}

/// `api/audit.rs`, `functions/audit`: what was done, for those who look into it.
pub async fn audit() -> Result<Router, BootError> {
    function::<{ Deployable::Audit as usize }>().await
}

/// `api/cron/audit-seal.rs`: seals what was written down, woken over HTTP.
pub async fn audit_seal() -> Result<Router, BootError> {
    function::<{ Deployable::AuditSeal as usize }>().await
}

/// `api/cost-report.rs`, `functions/cost-report`: what a month costs.
pub async fn cost_report() -> Result<Router, BootError> {
    function::<{ Deployable::CostReport as usize }>().await
}

/// `api/cron/usage.rs`: learns what was used, woken over HTTP.
pub async fn usage() -> Result<Router, BootError> {
    let app = asking().await?;
    warm(&app).await;
    Ok(router::only::<{ Deployable::Usage as usize }>(app))
}

/// `api/cron/watch.rs`: adds up what was counted and looks after vendors, woken over HTTP.
pub async fn watch() -> Result<Router, BootError> {
    function::<{ Deployable::Watch as usize }>().await
}

/// `functions/usage`: the same, woken by a schedule.
pub async fn usage_job() -> Result<App, BootError> {
    asking().await
}

/// The one that asks Cost Explorer.
async fn asking() -> Result<App, BootError> {
    app(|aws| Some(Explorer::new(aws))).await
}

/// `functions/dlq-replay`, `functions/reconcile`, `functions/retire`, `functions/audit-seal`,
/// `functions/watch`: the same jobs, woken by a schedule.
pub async fn job() -> Result<App, BootError> {
    app(|_| None).await
}

/// Everything that is slow the first time is done here, before the runtime asks for a request. The
/// deployable is its place in [`Deployable::ALL`].
async fn function<const DEPLOYABLE: usize>() -> Result<Router, BootError> {
    let app = app(|_| None).await?;
    // Webhooks are taken without asking anybody but the table.
    if DEPLOYABLE != Deployable::WebhooksMux as usize {
        app.sessions.prepare()?;
        app.keys().mux_api.prepare()?;
    }
    warm(&app).await;
    Ok(router::only::<DEPLOYABLE>(app))
}

async fn app(explorer: impl FnOnce(&SdkConfig) -> Option<Explorer>) -> Result<App, BootError> {
    telemetry::start();
    let aws = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .retry_config(retries())
        .timeout_config(timeouts())
        .load()
        .await;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let ids = IdSource::new(Arc::clone(&clock), |bytes: &mut [u8]| rand::fill(bytes));
    let clients = |aws: &SdkConfig, federation| Clients {
        dynamodb: aws_sdk_dynamodb::Client::new(aws),
        sqs: aws_sdk_sqs::Client::new(aws),
        explorer: explorer(aws),
        federation,
    };
    if let Some(id) = config::from_env(config::SECRETS_ID).filter(|it| !it.is_empty()) {
        let store = aws_sdk_secretsmanager::Client::new(&aws);
        let source = Source::new(store, id, config::from_env);
        // Lambda gives credentials to a function before it starts: there is nothing to exchange.
        return assemble_kept(source, clock, ids, clients(&aws, None)).await;
    }
    let config = Config::from_env()?;
    let role = config.role.clone();
    let federation = role.map(|role| Federation::new(&aws, role, Arc::clone(&clock)));
    let aws = match &federation {
        Some(federation) => federation.credentials_for(aws),
        None => aws,
    };
    assemble(config, clock, ids, clients(&aws, federation))
}

/// The clients of AWS. The local stack points them at loopback.
pub struct Clients {
    pub dynamodb: aws_sdk_dynamodb::Client,
    pub sqs: aws_sdk_sqs::Client,
    /// Nothing, but in the function that asks it.
    pub explorer: Option<Explorer>,
    /// Nothing, where credentials are not exchanged.
    pub federation: Option<Federation>,
}

/// Puts the parts together. The local stack and the tests bring their own clock, ids and clients.
pub fn assemble(
    config: Config,
    clock: Arc<dyn Clock>,
    ids: IdSource,
    clients: Clients,
) -> Result<App, BootError> {
    let secrets = Secrets::fixed(Keys::new(&config)?);
    Ok(parts(config, secrets, clock, ids, clients))
}

/// The same with secrets that are kept elsewhere.
pub async fn assemble_kept(
    source: Source,
    clock: Arc<dyn Clock>,
    ids: IdSource,
    clients: Clients,
) -> Result<App, BootError> {
    let fetched = source.fetch().await?;
    let config = source.config(&fetched)?;
    let keys = Keys::new(&config)?;
    let secrets = Secrets::kept(keys, source, &fetched, clock.now());
    Ok(parts(config, secrets, clock, ids, clients))
}

fn parts(
    config: Config,
    secrets: Secrets,
    clock: Arc<dyn Clock>,
    ids: IdSource,
    clients: Clients,
) -> App {
    let queue = config.dead_letter_queue.clone();
    Arc::new(Parts {
        meter: Meter::new(Arc::clone(&clock)),
        clock,
        ids,
        store: Store::new(&clients.dynamodb, config.table.clone()),
        dead_letters: DeadLetters::new(clients.sqs, queue),
        mux_status: config.mux_status.clone().map(StatusPage::new),
        sessions: Sessions::new(config.clerk_jwks.clone()),
        counting: Counting::default(),
        players: Players::default(),
        refusing: Refusing::default(),
        known: Known::default(),
        acting: Acting::default(),
        last_look: LastLook::default(),
        traces: Traces::new(&config.traces),
        explorer: clients.explorer,
        federation: clients.federation,
        secrets,
        config,
    })
}

/// How often the SDK tries a call: a second time, so that one dropped connection costs nobody anything.
pub fn retries() -> RetryConfig {
    RetryConfig::standard()
        .with_max_attempts(2)
        .with_initial_backoff(Duration::from_millis(50))
}

/// A webhook has four seconds in all, of which the table has 2.6 for a read and a transaction.
pub fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(1))
        .operation_attempt_timeout(Duration::from_millis(1_100))
        .operation_timeout(Duration::from_millis(2_400))
        .build()
}

/// Opens the connection to the table: its handshake costs a small Lambda more than a request does.
/// What fails here will fail, or not, when it is needed.
pub async fn warm(app: &App) {
    if app.federation.as_ref().is_some_and(|it| !it.has_token()) {
        return; // nobody has vouched for this function yet
    }
    let nobody: AssetId = ids::from_external("warm", "up");
    let found: Result<Option<Asset>, _> = app.store.get(&keys::asset(nobody)).await;
    if let Err(error) = found {
        tracing::warn!(
            error = telemetry::chain(&error),
            "the table does not answer yet"
        );
    }
}
