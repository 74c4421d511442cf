//! A process that answers, ours or the peer's, and what it spends.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::{IpAddr, Ipv4Addr},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use futures::{StreamExt, stream};
use reqwest::{Client, Response};
use serde_json::Value;

use super::stage::{Links, Settings};

/// How many viewers ask at once, so that the server always has something to do and its figures are not
/// those of a processor that wakes up.
const VIEWERS: usize = 8;

#[derive(Clone, Copy)]
pub(super) struct Cost {
    /// Processor time of the server for one request.
    pub micros: f64,
    /// The median time to an answer.
    pub millis: f64,
}

/// A process that answers.
pub(super) struct Server {
    process: Child,
    address: String,
    client: Client,
    viewer: u8,
}

impl Server {
    pub(super) fn ours(settings: &Settings, table_only: bool) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--serve", &serde_json::to_string(settings).unwrap()]);
        if table_only {
            command.arg("--table-only");
        }
        Self::start(command)
    }

    pub(super) fn peer(settings: &Settings) -> Self {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/peer");
        let installed = Command::new("npm")
            .args(["ci", "--no-fund", "--no-audit", "--silent"])
            .current_dir(folder)
            .status();
        assert!(
            installed.unwrap().success(),
            "npm could not install the peer"
        );
        let mut command = Command::new("node");
        command.args(["share.mjs", &settings.for_peer()]);
        command.current_dir(folder);
        Self::start(command)
    }

    fn start(mut command: Command) -> Self {
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let mut lines = BufReader::new(process.stdout.take().unwrap());
        lines.read_line(&mut line).unwrap();
        Self {
            process,
            address: format!("http://127.0.0.1:{}", line.trim()),
            client: Client::new(),
            viewer: 0,
        }
    }

    /// Opens links in turn, so many times; how long each took.
    pub(super) async fn open(&mut self, links: &Links, count: usize) -> Vec<Duration> {
        let turns: Vec<_> = (0..count).map(|turn| self.ask(links, turn)).collect();
        let opened = turns.into_iter().map(|ask| async {
            let began = Instant::now();
            let answer = ask.await;
            answer.bytes().await.unwrap();
            began.elapsed()
        });
        stream::iter(opened)
            .buffer_unordered(VIEWERS)
            .collect()
            .await
    }

    /// Every twenty come from another address of one network, so that nobody opens too often.
    fn ask(&mut self, links: &Links, turn: usize) -> impl Future<Output = Response> + use<> {
        if turn.is_multiple_of(20) {
            self.viewer = self.viewer.checked_add(1).unwrap();
            let from = IpAddr::V4(Ipv4Addr::new(127, 7, 7, self.viewer));
            let client = Client::builder().local_address(from);
            self.client = client.build().unwrap();
        }
        let (token, grant) = links.at(turn);
        let url = format!("{}/api/share/{token}", self.address);
        let mut request = self.client.get(url);
        if let Some(grant) = grant {
            request = request.header("x-share-grant", grant);
        }
        async move {
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), 200);
            answer
        }
    }

    pub(super) async fn cost(&mut self, links: &Links, count: usize) -> Cost {
        let before = self.processor();
        let mut took = self.open(links, count).await;
        let spent = self.processor().saturating_sub(before);
        took.sort_unstable();
        #[expect(clippy::cast_precision_loss, reason = "thousands")]
        let micros = spent.as_secs_f64() * 1e6 / count as f64;
        Cost {
            micros,
            millis: took[count / 2].as_secs_f64() * 1e3,
        }
    }

    /// Processor time of all its threads (proc(5), `schedstat`).
    fn processor(&self) -> Duration {
        let tasks = format!("/proc/{}/task", self.process.id());
        let nanos = fs::read_dir(tasks).unwrap().map(|task| {
            let text = fs::read_to_string(task.unwrap().path().join("schedstat"));
            let text = text.unwrap_or_default();
            let first = text.split(' ').next().unwrap_or_default();
            first.parse().unwrap_or(0)
        });
        Duration::from_nanos(nanos.sum())
    }

    /// The links, with what their first viewers were given.
    pub(super) async fn grants(&mut self, links: &Links) -> Links {
        let mut grants = Vec::with_capacity(links.len());
        for turn in 0..links.len() {
            let answer = self.ask(links, turn).await;
            let body: Value = answer.json().await.unwrap();
            grants.push(body["grant"].as_str().unwrap().to_owned());
        }
        links.shown(grants)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
