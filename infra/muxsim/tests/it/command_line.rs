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

use crate::{inbox::Inbox, origin::Origin, support::text};

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
    lines: Lines<BufReader<ChildStdout>>,
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
            lines: said,
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
    let mut served = Served::with(&["--no-ffmpeg"]).await;
    let mut rest = Vec::new();
    while rest
        .last()
        .is_none_or(|it: &String| !it.starts_with("There is no ffmpeg"))
    {
        rest.push(served.lines.next_line().await.unwrap().unwrap());
    }
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
    let why = format!(
        "error: the token is not the one that {} was started with",
        served.url
    );
    assert!(said.starts_with(&why), "{said}");
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
    let set = ["faults", "set", "duplicate=1", "--skew", "-30s"];
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

/// A supervisor's word is enough: neither it nor ffmpeg stays behind.
#[cfg(unix)]
#[tokio::test]
async fn a_program_that_is_told_to_stop_takes_its_children_with_it() {
    use std::os::unix::fs::PermissionsExt;
    let tools = tempfile::tempdir().unwrap();
    let child = tools.path().join("child");
    for name in ["ffmpeg", "ffprobe"] {
        let path = tools.path().join(name);
        let script = format!("#!/bin/sh\necho $$ > {}\nexec sleep 600\n", child.display());
        std::fs::write(&path, script).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    }
    let ffmpeg = tools.path().join("ffmpeg");
    let mut served = Served::with(&["--ffmpeg", ffmpeg.to_str().unwrap()]).await;
    let origin = Origin::of(&[("clip.webm", b"\x1a\x45\xdf\xa3 no more than a beginning")]).await;
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let asset = http
        .post(format!("{}/video/v1/assets", served.url))
        .basic_auth("muxsim", Some("muxsim-secret"))
        .json(&serde_json::json!({"inputs": [origin.url("clip.webm")]}));
    assert_eq!(asset.send().await.unwrap().status(), 201);
    let process = loop {
        if let Ok(text) = std::fs::read_to_string(&child)
            && let Ok(process) = text.trim().parse::<u32>()
        {
            break process;
        }
        tokio::task::yield_now().await;
    };
    let own = served.child.id().unwrap().to_string();
    let kill = Command::new("kill").args(["-TERM", &own]).status();
    assert!(kill.await.unwrap().success());
    let status = served.child.wait().await.unwrap();
    assert!(status.success(), "{status}");
    let alive = Command::new("kill")
        .args(["-0", &process.to_string()])
        .output();
    assert!(
        !alive.await.unwrap().status.success(),
        "its child is still there"
    );
}

#[tokio::test]
async fn who_reads_no_further_is_no_error() {
    let mut listing = muxsim()
        .args(["trigger", "--list"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(listing.stdout.take());
    let output = listing.wait_with_output().await.unwrap();
    assert!(output.status.success());
    assert_eq!(output.stderr, b"");
}

#[tokio::test]
async fn what_cannot_be_is_refused_at_once() {
    for (wrong, why) in [
        (["--webhook", "not a url"], "it is no http or https address"),
        (["--webhook", "http://"], "it is no http or https address"),
        (
            ["--public-url", "nonsense"],
            "it is no http or https address",
        ),
        (["--burst", "0"], "0 is not in 1.."),
        (["--workers", "0"], "0 is not in 1.."),
        (["--delay", "soon"], "expected number"),
    ] {
        let output = ran(&wrong).await;
        assert!(!output.status.success());
        let said = String::from_utf8(output.stderr).unwrap();
        let first = said.lines().next().unwrap();
        assert!(first.contains(why), "{said}");
    }
}
