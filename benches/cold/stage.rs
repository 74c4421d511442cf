//! What is started against: a table behind TLS, with a video for every webhook.

use std::{collections::BTreeMap, fs, net::SocketAddr, sync::Arc};

use aws_sdk_dynamodb::types::AttributeValue;
use dev::{
    aws::{Aws, CREDENTIAL, REGION, TABLE},
    settings::{self, MUX_WEBHOOK_SECRET},
};
use muxsim::SigningKey;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use serde_json::{Value, json};
use shared::{
    app::App,
    assets::{self, Asset, Ending, Lifecycle},
    boot,
    clock::{Clock, SystemClock},
    config::Config,
    ids::IdSource,
    store::Guard,
};
use tempfile::TempDir;
use time::format_description::well_known::Rfc3339;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, pki_types::PrivatePkcs8KeyDer},
};
use tokio_util::sync::CancellationToken;

/// Where systems keep the roots that they trust: a function reads them all, so ours is one more of them.
const ROOTS: [&str; 3] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
];

/// Who writes into the table.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Writer {
    Ours,
    Peer,
}

/// The table, which lives as long as this.
pub(crate) struct Stage {
    /// What a function is told.
    pub variables: BTreeMap<String, String>,
    app: App,
    aws: Aws,
    _folder: TempDir,
    _tasks: JoinSet<()>,
}

/// An event of one video, signed.
pub(crate) struct Webhook {
    id: String,
    body: String,
    signature: String,
}

impl Stage {
    pub(crate) async fn new() -> Self {
        let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let (table, queue) = (listen().await, listen().await);
        let aws = Aws::start(None, Arc::clone(&clock), table, queue, &stop, &mut tasks);
        let aws = aws.await.unwrap();
        let made = generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let folder = TempDir::new().unwrap();
        let (ours, all) = (
            folder.path().join("ours.pem"),
            folder.path().join("all.pem"),
        );
        let system = ROOTS.iter().find_map(|it| fs::read_to_string(it).ok());
        fs::write(&ours, made.cert.pem()).unwrap();
        fs::write(&all, system.unwrap_or_default() + "\n" + &made.cert.pem()).unwrap();
        let port = behind_tls(made, aws.dynamodb, &mut tasks).await;
        let key = SigningKey::generate("bench").unwrap();
        let variables = settings::variables("https://portal.example", &aws, &key);
        let variables = variables
            .into_iter()
            .map(|(name, it)| (name.to_owned(), it));
        let mut variables: BTreeMap<String, String> = variables.collect();
        let config = Config::read(|name| variables.get(name).cloned()).unwrap();
        let ids = IdSource::new(Arc::clone(&clock), |bytes| rand::fill(bytes));
        let app = boot::assemble(config, clock, ids, aws.clients()).unwrap();
        let roots = |file: &std::path::Path| file.display().to_string();
        let of_lambda = [
            ("AWS_ACCESS_KEY_ID", CREDENTIAL.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", CREDENTIAL.to_owned()),
            ("AWS_REGION", REGION.to_owned()),
            (
                "AWS_ENDPOINT_URL_DYNAMODB",
                format!("https://localhost:{port}"),
            ),
            ("AWS_LAMBDA_FUNCTION_NAME", "webhooks-mux".to_owned()),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128".to_owned()),
            (
                "AWS_LAMBDA_LOG_GROUP_NAME",
                "/aws/lambda/webhooks-mux".to_owned(),
            ),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "local".to_owned()),
            ("SSL_CERT_FILE", roots(&all)),
            ("NODE_EXTRA_CA_CERTS", roots(&ours)), // besides those that Node brings
            ("NODE_NO_WARNINGS", "1".to_owned()),
        ];
        variables.extend(of_lambda.map(|(name, value)| (name.to_owned(), value)));
        Self {
            variables,
            app,
            aws,
            _folder: folder,
            _tasks: tasks,
        }
    }

