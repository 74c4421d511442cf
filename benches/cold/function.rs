//! A function that is started, ours or the peer's, and what it took.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{Command as Tool, Stdio},
    time::{Duration, Instant, SystemTime},
};

use flate2::{Compression, write::DeflateEncoder};
use tokio::process::Command;

use super::{
    processors::Processors,
    runtime_api::RuntimeApi,
    share::Share,
    stage::{Stage, Writer},
};

/// How long anybody may take to the first answer: with a share of a processor, Node needs a second.
const PATIENCE: Duration = Duration::from_secs(30);

/// What has to be done before ours can be measured.
const BUILD: &str = "cargo build --release -p webhooks-mux";

/// A program that Lambda could run.
pub(crate) struct Function {
    pub name: String,
    pub writer: Writer,
    program: PathBuf,
    arguments: Vec<PathBuf>,
    /// Bytes of what is deployed, and of that deflated.
    pub size: u64,
    pub zipped: u64,
}

/// One start of a function.
pub(crate) struct Start {
    /// From the start of the process until it asks for work.
    pub init: Duration,
    /// From the start of the process until the webhook is answered.
    pub answered: Duration,
    /// Memory after the answer, and the most that it was until then (proc(5), `VmRSS` and `VmHWM`), in bytes.
    pub resident: u64,
    pub most: u64,
}

impl Function {
    /// Ours, or what has to be done first.
    pub(crate) fn ours(binary: Option<&Path>) -> Result<Self, String> {
        let program = match binary {
            Some(binary) => binary.to_path_buf(),
            None => built()?,
        };
        let name = program.display().to_string();
        let content = fs::read(&program).map_err(|error| format!("{name}: {error}"))?;
        Ok(Self {
            name,
            writer: Writer::Ours,
            program: program.canonicalize().map_err(|error| error.to_string())?,
            arguments: Vec::new(),
            size: content.len() as u64,
            zipped: deflated(&content),
        })
    }

    /// The peer, installed and bundled as its lock says.
    pub(crate) fn peer() -> Result<Self, String> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/peer");
        run(
            folder,
            "npm",
            &["ci", "--no-fund", "--no-audit", "--silent"],
        )?;
        let bundle = Path::new(folder).join("node_modules/.cold/index.cjs");
        let out = format!("--outfile={}", bundle.display());
        let flags = ["--bundle", "--minify", "--platform=node", "--format=cjs"];
        let quiet = ["--log-level=warning", "--target=node20", &out];
        run(
            folder,
            "node_modules/.bin/esbuild",
            &[&["cold.mjs"], &flags[..], &quiet[..]].concat(),
        )?;
        let version = run(folder, "node", &["--version"])?;
        let content = fs::read(&bundle).map_err(|error| error.to_string())?;
        // Node itself, not what chooses one: that would be started and measured, too.
        let node = run(folder, "node", &["--print", "process.execPath"])?;
        Ok(Self {
            name: format!("Node {version}"),
            writer: Writer::Peer,
            program: PathBuf::from(node),
            arguments: vec![bundle],
            size: content.len() as u64,
            zipped: deflated(&content),
        })
    }

    /// Starts it, lets it answer one webhook, looks whether the table says so, and ends it. A share of a
    /// processor is all that it has once it asks for work: until then, Lambda gives a function more.
    pub(crate) async fn start(
        &self,
        stage: &Stage,
        processors: &Processors,
        share: Option<&Share>,
    ) -> Start {
        let webhook = stage.webhook(self.writer).await;
        let mut api = RuntimeApi::new(webhook.request()).await;
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .env_clear()
            .envs(&stage.variables)
            .env("AWS_LAMBDA_RUNTIME_API", api.address.to_string())
            .stdout(Stdio::null())
            .kill_on_drop(true);
        let group = share.map(|it| it.group().unwrap());
        let began = Instant::now();
        let mut process = processors.spawn(&mut command);
        let number = process.id().unwrap();
        let answered = async {
            let ready = api.asked().await;
            if let Some(group) = &group {
                group.admit(number).unwrap();
            }
            api.hand_over();
            (ready, api.answer().await)
        };
        let (ready, (at, answer)) = tokio::select! {
            answered = tokio::time::timeout(PATIENCE, answered) => answered.unwrap(),
            ended = process.wait() => panic!("{}: {:?} before its answer", self.name, ended.unwrap()),
        };
        let (resident, most) = memory(number).unwrap();
        process.kill().await.unwrap();
        assert_eq!(answer["statusCode"], 200, "{}: {answer}", self.name);
        stage.assert_taken(self.writer, &webhook).await;
        Start {
            init: ready - began,
            answered: at - began,
            resident,
            most,
        }
    }
}

/// What cargo has made, unless a file that it was made of is newer.
fn built() -> Result<PathBuf, String> {
    let bench = std::env::current_exe().map_err(|error| error.to_string())?;
    let target = bench.ancestors().nth(3).unwrap_or(Path::new("target"));
    let binary = target.join("release/webhooks-mux");
    let missing = |_| format!("{} is not there; make it:\n  {BUILD}", binary.display());
    let made = modified(&binary).map_err(missing)?;
    let list = fs::read_to_string(binary.with_extension("d")).map_err(missing)?;
    let sources = list.split_once(": ").map_or("", |(_, sources)| sources);
    let newer = sources
        .split_whitespace()
        .find(|source| modified(Path::new(source)).is_ok_and(|at| at > made));
    match newer {
        None => Ok(binary),
        Some(source) => Err(format!(
            "{} is older than {source}; make it again:\n  {BUILD}",
            binary.display()
        )),
    }
}

fn modified(file: &Path) -> io::Result<SystemTime> {
    fs::metadata(file)?.modified()
}

/// What a tool says, or that it failed.
fn run(folder: &str, tool: &str, arguments: &[&str]) -> Result<String, String> {
    let output = Tool::new(tool)
        .args(arguments)
        .current_dir(folder)
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("{tool}: {error}; the peer needs Node 20 or later, with npm"))?;
    if !output.status.success() {
        return Err(format!("{tool} {} failed", arguments.join(" ")));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Bytes in a zip, without its few bytes of names.
fn deflated(content: &[u8]) -> u64 {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    io::copy(&mut &*content, &mut encoder).unwrap();
    encoder.finish().unwrap().len() as u64
}

/// Bytes that the process has in memory, and had at the most.
fn memory(process: u32) -> Option<(u64, u64)> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let bytes = |name: &str| {
        let line = status.lines().find_map(|it| it.strip_prefix(name))?;
        let kilobytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
        Some(kilobytes * 1_024)
    };
    Some((bytes("VmRSS:")?, bytes("VmHWM:")?))
}
