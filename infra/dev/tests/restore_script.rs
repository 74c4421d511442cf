//! `infra/scripts/restore-drill`, where `aws` and what compares are stubs, and the portal is a real one.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output},
};

use dev::stack::{Place, Stack};
use serde_json::{Value, json};
use tempfile::TempDir;

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
