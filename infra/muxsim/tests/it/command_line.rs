//! The program: what it says, and what it says when it cannot.

use std::{
    net::TcpListener,
    process::{Output, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};

use crate::{inbox::Inbox, support::text};

fn muxsim() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_muxsim"));
    command.env_remove("MUXSIM_URL").kill_on_drop(true);
    command.stdin(Stdio::null());
    command
}

async fn ran(arguments: &[&str]) -> Output {
    muxsim().args(arguments).output().await.unwrap()
}

/// The one line with which a program refuses.
#[track_caller]
fn refusal(output: &Output) -> String {
    assert!(!output.status.success());
    let said = String::from_utf8(output.stderr.clone()).unwrap();
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 1, "{said}");
    assert!(
        !said.contains('\u{1b}'),
        "colour without a terminal: {said:?}"
    );
    lines[0].to_owned()
}

/// A program that serves, and the address it says.
struct Served {
    url: String,
    folder: TempDir,
    child: Child,
    _said: Lines<BufReader<ChildStdout>>,
}

impl Served {
    async fn with(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut child = muxsim()
            .args(["--listen", "127.0.0.1:0", "--folder"])
            .arg(folder.path())
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
        let url = loop {
            let line = said.next_line().await.unwrap().unwrap();
            if let Some(url) = line.strip_prefix("export MUX_BASE_URL=") {
                break url.to_owned();
            }
        };
        Self {
            url,
            folder,
            child,
            _said: said,
        }
    }

    async fn ask(&self, arguments: &[&str]) -> Output {
        let mut command = muxsim();
        command.env("MUXSIM_URL", &self.url).args(arguments);
        command.output().await.unwrap()
    }

    async fn said(&self, arguments: &[&str]) -> String {
        let output = self.ask(arguments).await;
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{error}");
        String::from_utf8(output.stdout).unwrap()
    }
}

#[tokio::test]
async fn help_explains_every_command() {
    let help = String::from_utf8(ran(&["--help"]).await.stdout).unwrap();
    for said in [
        "A stand-in for Mux Video",
        "MUX_BASE_URL",
        "trigger",
        "events",
        "listen",
        "clock",
        "faults",
        "--webhook <URL>",
        "--fault <NAME=RATE>",
    ] {
        assert!(help.contains(said), "{said}: {help}");
    }
    for command in ["trigger", "events", "listen", "clock", "faults"] {
        assert!(ran(&[command, "--help"]).await.status.success());
    }
}

#[tokio::test]
async fn a_wrong_flag_is_named() {
    let output = ran(&["--listne", "127.0.0.1:0"]).await;
    let said = String::from_utf8(output.stderr).unwrap();
    let first = said.lines().next().unwrap();
    assert_eq!(first, "error: unexpected argument '--listne' found");
    assert!(said.contains("--listen"), "{said}");
    for wrong in ["rain=0.1", "drop=2", "drop"] {
        let output = ran(&["--fault", wrong]).await;
        let said = String::from_utf8(output.stderr).unwrap();
        let first = said.lines().next().unwrap();
        assert!(
            first.starts_with(&format!("error: invalid value '{wrong}'")),
            "{said}"
        );
    }
}

#[tokio::test]
async fn a_taken_port_is_one_line() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().to_str().unwrap();
    let said = refusal(&ran(&["--listen", &address, "--folder", folder]).await);
    let start =
        format!("error: cannot listen on {address}; choose another address with --listen: ");
    assert!(said.starts_with(&start), "{said}");
}

#[tokio::test]
async fn a_folder_belongs_to_one() {
    let served = Served::with(&[]).await;
    let folder = served.folder.path().to_str().unwrap();
    let said = refusal(&ran(&["--listen", "127.0.0.1:0", "--folder", folder]).await);
    assert_eq!(
        said,
        format!("error: another muxsim uses the folder {folder}; choose another with --folder")
    );
}

#[tokio::test]
async fn a_missing_ffmpeg_is_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().to_str().unwrap();
    let arguments = [
        "--listen",
        "127.0.0.1:0",
        "--folder",
        folder,
        "--ffmpeg",
        "/nowhere/ffmpeg",
    ];
    let said = refusal(&ran(&arguments).await);
    assert!(
        said.starts_with("error: /nowhere/ffmpeg is no ffmpeg with an ffprobe beside it"),
        "{said}"
    );
    let served = Served::with(&["--no-ffmpeg"]).await;
    let said = served.said(&["events", "list"]).await;
    assert_eq!(said, "");
}

