//! The table and the queue on loopback, spoken to by the real SDK.

use std::{
    fmt,
    net::SocketAddr,
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};

use anyhow::Context;
use aws_config::SdkConfig;
use aws_sdk_dynamodb::{
    config::{
        BehaviorVersion, Credentials, Region, SharedCredentialsProvider, timeout::TimeoutConfig,
    },
    types::{
        AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType,
        Projection, ProjectionType, ScalarAttributeType, TimeToLiveSpecification,
    },
};
use aws_smithy_async::time::TimeSource;
use dynoxide::Database;
use shared::{
    boot::{self, Clients},
    clock::Clock,
    costs::Explorer,
    federation::{Federation, Role},
    store::keys::{GSI1, GSI2},
};
use sqs_lite::Sqs;
use time::OffsetDateTime;
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::permissions::{self, Roles};

/// The names that the local stack uses.
pub const TABLE: &str = "motion-mavericks";
pub const QUEUE: &str = "webhook-dead-letters";

/// How often items whose time is over are swept away.
const SWEEP: Duration = Duration::from_mins(1);

/// The region and credentials that the stand-ins accept: any.
pub const REGION: &str = "ap-southeast-2";
pub const CREDENTIAL: &str = "local";

/// A running table and queue.
pub struct Aws {
    pub dynamodb: SocketAddr,
    pub sqs: SocketAddr,
    /// Where dead letters go.
    pub queue_url: String,
    /// In which functions act on both.
    pub roles: Roles,
}

impl Aws {
    /// Serves both until `stop`, with state in the folder, or in memory without one. Makes the
    /// table and the queue if they are not there. What the queue hides, it hides by this clock, and by
    /// it the table in memory sweeps.
    pub async fn start(
        folder: Option<&Path>,
        clock: Arc<dyn Clock>,
        dynamodb: TcpListener,
        sqs: TcpListener,
        stop: &CancellationToken,
        tasks: &mut JoinSet<()>,
    ) -> anyhow::Result<Self> {
        let database = match folder {
            Some(folder) => Database::new(&folder.join("dynamodb.sqlite").to_string_lossy()),
            None => Database::memory_with_clock(Arc::new(Hand(Arc::clone(&clock)))),
        }
        .map_err(|error| anyhow::anyhow!("the table's file cannot be opened: {error}"))?;
        let queues = Sqs::open(folder.map(|it| it.join("sqs.sqlite")).as_deref())
            .context("the queue's file cannot be opened")?
            .with_clock(move || millis(clock.now()));
        let mut aws = Self {
            dynamodb: dynamodb.local_addr()?,
            sqs: sqs.local_addr()?,
            queue_url: String::new(),
            roles: Roles::deployed()?,
        };
        let stopped = stop.clone();
        let table = database.clone();
        tasks.spawn(async move {
            // It ends when it is told to; how it ends then is of no interest.
            let stopped = stopped.cancelled_owned();
            let _ = dynoxide::server::serve_with_shutdown(dynamodb, table, stopped).await;
        });
        let stopped = stop.clone();
        tasks.spawn(async move {
            let serving = axum::serve(sqs, queues.router());
            let stopped = stopped.cancelled_owned();
            let _ = serving.with_graceful_shutdown(stopped).await;
        });
        tasks.spawn(sweep(database, stop.clone()));
        let clients = aws.clients();
        create_table(&clients.dynamodb).await?;
        aws.queue_url = create_queue(&clients.sqs).await?;
        Ok(aws)
    }

    /// The real SDK's clients, with the timeouts and retries of production.
    pub fn clients(&self) -> Clients {
        self.clients_within(&boot::timeouts())
    }

    /// The same with credentials that an STS at this address gives for the tokens of requests, by this clock.
    pub fn federated(
        &self,
        sts: &str,
        role: Role,
        clock: Arc<dyn Clock>,
        timeouts: TimeoutConfig,
    ) -> Clients {
        let aws = SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new(REGION))
            .endpoint_url(sts)
            .time_source(Hand(Arc::clone(&clock)))
            .retry_config(boot::retries())
            .timeout_config(timeouts)
            .build();
        let federation = Federation::new(&aws, role, clock);
        let aws = federation.credentials_for(aws);
        let dynamodb = aws_sdk_dynamodb::config::Builder::from(&aws);
        let dynamodb = dynamodb.endpoint_url(format!("http://{}", self.dynamodb));
        let sqs = aws_sdk_sqs::config::Builder::from(&aws);
        let sqs = sqs.endpoint_url(format!("http://{}", self.sqs));
        Clients {
            dynamodb: aws_sdk_dynamodb::Client::from_conf(dynamodb.build()),
            sqs: aws_sdk_sqs::Client::from_conf(sqs.build()),
            explorer: None,
            federation: Some(federation),
        }
    }

    /// The same with other timeouts: a machine that is busy with many tests is no table that is slow.
    pub fn clients_within(&self, timeouts: &TimeoutConfig) -> Clients {
        let dynamodb = dynamodb_config().endpoint_url(format!("http://{}", self.dynamodb));
        let dynamodb = dynamodb.timeout_config(timeouts.clone());
        let dynamodb = dynamodb.http_client(permissions::guarded(self.roles.clone()));
        let sqs = sqs_config().endpoint_url(format!("http://{}", self.sqs));
        let sqs = sqs.timeout_config(timeouts.clone());
        let sqs = sqs.http_client(permissions::guarded(self.roles.clone()));
        Clients {
            dynamodb: aws_sdk_dynamodb::Client::from_conf(dynamodb.build()),
            sqs: aws_sdk_sqs::Client::from_conf(sqs.build()),
            explorer: None,
            federation: None,
        }
    }
}

