//! `infra/scripts/deploy`, where `sam`, `aws`, `git` and `vercel` are stubs that write down what they were
//! asked, and the portal is a real one that can be made ill.

use std::{
    env, fs,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::{Command, Output},
};

use axum::{
    Router,
    extract::{Request, State},
    http::StatusCode,
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
};
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinHandle};

use crate::support::{CRON, ORIGIN, TestApp, Wishes};

/// Each of the programs. What it is asked goes to standard error and into `$CALLS`; it fails where that
/// holds `$FAIL`, and interrupts who called it where it holds `$INTERRUPT`. A release makes the portal
/// ill in the way of `$ILL`, and going back heals it, unless `$INCURABLE`.
const STUB: &str = r##"#!/bin/sh
line="$(basename "$0") $*"
echo "$line" >&2
[ -z "$CALLS" ] || echo "$line" >> "$CALLS"
has() { [ -n "$1" ] && case "$line" in *"$1"*) true ;; *) false ;; esac; }
if has "$FAIL"; then exit 7; fi
case "$line" in
  "sam deploy"*--no-confirm-changeset* | "vercel $ILL_FROM"*) [ -z "$ILL" ] || touch "$PORTAL/$ILL" ;;
  "aws cloudformation deploy"* | "vercel rollback"*) [ -n "$INCURABLE" ] || rm -f "$PORTAL"/* ;;
esac
case "$line" in
  *describe-stacks*aws-sam-cli-managed*) echo the-bucket ;;
  *describe-stacks*) echo 1111111111111111111111111111111111111111 ;;
  *get-template*) echo "Resources: {}" ;;
  "aws s3 cp --only-show-errors s3://"*) echo "# commit: 2222222222222222222222222222222222222222" > "$5" ;;
  "git rev-parse"*) echo 3333333333333333333333333333333333333333 ;;
  "git status"*) printf '%s' "$DIRTY" ;;
  "vercel deploy"*) echo "$PREVIEW" ;;
esac
if has "$INTERRUPT"; then kill -TERM "$PPID"; fi
"##;

/// A folder of stubs, to be put on the path.
pub(crate) fn programs() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["aws", "git", "sam", "vercel"] {
        let program = folder.path().join(name);
        fs::write(&program, STUB).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    }
    folder
}

/// A portal, and what becomes of it.
struct Stage {
    test: TestApp,
    url: String,
    /// What is wrong with the portal: a file for each.
    ills: TempDir,
    programs: TempDir,
    calls: PathBuf,
    serving: JoinHandle<()>,
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn suffer(State(ills): State<PathBuf>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    if ills.join("unhealthy").exists() && path == "/api/health/mux-system" {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    if ills.join("unprotected").exists() && path == "/api/assets" {
        return StatusCode::OK.into_response();
    }
    next.run(request).await
}

struct Ended {
    code: Option<i32>,
    said: String,
    /// What programs were asked, one a line.
    calls: String,
}

impl Ended {
    #[track_caller]
    fn with(&self, code: i32, said: &str) {
        assert_eq!(self.code, Some(code), "{}", self.said);
        assert!(self.said.contains(said), "{}", self.said);
    }

    /// Whether this was asked, and then that.
    fn asked(&self, wanted: &[&str]) -> bool {
        let mut lines = self.calls.lines();
        wanted
            .iter()
            .all(|wanted| lines.any(|line| line.starts_with(wanted)))
    }
}

impl Stage {
    async fn set() -> Self {
        let test = TestApp::with(Wishes {
            variables: vec![CRON],
            ..Wishes::default()
        })
        .await;
        let ills = tempfile::tempdir().unwrap();
        let layer = from_fn_with_state(ills.path().to_owned(), suffer);
        let router = Router::new()
            .fallback_service(test.router.clone())
            .layer(layer);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let programs = programs();
        Self {
            calls: programs.path().join("calls"),
            test,
            url,
            ills,
            programs,
            serving,
        }
    }

    async fn deploy(&self, options: &[&str], variables: &[(&str, &str)]) -> Ended {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/infra/scripts/deploy");
        let path = env::var_os("PATH").unwrap();
        let path = format!("{}:{}", self.programs.path().display(), path.display());
        let mut command = Command::new(script);
        command
            .args(["--url", &self.url, "--origin", ORIGIN])
            .args(["--gate", "0", "--pause", "0"])
            .args(options)
            .env("PATH", path)
            .env("no_proxy", "127.0.0.1")
            .env("CALLS", &self.calls)
            .env("PORTAL", self.ills.path())
            .env("PREVIEW", &self.url)
            .env("ILL_FROM", "promote")
            .env("CRON_SECRET", CRON.1)
            .env_remove("PORTAL_TOKEN")
            .envs(variables.iter().copied());
        for name in ["AWS_REGION", "AWS_DEFAULT_REGION"] {
            if !variables.iter().any(|it| it.0 == name) {
                command.env_remove(name);
            }
        }
        let output = tokio::task::spawn_blocking(move || command.output());
        let Output { status, stderr, .. } = output.await.unwrap().unwrap();
        let calls = fs::read_to_string(&self.calls).unwrap_or_default();
        let _ = fs::remove_file(&self.calls);
        Ended {
            code: status.code(),
            said: String::from_utf8(stderr).unwrap(),
            calls,
        }
    }
}

#[tokio::test]
async fn a_deployment_is_checked_built_shown_deployed_and_proved_in_this_order() {
    let stage = Stage::set().await;
    let ended = stage.deploy(&[], &[]).await;
    ended.with(0, "deployed, and well");
    let order = [
        "git status",
        "aws cloudformation get-template --stack-name portal",
        "sam build",
        "sam validate --lint",
        "sam deploy --no-fail-on-empty-changeset --no-execute-changeset",
        "sam deploy --no-fail-on-empty-changeset --no-confirm-changeset --stack-name portal --tags commit=3333",
        "aws s3 cp --only-show-errors",
    ];
    assert!(ended.asked(&order), "{}", ended.calls);
    assert!(
        !ended.calls.contains("cloudformation deploy"),
        "not gone back"
    );
    let shown = stage.deploy(&["--changes"], &[]).await;
    shown.with(0, "nothing was deployed");
    assert!(!shown.calls.contains("--no-confirm-changeset"));
    assert_eq!(
        stage.test.count_events("share.refused").await,
        0,
        "it leaves nothing behind"
    );
}

#[tokio::test]
async fn what_is_not_well_or_not_protected_any_more_is_gone_back_from() {
    let stage = Stage::set().await;
    for (ill, said) in [
        ("unhealthy", "answers 503"),
        (
            "unprotected",
            "a protected route without a session answers 200",
        ),
    ] {
        let ended = stage.deploy(&[], &[("ILL", ill)]).await;
        ended.with(5, said);
        assert!(ended.said.contains("the version before (1111"), "{ill}");
        let back = "aws cloudformation deploy --stack-name portal --template-file /";
        assert!(ended.asked(&["sam deploy", "sam deploy", back]), "{ill}");
        assert!(!ended.calls.contains("s3 cp"), "it is no good version");
    }
}

#[tokio::test]
async fn going_back_that_fails_is_said_loudly_and_differently() {
    let stage = Stage::set().await;
    let ill = ("ILL", "unhealthy");
    let fails = ("FAIL", "cloudformation deploy");
    let ended = stage.deploy(&[], &[ill, fails]).await;
    ended.with(6, "GOING BACK FAILED: aws_back ended with 7");
    let ended = stage.deploy(&[], &[ill, ("INCURABLE", "1")]).await;
    ended.with(6, "GOING BACK FAILED: the version before is deployed");
    assert!(ended.said.contains("Act now"));
}

#[tokio::test]
async fn what_cannot_be_carried_out_changes_nothing() {
    let stage = Stage::set().await;
    let us = ("AWS_REGION", "us-east-1");
    stage.deploy(&[], &[us]).await.with(2, "region us-east-1");
    let asked = &["--", "--region", "eu-west-1"];
    stage.deploy(asked, &[]).await.with(2, "region eu-west-1");
    let dirty = ("DIRTY", " M shared/src/lib.rs");
    let ended = stage.deploy(&[], &[dirty]).await;
    ended.with(2, "uncommitted changes");
    for wrong in [["--platform", "heroku"], ["--gate", "soon"]] {
        stage.deploy(&wrong, &[]).await.with(2, "--help");
    }
    stage.deploy(&["--help"], &[]).await.with(0, "Ends with 0");
    for platform in ["aws", "vercel"] {
        let options = ["--dry-run", "--platform", platform];
        let dry = stage.deploy(&options, &[]).await;
        dry.with(0, "would");
        assert!(
            dry.calls
                .lines()
                .all(|it| it.starts_with("git ") || it.starts_with("aws cloudformation describe-")),
            "{}",
            dry.calls
        );
    }
    let broken = stage.deploy(&[], &[("FAIL", "sam validate")]).await;
    broken.with(1, "phase validate failed: nothing was changed");
    assert!(!broken.calls.contains("sam deploy"));
    let undone = stage.deploy(&[], &[("FAIL", "--no-confirm-changeset")]);
    undone.await.with(1, "CloudFormation undoes by itself");
}

#[tokio::test]
async fn who_interrupts_is_told_what_has_happened_by_then() {
    let stage = Stage::set().await;
    let ended = stage.deploy(&[], &[("INTERRUPT", "sam build")]).await;
    ended.with(130, "interrupted in phase build: nothing was changed");
    let on = ("INTERRUPT", "--no-confirm-changeset");
    let ended = stage.deploy(&[], &[on]).await;
    ended.with(130, "in phase deploy: CloudFormation goes on by itself");
}

#[tokio::test]
async fn going_back_by_hand_deploys_what_was_kept_and_asks_no_freeze() {
    let stage = Stage::set().await;
    let nobody = ("CRON_SECRET", "guessed");
    let ended = stage.deploy(&["--rollback"], &[nobody]).await;
    ended.with(0, "went back to 2222");
    let order = [
        "aws s3 cp --only-show-errors s3://the-bucket/portal/before.yaml",
        "aws cloudformation deploy",
    ];
    assert!(ended.asked(&order), "{}", ended.calls);
    assert!(!ended.calls.contains("sam "));
    let nothing = stage.deploy(&["--rollback"], &[("FAIL", "s3 cp")]).await;
    nothing.with(1, "nothing is kept to go back to");
}

#[tokio::test]
async fn on_vercel_a_deployment_is_proved_before_anybody_sees_it_and_once_more_after() {
    let stage = Stage::set().await;
    let vercel = &["--platform", "vercel"];
    let ended = stage.deploy(vercel, &[]).await;
    ended.with(0, "deployed, and well");
    let order = [
        "vercel build --prod",
        "vercel deploy --prebuilt --prod --skip-domain",
        "vercel promote http",
    ];
    assert!(ended.asked(&order), "{}", ended.calls);
    let ill = ("ILL", "unprotected");
    let hidden = stage.deploy(vercel, &[ill, ("ILL_FROM", "deploy")]).await;
    hidden.with(5, "was not promoted");
    assert!(!hidden.calls.contains("vercel promote"));
    fs::remove_file(stage.ills.path().join("unprotected")).unwrap();
    let seen = stage.deploy(vercel, &[ill]).await;
    seen.with(5, "the version before answers again");
    assert!(seen.asked(&["vercel promote", "vercel rollback --yes"]));
    let lost = stage.deploy(vercel, &[ill, ("FAIL", "rollback")]).await;
    lost.with(6, "GOING BACK FAILED: vercel ended with 7");
}