#[tokio::test]
async fn nobody_there_is_one_line() {
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let url = format!("http://{free}");
    for command in [
        &["clock", "--url", &url][..],
        &["events", "list", "--url", &url],
        &["trigger", "video.asset.ready", "--url", &url],
        &["faults", "list", "--url", &url],
        &["listen", "--url", &url],
    ] {
        let said = refusal(&ran(command).await);
        assert_eq!(
            said,
            format!(
                "error: no muxsim answers at {url}: start it with `muxsim`, or say where it is with --url"
            )
        );
    }
    let served = Served::with(&["--token-secret", "other"]).await;
    let said = refusal(&served.ask(&["clock"]).await);
    assert_eq!(said, "error: Unauthorized request");
}

#[tokio::test]
async fn an_event_is_triggered_listed_and_replayed() {
    let inbox = Inbox::new().await;
    let (address, secret) = (&inbox.endpoint.address, &inbox.endpoint.secret);
    let served = Served::with(&["--webhook", address, "--webhook-secret", secret]).await;
    let said = served.said(&["trigger", "video.asset.ready"]).await;
    inbox.arrival().await;
    let got = inbox.only();
    let id = text(&got.event["id"]);
    assert_eq!(said, format!("video.asset.ready {id}\n"));
    assert!(got.signed_at(secret).is_some());
    let listed = served.said(&["events", "list"]).await;
    assert!(
        listed.contains(id) && listed.contains("video.asset.ready"),
        "{listed}"
    );
    let json = served
        .said(&["events", "list", "--json", "--limit", "1"])
        .await;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["event"]["id"], id);
    let said = served.said(&["events", "replay", id]).await;
    assert_eq!(said, format!("{id} to 1 endpoints\n"));
    inbox.arrival().await;
    assert_eq!(inbox.only().event["id"], id);

    let other = Inbox::new().await;
    let forward = [
        "--forward-to",
        &other.endpoint.address,
        "--secret",
        "theirs",
    ];
    served
        .said(&[&["events", "replay", id][..], &forward].concat())
        .await;
    assert!(other.only().signed_at("theirs").is_some());
    served
        .said(&[&["trigger", "video.upload.created"][..], &forward].concat())
        .await;
    assert_eq!(other.only().kind(), "video.upload.created");
    assert_eq!(inbox.take().len(), 0);
    other.answer([500]);
    let output = served
        .ask(&[&["events", "replay", id][..], &forward].concat())
        .await;
    assert!(refusal(&output).contains("answered 500"));
    let said = refusal(&served.ask(&["trigger", "video.asset.eaten"]).await);
    assert!(said.contains("muxsim trigger --list"), "{said}");
    let types = ran(&["trigger", "--list"]).await;
    assert!(
        String::from_utf8(types.stdout)
            .unwrap()
            .contains("video.asset.errored\n")
    );
}

#[tokio::test]
async fn events_are_passed_on_as_they_happen() {
    let served = Served::with(&[]).await;
    let inbox = Inbox::new().await;
    let mut listening = muxsim()
        .env("MUXSIM_URL", &served.url)
        .args([
            "listen",
            "--forward-to",
            &inbox.endpoint.address,
            "--secret",
            "theirs",
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = BufReader::new(listening.stderr.take().unwrap()).lines();
    assert_eq!(told.next_line().await.unwrap().unwrap(), "connected");
    let mut said = BufReader::new(listening.stdout.take().unwrap()).lines();
    served.said(&["trigger", "video.asset.ready"]).await;
    let line = said.next_line().await.unwrap().unwrap();
    let got = inbox.only();
    assert!(got.signed_at("theirs").is_some());
    assert!(line.starts_with("video.asset.ready "), "{line}");
    assert!(line.ends_with(" → 200"), "{line}");
}

#[tokio::test]
async fn time_passes_and_things_go_wrong_on_demand() {
    let mut served = Served::with(&["--fault", "drop=0.5", "--seed", "9"]).await;
    let faults = served.said(&["faults", "list"]).await;
    assert!(faults.contains("drop               0.5"), "{faults}");
    assert!(faults.ends_with("seed 9, skew_seconds 0, delay_seconds 60, pause_seconds 2\n"));
    let set = ["faults", "set", "duplicate=1", "--skew-seconds", "-30"];
    let faults = served.said(&set).await;
    assert!(faults.contains("drop               0.0"), "{faults}");
    assert!(faults.contains("skew_seconds -30"), "{faults}");
    served.said(&["trigger", "video.asset.ready"]).await;
    assert_eq!(served.said(&["faults", "log"]).await, "");
    served.said(&["faults", "clear"]).await;
    let clock = served.said(&["clock", "advance", "6h"]).await;
    assert!(clock.ends_with("ahead by 6h\n"), "{clock}");
    assert_eq!(served.said(&["clock"]).await.lines().count(), 1);
    served.child.kill().await.unwrap();
}