    /// A new video's `video.asset.ready`, of the size that real ones have: about 2.9 kB.
    pub(crate) async fn webhook(&self, writer: Writer) -> Webhook {
        let asset = self.video().await;
        let name = asset.id.to_string();
        if writer == Writer::Peer {
            let table = self.aws.clients().dynamodb;
            let put = table.put_item().table_name(TABLE);
            put.item("pk", AttributeValue::S(format!("PEER-ASSET#{name}")))
                .item("sk", AttributeValue::S("ASSET".to_owned()))
                .item("state", AttributeValue::S("waiting".to_owned()))
                .send()
                .await
                .unwrap();
        }
        let now = SystemClock.now();
        let at = now.format(&Rfc3339).unwrap();
        let tail = name.trim_start_matches("ast_");
        let track = json!({
            "type": "video", "max_width": 1920, "max_height": 1080, "max_frame_rate": 29.97,
            "id": "p3AUxxHVj600DwUD01p02XXMFI0118lGbNjDeJbYFe7Xyh00", "status": "ready", "duration": 23.8238,
        });
        let body = json!({
            "type": "video.asset.ready", "request_id": null, "id": format!("event-{tail}"),
            "object": {"type": "asset", "id": format!("asset-{tail}")},
            "environment": {"name": "Development", "id": "dvlv0o"},
            "data": {
                "id": format!("asset-{tail}"), "status": "ready", "duration": 23.872,
                "passthrough": name, "aspect_ratio": "16:9",
                "upload_id": format!("upload-{tail}"), "created_at": now.unix_timestamp(),
                "playback_ids": [{"policy": "signed", "id": format!("playback-{tail}")}],
                "tracks": vec![track; 12], "mp4_support": "none", "master_access": "none",
            },
            "created_at": at, "attempts": [], "accessor": null, "accessor_source": null,
        });
        let body = body.to_string();
        let signature = muxsim::sign(MUX_WEBHOOK_SECRET, &body, now.unix_timestamp());
        Webhook {
            id: format!("event-{tail}"),
            body,
            signature,
        }
    }

    /// A video that Mux has said nothing about.
    async fn video(&self) -> Asset {
        let (app, now) = (&self.app, self.app.clock.now());
        let asset = Asset {
            id: app.ids.mint(),
            tenant: app.ids.mint(),
            owner: app.ids.mint(),
            title: "Measured".parse().unwrap(),
            content_type: "video/mp4".parse().unwrap(),
            size: 1,
            created_at: now,
            edited_at: now,
            ending: Ending::None,
            lifecycle: Lifecycle::default(),
            closed_by: None,
            at_rest: false,
            trace: None,
            version: 1,
        };
        let row = assets::row(&asset, Guard::Absent).unwrap();
        app.store.commit(vec![row]).await.unwrap();
        asset
    }

    /// Fails if the table does not say that the event was dealt with.
    pub(crate) async fn assert_taken(&self, writer: Writer, webhook: &Webhook) {
        let prefix = match writer {
            Writer::Ours => "EVENT",
            Writer::Peer => "PEER-EVENT",
        };
        let table = self.aws.clients().dynamodb;
        let get = table.get_item().table_name(TABLE);
        let got = get
            .key("pk", AttributeValue::S(format!("{prefix}#{}", webhook.id)))
            .key("sk", AttributeValue::S("RECEIPT".to_owned()))
            .send()
            .await
            .unwrap();
        let Some(receipt) = got.item else {
            panic!("the table has no {}", webhook.id);
        };
        if writer == Writer::Ours {
            let outcome = AttributeValue::S("applied".to_owned());
            assert_eq!(receipt.get("outcome"), Some(&outcome));
        }
    }
}

impl Webhook {
    /// The event as an HTTP API hands it over (docs.aws.amazon.com: payload format 2.0).
    pub(crate) fn request(&self) -> Value {
        let path = "/api/webhooks/mux";
        json!({
            "version": "2.0", "routeKey": format!("POST {path}"), "rawPath": path, "rawQueryString": "",
            "headers": {
                "host": "function.example", "content-type": "application/json",
                "mux-signature": self.signature, "user-agent": "Mux",
            },
            "requestContext": {
                "accountId": "000000000000", "apiId": "api", "domainName": "function.example",
                "domainPrefix": "function", "requestId": "request", "routeKey": format!("POST {path}"),
                "stage": "$default",
                "http": {
                    "method": "POST", "path": path, "protocol": "HTTP/1.1",
                    "sourceIp": "192.0.2.1", "userAgent": "Mux",
                },
                "time": "05/Jan/2026:09:00:00 +0000", "timeEpoch": 1_767_603_600_000_i64,
            },
            "body": self.body,
            "isBase64Encoded": false,
        })
    }
}

async fn listen() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

/// Ends TLS and passes on what comes; the port. A session is not resumed: every process is a new one.
async fn behind_tls(
    made: CertifiedKey<rcgen::KeyPair>,
    table: SocketAddr,
    tasks: &mut JoinSet<()>,
) -> u16 {
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.into())
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = listen().await;
    let port = listener.local_addr().unwrap().port();
    tasks.spawn(async move {
        loop {
            let (outer, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                outer.set_nodelay(true).unwrap();
                let mut inner = TcpStream::connect(table).await.unwrap();
                inner.set_nodelay(true).unwrap();
                // A process that is ended does not say goodbye.
                if let Ok(mut outer) = acceptor.accept(outer).await {
                    let _ = copy_bidirectional(&mut outer, &mut inner).await;
                }
            });
        }
    });
    port
}
