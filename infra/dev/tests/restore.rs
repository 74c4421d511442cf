//! The drill of restoring: the whole of it, how differences are named, how tables are compared.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::HashMap,
    fs,
    process::{Command, Output},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use aws_sdk_dynamodb::{Client, types::AttributeValue};
use axum::{Json, Router, body::Bytes, http::header, response::IntoResponse};
use dev::{
    aws::{self, Aws, TABLE},
    permissions::Roles,
    restore::{Backup, differences, export, fill},
};
use serde_json::{Value, json};
use shared::clock::SystemClock;
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;

#[test]
fn a_drill_brings_a_table_back_byte_for_byte_and_records_its_event() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("backup.jsonl");
    let output = Command::new(env!("CARGO_BIN_EXE_dev"))
        .args(["restore-drill", "--keep"])
        .arg(&file)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}");
    for fact in [
        "byte for byte",
        "entries of the audit log",
        "the link that was valid",
        "taken back before the backup: share-revoked",
        "Mux forgot it",
        "never played: share-paused",
        "by the comparison with Mux: share-revoked",
        "backup.restore-tested, in the audit log",
    ] {
        assert!(said.contains(fact), "{fact}: {said}");
    }
    let backup = Backup::read(&fs::read(&file).unwrap()).unwrap();
    assert!(said.contains(&format!("{0} of {0} items", backup.items())));
    assert!(said.contains(&backup.digest()));
}

struct Table {
    client: Client,
    stop: CancellationToken,
    aws: Aws,
    _tasks: JoinSet<()>,
}

