//! How long a queue of dead letters takes to be dealt with, when every call of the table takes 20 ms.
//! Goal: 1,000 in 5 s, 10,000 in 60 s. The peer is what nobody can beat with as many at a time: two
//! calls of the table for each letter, and nothing else.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench fails by panicking, and prints"
)]

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use axum::{Router, body::Bytes, extract::State, http::HeaderMap, response::IntoResponse};
use clap::Parser;
use dev::{aws::Aws, settings};
use muxsim::SigningKey;
use serde_json::{Value, json};
use shared::{
    app::App,
    assets::{self, Asset, Ending, Lifecycle},
    boot,
    clock::{Clock, SystemClock},
    config::Config,
    dlq::{self, DeadLetter, RawBody, Reason},
    ids::IdSource,
    store::Guard,
};
use time::format_description::well_known::Rfc3339;
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;

/// How long a call of the table takes.
const CALL: Duration = Duration::from_millis(20);

/// How many letters are dealt with at once (`shared::dlq::replay`).
const ABREAST: f64 = 16.0;

/// Letters of one video.
const EVENTS: usize = 5;

/// Fills the queue of a local stack, and measures the runs that empty it.
#[derive(Parser)]
struct Arguments {
    /// How many letters; 1,000 and then 10,000 if nobody says
    letters: Vec<usize>,
    #[arg(long, hide = true)]
    bench: bool,
}

#[tokio::main]
async fn main() {
    let Arguments { mut letters, .. } = Arguments::parse();
    if letters.is_empty() {
        letters = vec![1_000, 10_000];
    }
    for count in letters {
        measure(count).await;
    }
}

async fn measure(count: usize) {
    let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let (table, queue) = (listen().await, listen().await);
    let aws = Aws::start(None, clock.clone(), table, queue, &stop, &mut tasks);
    let aws = aws.await.unwrap();
    let near = app(&aws, &clock);
    fill(&near, &aws, count).await;
    let slow = Aws {
        dynamodb: behind(aws.dynamodb).await,
        sqs: aws.sqs,
        queue_url: aws.queue_url.clone(),
        roles: aws.roles.clone(),
    };
    let app = app(&slow, &clock);
    let (began, mut settled, mut runs) = (Instant::now(), 0, 0);
    while settled < u32::try_from(count).unwrap() {
        let pass = dlq::replay(&app).await.unwrap().unwrap();
        assert_eq!((pass.waiting, pass.parked), (0, 0), "{pass:?}");
        settled += pass.settled;
        runs += 1;
    }
    let took = began.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "thousands")]
    let peer = count as f64 * 2.0 * CALL.as_secs_f64() / ABREAST;
    println!(
        "{count} letters: {took:.1} s in {runs} runs; two calls each and nothing else: {peer:.1} s; ratio {:.2}",
        took / peer
    );
    stop.cancel();
}

async fn listen() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

fn app(aws: &Aws, clock: &Arc<dyn Clock>) -> App {
    let key = SigningKey::generate("bench").unwrap();
    let variables = settings::variables("http://127.0.0.1:9", aws, &key);
    let config = Config::read(|name| variables.get(name).cloned()).unwrap();
    let ids = IdSource::new(Arc::clone(clock), |bytes| {
        bytes.copy_from_slice(&random(bytes.len()));
    });
    boot::assemble(config, Arc::clone(clock), ids, aws.clients()).unwrap()
}

/// Unlike each other is all that they have to be.
fn random(length: usize) -> Vec<u8> {
    use std::sync::atomic::{AtomicU64, Ordering};
    static COUNT: AtomicU64 = AtomicU64::new(1);
    let number = COUNT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    number.into_iter().rev().cycle().take(length).collect()
}

/// Videos, and a letter for every event of theirs.
async fn fill(app: &App, aws: &Aws, count: usize) {
    let mut letters = Vec::new();
    for _ in 0..count.div_ceil(EVENTS) {
        let asset = asset(app);
        let row = assets::row(&asset, Guard::Absent).unwrap();
        app.store.commit(vec![row]).await.unwrap();
        letters.extend(events(&asset).into_iter().map(|event| letter(app, &event)));
    }
    letters.truncate(count);
    for batch in letters.chunks(10) {
        let entries = batch.iter().enumerate().map(|(n, body)| {
            let entry = SendMessageBatchRequestEntry::builder().id(n.to_string());
            entry.message_body(body).build().unwrap()
        });
        let send = aws.clients().sqs.send_message_batch();
        let send = send.queue_url(&aws.queue_url);
        send.set_entries(Some(entries.collect()))
            .send()
            .await
            .unwrap();
    }
}

fn asset(app: &App) -> Asset {
    let now = app.clock.now();
    Asset {
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
    }
}

fn events(asset: &Asset) -> [Value; EVENTS] {
    let id = asset.id.to_string();
    let tail = id.trim_start_matches("ast_");
    let at = asset.created_at.format(&Rfc3339).unwrap();
    let event = |kind: &str, data: Value| json!({"type": kind, "id": format!("{kind}-{tail}"), "created_at": at, "data": data});
    let upload = |status: &str| {
        json!({"id": format!("u{tail}"), "status": status, "asset_id": format!("a{tail}"),
            "new_asset_settings": {"passthrough": id}})
    };
    let of_asset = |status: &str| {
        json!({"id": format!("a{tail}"), "status": status, "upload_id": format!("u{tail}"),
            "passthrough": id, "duration": 12.0,
            "playback_ids": [{"id": format!("p{tail}"), "policy": "signed"}]})
    };
    [
        event("video.upload.created", upload("waiting")),
        event("video.upload.asset_created", upload("asset_created")),
        event("video.asset.created", of_asset("preparing")),
        event("video.asset.ready", of_asset("ready")),
        event("video.asset.updated", of_asset("ready")),
    ]
}

fn letter(app: &App, event: &Value) -> String {
    let letter = DeadLetter {
        id: app.ids.mint(),
        reason: Reason::StoreUnavailable,
        received_at: app.clock.now(),
        request: None,
        trace: None,
        headers: BTreeMap::new(),
        body: RawBody::new(event.to_string().as_bytes()),
    };
    serde_json::to_string(&letter).unwrap()
}

/// A table whose every call takes its time.
async fn behind(table: SocketAddr) -> SocketAddr {
    let listener = listen().await;
    let address = listener.local_addr().unwrap();
    let state = (reqwest::Client::new(), format!("http://{table}/"));
    let router = Router::new().fallback(late).with_state(state);
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    address
}

async fn late(
    State((http, table)): State<(reqwest::Client, String)>,
    mut headers: HeaderMap,
    body: Bytes,
) -> impl IntoResponse {
    tokio::time::sleep(CALL).await;
    headers.remove("host");
    let answer = http.post(table).headers(headers).body(body).send().await;
    let answer = answer.unwrap();
    let kind = [("content-type", "application/x-amz-json-1.0")];
    (answer.status(), kind, answer.bytes().await.unwrap())
}
