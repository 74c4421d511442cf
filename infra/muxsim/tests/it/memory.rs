//! A large file never sits in memory: measured on the program itself.
#![cfg(target_os = "linux")]

use std::process::Stdio;

use bytes::Bytes;
use futures::{StreamExt, stream};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::support::{VIDEO, text};

/// Bytes of the file, and the most that the program may ever have held of anything.
const FILE: usize = 200 << 20;
const PEAK: u64 = 150 << 20;

/// The file, a part at a time: a video, and then a box that says that the rest is free.
fn parts() -> impl futures::Stream<Item = Result<Bytes, std::io::Error>> {
    let free = u32::try_from(FILE - VIDEO.len()).unwrap();
    let mut head = VIDEO.to_vec();
    head.extend(free.to_be_bytes());
    head.extend(b"free");
    let rest = FILE - head.len();
    let zeros = Bytes::from(vec![0; 1 << 16]);
    let whole = rest / zeros.len();
    let last = zeros.slice(..rest % zeros.len());
    let zeros = std::iter::repeat_n(zeros, whole).chain([last]);
    stream::iter(std::iter::once(head.into()).chain(zeros)).map(Ok)
}

/// The most memory a program has ever held, in bytes (`proc_pid_status(5)`).
fn peak(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|it| it.starts_with("VmHWM:")).unwrap();
    let kibibytes: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kibibytes << 10
}

#[tokio::test]
async fn two_hundred_megabytes_are_never_held_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = tokio::process::Command::new(env!("CARGO_BIN_EXE_muxsim"))
        .args(["--listen", "127.0.0.1:0", "--no-rate-limit", "--folder"])
        .arg(folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
    let url = loop {
        let line = said.next_line().await.unwrap().unwrap();
        if let Some(url) = line.strip_prefix("export MUX_BASE_URL=") {
            break url.to_owned();
        }
    };
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let api = |method, path: &str| {
        let request = http.request(method, format!("{url}{path}"));
        request.basic_auth("muxsim", Some("muxsim-secret"))
    };
    let body = json!({"new_asset_settings": {"static_renditions": [{"resolution": "highest"}]}});
    let upload = api(reqwest::Method::POST, "/video/v1/uploads").json(&body);
    let upload: Value = upload.send().await.unwrap().json().await.unwrap();
    let put = http.put(text(&upload["data"]["url"]));
    let put = put.body(reqwest::Body::wrap_stream(parts()));
    assert_eq!(put.send().await.unwrap().status(), 200);
    loop {
        let assets = api(reqwest::Method::GET, "/video/v1/assets")
            .send()
            .await
            .unwrap();
        let assets: Value = assets.json().await.unwrap();
        let rendition = &assets["data"][0]["static_renditions"]["files"][0];
        assert_ne!(assets["data"][0]["status"], "errored");
        if rendition["status"] == "ready" {
            assert!(rendition["filesize"].is_string());
            break;
        }
        tokio::task::yield_now().await;
    }
    let peak = peak(child.id().unwrap());
    assert!(peak < PEAK, "{} MiB", peak >> 20);
}
