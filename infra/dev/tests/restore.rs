//! The drill of restoring: the whole of it, how differences are named, and the script for AWS with an
//! `aws` that is a stub.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::HashMap,
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
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
    restore::{Backup, differences, export, fill},
    stack::{Place, Stack},
};
use serde_json::{Value, json};
use shared::clock::SystemClock;
use tempfile::TempDir;
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

/// `aws` and `dev`, as far as the script asks them. What they are asked goes into `$CALLS`.
const STUB: &str = r#"#!/bin/sh
line="$(basename "$0") $*"
echo "$line" >> "$CALLS"
if [ -n "$FAIL" ]; then case "$line" in *"$FAIL"*) exit 255 ;; esac; fi
if [ -n "$INTERRUPT" ]; then case "$line" in *"$INTERRUPT"*) kill -TERM "$PPID" ;; esac; fi
case "$line" in
  *describe-continuous-backups*) echo "${BACKUPS:-ENABLED}" ;;
  *"--query Table.TableStatus"*) if [ -e "$CALLS.active" ]; then echo ACTIVE; else touch "$CALLS.active"; echo CREATING; fi ;;
  *"describe-table"*) echo "KEYS and INDEXES" ;;
  "dev "*) echo "{\"items\":42,\"digest\":\"$(printf 'ab%.0s' 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32)\",\"compared\":42}"; [ -z "$DIFFERS" ] ;;
  *) echo OK ;;
esac
"#;

struct Stage {
    stack: Stack,
    programs: TempDir,
    _folder: TempDir,
}

struct Ended {
    code: Option<i32>,
    said: String,
    calls: String,
}

impl Stage {
    async fn set() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = Place {
            folder: folder.path().to_owned(),
            port: 0,
            dynamodb_port: 0,
            sqs_port: 0,
            functions: None,
        };
        let programs = tempfile::tempdir().unwrap();
        for name in ["aws", "dev"] {
            let program = programs.path().join(name);
            fs::write(&program, STUB).unwrap();
            fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        }
        Self {
            stack: Stack::start(&place).await.unwrap(),
            programs,
            _folder: folder,
        }
    }

    /// A command that signs the local operator in.
    fn token_command(&self) -> String {
        let url = &self.stack.url;
        format!(
            r#"curl -s -H 'Origin: {url}' -H 'Content-Type: application/json' -d '{{"person":"dana"}}' {url}/sign-in/session | sed 's/.*"token":"\([^"]*\)".*/\1/'"#
        )
    }

    async fn drill(&self, options: &[&str], variables: &[(&str, &str)]) -> Ended {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/restore-drill");
        let calls = self.programs.path().join("calls");
        let path = std::env::var_os("PATH").unwrap();
        let path = format!("{}:{}", self.programs.path().display(), path.display());
        let mut command = Command::new(script);
        command
            .args(["--table", "portal-Table", "--url", &self.stack.url])
            .args(["--pause", "0"])
            .args(options)
            .env("PATH", path)
            .env("no_proxy", "127.0.0.1")
            .env("CALLS", &calls)
            .env("PORTAL_TOKEN_COMMAND", self.token_command())
            .env_remove("AWS_REGION")
            .env_remove("AWS_DEFAULT_REGION")
            .envs(variables.iter().copied());
        let output = tokio::task::spawn_blocking(move || command.output().unwrap());
        let Output { status, stderr, .. } = output.await.unwrap();
        let asked = fs::read_to_string(&calls).unwrap_or_default();
        let _ = fs::remove_file(&calls);
        let _ = fs::remove_file(calls.with_extension("active"));
        Ended {
            code: status.code(),
            said: String::from_utf8(stderr).unwrap(),
            calls: asked,
        }
    }

    /// The last drill that the portal was told of.
    async fn told(&self) -> Value {
        let client = reqwest::Client::new();
        let url = &self.stack.url;
        let session = client.post(format!("{url}/sign-in/session"));
        let session = session
            .header("origin", url)
            .json(&json!({"person": "dana"}));
        let session: Value = session.send().await.unwrap().json().await.unwrap();
        let call = client.get(format!("{url}/api/ops/restores"));
        let call = call.bearer_auth(session["token"].as_str().unwrap());
        let standing: Value = call.send().await.unwrap().json().await.unwrap();
        standing["drill"].clone()
    }
}