/// Who asks the stand-in of Cost Explorer at this address.
pub fn explorer(url: &str) -> Explorer {
    let aws = SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(REGION))
        .credentials_provider(SharedCredentialsProvider::new(credentials()))
        .endpoint_url(url);
    Explorer::new(&aws.build())
}

/// What a client of the table is configured with, wherever the stand-in is reached.
pub(crate) fn dynamodb_config() -> aws_sdk_dynamodb::config::Builder {
    aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(REGION))
        .credentials_provider(credentials())
        .retry_config(boot::retries())
        .timeout_config(boot::timeouts())
}

/// The same for a client of the queue.
pub(crate) fn sqs_config() -> aws_sdk_sqs::config::Builder {
    aws_sdk_sqs::Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(REGION))
        .credentials_provider(credentials())
        .retry_config(boot::retries())
        .timeout_config(boot::timeouts())
}

fn credentials() -> Credentials {
    Credentials::new(CREDENTIAL, CREDENTIAL, None, None, "local")
}

/// The table's own time, and the SDK's, where it is not the system's: what a test keeps for ninety days must not be
/// swept because the test's day was long ago.
struct Hand(Arc<dyn Clock>);

impl dynoxide::storage_backend::Clock for Hand {
    fn now_unix_secs(&self) -> u64 {
        u64::try_from(self.0.now().unix_timestamp()).unwrap_or_default()
    }

    fn now_unix_secs_f64(&self) -> f64 {
        (self.0.now() - OffsetDateTime::UNIX_EPOCH).as_seconds_f64()
    }
}

impl TimeSource for Hand {
    fn now(&self) -> SystemTime {
        self.0.now().into()
    }
}

impl fmt::Debug for Hand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hand")
    }
}

pub(crate) fn millis(at: OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)
}

/// `DynamoDB` sweeps by itself; the stand-in is told to.
async fn sweep(database: Database, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(SWEEP) => {}
            () = stop.cancelled() => return,
        }
        if let Err(error) = database.sweep_ttl() {
            tracing::warn!(?error, "expired items could not be swept");
        }
    }
}

/// The table as `template.yaml` declares it; a test compares the two.
pub(crate) async fn create_table(client: &aws_sdk_dynamodb::Client) -> anyhow::Result<()> {
    let tables = client.list_tables().send().await?;
    if tables.table_names().iter().any(|it| it == TABLE) {
        return Ok(());
    }
    create_bare_table(client, TABLE).await?;
    set_up_table(client, TABLE).await
}

/// A table with its keys and indexes, as a restore leaves it.
pub async fn create_bare_table(
    client: &aws_sdk_dynamodb::Client,
    name: &str,
) -> anyhow::Result<()> {
    let mut call = client
        .create_table()
        .table_name(name)
        .billing_mode(BillingMode::PayPerRequest);
    for name in ["pk", "sk", "gsi1pk", "gsi1sk", "gsi2pk", "gsi2sk"] {
        call = call.attribute_definitions(
            AttributeDefinition::builder()
                .attribute_name(name)
                .attribute_type(ScalarAttributeType::S)
                .build()?,
        );
    }
    for part in key("pk", "sk")? {
        call = call.key_schema(part);
    }
    for name in [GSI1, GSI2] {
        let index = GlobalSecondaryIndex::builder()
            .index_name(name)
            .set_key_schema(Some(key(&format!("{name}pk"), &format!("{name}sk"))?))
            .projection(
                Projection::builder()
                    .projection_type(ProjectionType::All)
                    .build(),
            )
            .build()?;
        call = call.global_secondary_indexes(index);
    }
    call.send().await?;
    Ok(())
}

/// What no restore brings back, as far as the stand-in has it.
pub async fn set_up_table(client: &aws_sdk_dynamodb::Client, name: &str) -> anyhow::Result<()> {
    let expiry = TimeToLiveSpecification::builder()
        .attribute_name("expires")
        .enabled(true)
        .build()?;
    client
        .update_time_to_live()
        .table_name(name)
        .time_to_live_specification(expiry)
        .send()
        .await?;
    Ok(())
}

/// The queue of dead letters; its address.
pub(crate) async fn create_queue(client: &aws_sdk_sqs::Client) -> anyhow::Result<String> {
    let queue = client.create_queue().queue_name(QUEUE).send().await?;
    queue.queue_url.context("the queue has no address")
}

fn key(partition: &str, sort: &str) -> anyhow::Result<Vec<KeySchemaElement>> {
    [(partition, KeyType::Hash), (sort, KeyType::Range)]
        .into_iter()
        .map(|(name, kind)| {
            let part = KeySchemaElement::builder().attribute_name(name);
            Ok(part.key_type(kind).build()?)
        })
        .collect()
}
