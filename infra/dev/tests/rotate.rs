//! Facts about `dev rotate`, as an operator runs it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::{Output, Stdio};

use dev::{
    aws::{CREDENTIAL, REGION},
    secrets::SecretStore,
};
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, net::TcpListener, process::Command, task::JoinSet};
use tokio_util::sync::CancellationToken;

const ID: &str = "portal/test";

const OLD: &str = "old-old-old-old-old-old-old-old-old-old";

struct Operator {
    store: SecretStore,
    url: String,
    stop: CancellationToken,
    _tasks: JoinSet<()>,
}

impl Operator {
    async fn new() -> Self {
        let (store, stop, mut tasks) = (
            SecretStore::default(),
            CancellationToken::new(),
            JoinSet::new(),
        );
        let kept = json!({
            "GRANT_KEY": OLD, "MUX_TOKEN_ID": "old-id", "MUX_TOKEN_SECRET": "old-secret",
        });
        store.put(ID, &kept.to_string());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        store.serve(listener, &stop, &mut tasks).unwrap();
        Self {
            store,
            url,
            stop,
            _tasks: tasks,
        }
    }

    async fn rotate(&self, arguments: &[&str], told: &str) -> Output {
        let mut child = Command::new(env!("CARGO_BIN_EXE_dev"))
            .arg("rotate")
            .args(arguments)
            .env("SECRETS_ID", ID)
            .env("AWS_ENDPOINT_URL_SECRETS_MANAGER", &self.url)
            .env("AWS_REGION", REGION)
            .env("AWS_ACCESS_KEY_ID", CREDENTIAL)
            .env("AWS_SECRET_ACCESS_KEY", CREDENTIAL)
            .env("NO_PROXY", "127.0.0.1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        // Who needs nothing has gone before it is read.
        let _ = input.write_all(told.as_bytes()).await;
        drop(input);
        child.wait_with_output().await.unwrap()
    }

    fn kept(&self) -> Value {
        serde_json::from_str(&self.store.current(ID).unwrap()).unwrap()
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test]
async fn a_step_is_done_once_and_the_next_one_in_its_time() {
    let operator = Operator::new().await;
    let dry = operator.rotate(&["grant-key", "--dry-run"], "").await;
    assert_eq!(said(&dry), "would accept GRANT_KEY\n");
    assert_eq!(operator.kept()["GRANT_KEY"], OLD);
    let first = operator.rotate(&["grant-key"], "").await;
    assert!(first.status.success(), "{}", said(&first));
    let kept = operator.kept();
    let keys = kept["GRANT_KEY"].as_str().unwrap();
    let (old, new) = keys.split_once(',').unwrap();
    assert_eq!((old, new.len()), (OLD, 64));
    assert!(!said(&first).contains(new), "no secret is shown");
    let second = operator.rotate(&["grant-key"], "").await;
    assert!(!second.status.success());
    assert!(
        said(&second).contains("too early to use"),
        "{}",
        said(&second)
    );
    assert_eq!(operator.kept(), kept);
    let status = said(&operator.rotate(&[], "").await);
    assert!(
        status
            .lines()
            .any(|it| it.starts_with("GRANT_KEY") && it.contains("accept since"))
    );
    assert!(
        status
            .lines()
            .any(|it| it.starts_with("SMTP_URL") && it.ends_with("no rotation under way"))
    );
}

#[tokio::test]
async fn what_others_make_is_read_from_standard_input() {
    let operator = Operator::new().await;
    let nothing = operator.rotate(&["mux-token"], "").await;
    assert!(!nothing.status.success());
    assert_eq!(operator.kept()["MUX_TOKEN_ID"], "old-id");
    let done = operator
        .rotate(&["mux-token"], "new-id\nnew-secret\n")
        .await;
    assert!(done.status.success(), "{}", said(&done));
    let kept = operator.kept();
    assert_eq!(
        (&kept["MUX_TOKEN_ID"], &kept["MUX_TOKEN_SECRET"]),
        (&json!("new-id"), &json!("new-secret"))
    );
    assert!(said(&done).contains("revoke the old token"));
}
