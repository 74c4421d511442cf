//! The replay harness, as its user runs it: against a stack that runs.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{collections::BTreeMap, path::Path, process::Stdio};

use dev::{
    aws::TABLE,
    stack::{Place, Stack},
};
use tokio::{io::AsyncWriteExt, process::Command};

const SAMPLE: &str = "../../docs/playbook/platform/samples/events.jsonl";

async fn stack(folder: &Path) -> Stack {
    let place = Place {
        folder: folder.to_owned(),
        port: 0,
        dynamodb_port: 0,
        sqs_port: 0,
        functions: None,
    };
    Stack::start(&place).await.unwrap()
}

/// What the program said, and whether it was content.
async fn replayed(arguments: &[&str], input: Option<&str>) -> (bool, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_dev"))
        .arg("replay")
        .args(arguments)
        .env_remove("MUX_WEBHOOK_SIGNING_SECRET")
        .env_remove("PORTAL_TOKEN")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin
        .write_all(input.unwrap_or_default().as_bytes())
        .await
        .unwrap();
    drop(stdin);
    let output = child.wait_with_output().await.unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    (output.status.success(), said)
}

/// How many domain events there are of each type that speaks of runs.
async fn traces(stack: &Stack) -> BTreeMap<String, usize> {
    let table = stack.aws.clients().dynamodb;
    let items = table.scan().table_name(TABLE).send().await.unwrap();
    let mut counts = BTreeMap::new();
    for item in items.items() {
        let kind = item.get("type").and_then(|it| it.as_s().ok());
        if let Some(kind) = kind.filter(|it| it.starts_with("replay.")) {
            *counts.entry(kind.clone()).or_default() += 1;
        }
    }
    counts
}

#[tokio::test]
async fn a_recording_is_sent_and_reported_and_leaves_its_trace() {
    let folder = tempfile::tempdir().unwrap();
    let stack = stack(folder.path()).await;
    let to = format!("{}/api/webhooks/mux", stack.url);
    let (content, said) = replayed(&[SAMPLE, "--to", &to], None).await;
    assert!(content, "{said}");
    assert!(said.contains("5 of 5 taken: 5 unmatched"), "{said}");
    assert!(said.contains("video.asset.ready"), "{said}");
    let twice = [SAMPLE, "--to", &to, "--times", "2", "--shuffle", "7"];
    let (content, said) = replayed(&twice, None).await;
    assert!(content, "{said}");
    assert!(said.contains("10 of 10 taken: 10 duplicate"), "{said}");
    let both = [
        ("replay.begun".to_owned(), 2),
        ("replay.ended".to_owned(), 2),
    ];
    assert_eq!(traces(&stack).await, BTreeMap::from(both));
    stack.stop().await;
}

#[tokio::test]
async fn a_dry_run_sends_nothing_and_leaves_no_trace() {
    let folder = tempfile::tempdir().unwrap();
    let stack = stack(folder.path()).await;
    let to = format!("{}/api/webhooks/mux", stack.url);
    let (content, said) = replayed(&[SAMPLE, "--to", &to, "--dry-run"], None).await;
    assert!(content, "{said}");
    assert!(said.contains("nothing was sent"), "{said}");
    assert_eq!(traces(&stack).await, BTreeMap::new());
    stack.stop().await;
}

#[tokio::test]
async fn what_is_not_taken_is_named_and_the_program_is_not_content() {
    let folder = tempfile::tempdir().unwrap();
    let stack = stack(folder.path()).await;
    let to = format!("{}/api/webhooks/mux", stack.url);
    let odd = r#"[{"type": "video.asset.ready", "id": "no-time", "created_at": "yesterday", "data": {}}]"#;
    let (content, said) = replayed(&["-", "--to", &to], Some(odd)).await;
    assert!(!content);
    assert!(said.contains("0 of 1 taken: 1 400"), "{said}");
    for (input, why) in [
        ("{\"no\": \"event\"}", "no event of Mux"),
        ("not json", "is not JSON"),
        ("", "has no events"),
    ] {
        let (content, said) = replayed(&["-", "--to", &to], Some(input)).await;
        assert!(!content && said.contains(why), "{said}");
    }
    let elsewhere = format!("{}/elsewhere", stack.url);
    let (content, said) = replayed(&[SAMPLE, "--to", &elsewhere], None).await;
    assert!(!content && said.contains("--no-trace"), "{said}");
    let (content, said) = replayed(
        &[SAMPLE, "--to", "https://portal.example/api/webhooks/mux"],
        None,
    )
    .await;
    assert!(
        !content && said.contains("MUX_WEBHOOK_SIGNING_SECRET"),
        "{said}"
    );
    stack.stop().await;
}