impl Ended {
    #[track_caller]
    fn with(&self, code: i32, said: &str) {
        assert_eq!(self.code, Some(code), "{}", self.said);
        assert!(self.said.contains(said), "{}", self.said);
    }

    fn cleaned_up(&self) -> bool {
        self.calls
            .contains("delete-table --table-name portal-Table-drill-2")
    }
}

#[tokio::test]
async fn the_script_restores_compares_tells_and_cleans_up() {
    let stage = Stage::set().await;
    let ended = stage.drill(&["--every", "7"], &[]).await;
    ended.with(0, "told: restored");
    for asked in [
        "restore-table-to-point-in-time --source-table-name portal-Table --target-table-name portal-Table-drill-2",
        "--use-latest-restorable-time",
        "update-time-to-live",
        "dev compare-tables --live portal-Table --restored portal-Table-drill-2",
        "--every 7",
    ] {
        assert!(ended.calls.contains(asked), "{asked}: {}", ended.calls);
    }
    assert!(ended.cleaned_up());
    let told = stage.told().await;
    assert_eq!(
        (&told["items"], &told["outcome"]),
        (&json!(42), &json!("restored"))
    );
    assert_eq!(told["digest"], "ab".repeat(32));
    let kept = stage
        .drill(&["--keep", "--time", "2026-01-05T09:00:00Z"], &[])
        .await;
    kept.with(0, "kept: portal-Table-drill-2");
    assert!(
        kept.calls
            .contains("--restore-date-time 2026-01-05T09:00:00Z")
    );
    assert!(!kept.cleaned_up());
    stage.stack.stop().await;
}

#[tokio::test]
async fn whatever_goes_wrong_is_told_and_leaves_no_table_behind() {
    let stage = Stage::set().await;
    let ended = stage.drill(&[], &[("DIFFERS", "1")]).await;
    ended.with(1, "what was restored is not what was backed up");
    assert!(ended.cleaned_up());
    assert_eq!(stage.told().await["outcome"], "failed");
    let refused = stage.drill(&[], &[("FAIL", "restore-table-to")]).await;
    refused.with(1, "the restore was refused");
    assert!(!refused.cleaned_up(), "there is nothing to delete");
    assert_eq!(stage.told().await["items"], 0);
    let interrupted = stage
        .drill(&[], &[("INTERRUPT", "update-time-to-live")])
        .await;
    interrupted.with(130, "interrupted");
    assert!(interrupted.cleaned_up());
    let untold = stage
        .drill(&[], &[("PORTAL_TOKEN_COMMAND", "echo guessed")])
        .await;
    untold.with(4, "could NOT be told (401)");
    assert!(untold.cleaned_up());
    let left = stage.drill(&[], &[("FAIL", "delete-table")]).await;
    left.with(
        0,
        "NOT deleted, and it costs: aws dynamodb delete-table --region ap-southeast-2",
    );
    stage.stack.stop().await;
}

#[tokio::test]
async fn what_cannot_be_held_changes_nothing() {
    let stage = Stage::set().await;
    stage
        .drill(&[], &[("BACKUPS", "DISABLED")])
        .await
        .with(3, "no point-in-time recovery");
    stage
        .drill(&[], &[("AWS_REGION", "us-east-1")])
        .await
        .with(2, "region us-east-1");
    stage
        .drill(&["--table", "a b"], &[])
        .await
        .with(2, "--table needs");
    stage.drill(&["--help"], &[]).await.with(0, "Ends with 0");
    let dry = stage.drill(&["--dry-run"], &[]).await;
    dry.with(0, "would restore portal-Table");
    assert_eq!(dry.calls.lines().count(), 1, "{}", dry.calls);
    assert!(stage.told().await.is_null());
    stage.stack.stop().await;
}