impl Drop for Table {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn table() -> Table {
    let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
    let listen = || TcpListener::bind("127.0.0.1:0");
    let (dynamodb, sqs) = (listen().await.unwrap(), listen().await.unwrap());
    let clock = Arc::new(SystemClock);
    let aws = Aws::start(None, clock, dynamodb, sqs, &stop, &mut tasks);
    let aws = aws.await.unwrap();
    Table {
        client: aws.clients().dynamodb,
        stop,
        aws,
        _tasks: tasks,
    }
}

/// One attribute of every kind that the portal stores, and of those that it does not.
fn item(number: u32) -> HashMap<String, AttributeValue> {
    let text = |it: &str| AttributeValue::S(it.to_owned());
    HashMap::from([
        ("pk".to_owned(), text(&format!("ITEM#{number}"))),
        ("sk".to_owned(), text("ROW")),
        ("gsi1pk".to_owned(), text("ITEMS")),
        ("gsi1sk".to_owned(), text(&number.to_string())),
        (
            "version".to_owned(),
            AttributeValue::N("18446744073709551615".to_owned()),
        ),
        ("text".to_owned(), text("naïve \u{1f3c3} \"quoted\"\n")),
        ("none".to_owned(), AttributeValue::Null(true)),
        ("yes".to_owned(), AttributeValue::Bool(true)),
        ("bytes".to_owned(), AttributeValue::B(vec![0, 255].into())),
        (
            "list".to_owned(),
            AttributeValue::L(vec![text("a"), text("")]),
        ),
        (
            "map".to_owned(),
            AttributeValue::M(HashMap::from([
                ("b".to_owned(), text("2")),
                ("a".to_owned(), text("1")),
            ])),
        ),
        ("set".to_owned(), AttributeValue::Ss(vec!["one".to_owned()])),
    ])
}

async fn put(client: &Client, table: &str, item: HashMap<String, AttributeValue>) {
    let call = client.put_item().table_name(table).set_item(Some(item));
    call.send().await.unwrap();
}

#[tokio::test]
async fn whatever_differs_is_named() {
    let table = table().await;
    let client = &table.client;
    for number in 0..130 {
        put(client, TABLE, item(number)).await;
    }
    let backup = export(client, TABLE).await.unwrap();
    assert_eq!((backup.items(), backup.indexed("gsi1")), (130, 130));
    let mut file = Vec::new();
    backup.write(&mut file).unwrap();
    assert_eq!(
        Backup::read(&file).unwrap(),
        backup,
        "the file is the backup"
    );
    aws::create_bare_table(client, "restored").await.unwrap();
    fill(client, "restored", &backup).await.unwrap();
    let different = async || differences(client, "restored", &backup).await.unwrap();
    assert_eq!(different().await, Vec::<String>::new());
    let mut changed = item(7);
    changed.insert("yes".to_owned(), AttributeValue::Bool(false));
    changed.remove("none");
    put(client, "restored", changed).await;
    put(client, "restored", item(1_000)).await;
    let gone = item(9);
    client
        .delete_item()
        .table_name("restored")
        .key("pk", gone["pk"].clone())
        .key("sk", gone["sk"].clone())
        .send()
        .await
        .unwrap();
    assert_eq!(
        different().await,
        [
            "ITEM#1000 ROW is in no backup",
            "ITEM#7 ROW differs in none, yes",
            "ITEM#9 ROW is missing",
        ]
    );
}

#[tokio::test]
async fn what_the_table_does_not_take_at_once_is_sent_again() {
    let asked = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&asked);
    // It takes all but the first item, until it is asked for the third time.
    let answer = async move |body: Bytes| {
        let mut body: Value = serde_json::from_slice(&body).unwrap();
        let left = body["RequestItems"]["busy"].as_array_mut().unwrap();
        left.truncate(usize::from(counted.fetch_add(1, Ordering::SeqCst) < 2));
        let left = if left.is_empty() {
            json!({})
        } else {
            json!({"busy": left})
        };
        let kind = [(header::CONTENT_TYPE, "application/x-amz-json-1.0")];
        (kind, Json(json!({"UnprocessedItems": left}))).into_response()
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let dynamodb = listener.local_addr().unwrap();
    let busy = Router::new().fallback(answer);
    let serving = tokio::spawn(async move { axum::serve(listener, busy).await.unwrap() });
    let client = Aws {
        dynamodb,
        sqs: dynamodb,
        queue_url: String::new(),
        roles: Roles::deployed().unwrap(),
    }
    .clients();
    let lines = (0..3).map(|it| format!(r#"{{"pk":{{"S":"{it}"}},"sk":{{"S":"ROW"}}}}"#));
    let lines: Vec<String> = lines.collect();
    let backup = Backup::read(lines.join("\n").as_bytes()).unwrap();
    fill(&client.dynamodb, "busy", &backup).await.unwrap();
    assert_eq!(asked.load(Ordering::SeqCst), 3);
    serving.abort();
}

#[tokio::test]
async fn tables_are_compared_where_aws_is_spoken_to_as_usual() {
    let table = table().await;
    let client = &table.client;
    aws::create_bare_table(client, "restored").await.unwrap();
    let version = |number: u32, version: &str| {
        let mut item = item(number);
        item.insert("version".to_owned(), AttributeValue::N(version.to_owned()));
        item
    };
    for number in 0..10 {
        put(client, TABLE, version(number, "2")).await;
        put(client, "restored", version(number, "2")).await;
    }
    put(client, TABLE, version(3, "3")).await;
    put(client, "restored", item(99)).await; // deleted since
    let address = format!("http://{}", table.aws.dynamodb);
    let compare = async || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dev"));
        command
            .args(["compare-tables", "--live", TABLE, "--restored", "restored"])
            .env("AWS_ENDPOINT_URL_DYNAMODB", &address)
            .env("AWS_REGION", aws::REGION)
            .env("AWS_ACCESS_KEY_ID", aws::CREDENTIAL)
            .env("AWS_SECRET_ACCESS_KEY", aws::CREDENTIAL);
        let output = tokio::task::spawn_blocking(move || command.output().unwrap());
        let Output { status, stdout, .. } = output.await.unwrap();
        let said = String::from_utf8(stdout).unwrap();
        let found: Value = serde_json::from_str(said.lines().next().unwrap()).unwrap();
        (status.code(), found)
    };
    let (code, found) = compare().await;
    assert_eq!(code, Some(0), "{found}");
    assert_eq!(
        (&found["same"], &found["newer"], &found["gone"]),
        (&json!(9), &json!(1), &json!(1))
    );
    let mut wrong = version(4, "2");
    wrong.insert("text".to_owned(), AttributeValue::S("damaged".to_owned()));
    put(client, "restored", wrong).await;
    let (code, found) = compare().await;
    assert_eq!(code, Some(1), "{found}");
    assert_eq!(found["examples"], json!(["ITEM#4 ROW"]));
}
