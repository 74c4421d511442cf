//! What the judges need: programs of this machine, Mux's clients at exact versions, clips, and a
//! child that is shown when it fails and ended when it takes too long.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tokio::process::Command;

use crate::stand::Stand;

pub(crate) const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/judges");

/// Twelve seconds of pictures and sound.
const CLIP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../dev/clip.mp4");

/// Where cargo lets tests keep things: installed packages stay from run to run, out of the sources.
const KEPT: &str = env!("CARGO_TARGET_TMPDIR");

/// How long an installation may take: it reaches a registry.
const INSTALLATION: Duration = Duration::from_mins(5);

/// The workplace of one judge. There is one at a time, on the whole machine: they share what is
/// installed, and a player that is watched for seconds wants a processor for itself.
pub(crate) struct Bench {
    _turn: File,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let turn = File::create(Path::new(KEPT).join("judges.lock")).unwrap();
        turn.lock().unwrap(); // until it is closed
        Self { _turn: turn }
    }

    /// A program on the PATH, without a terminal and without a proxy between it and the stand-in.
    #[expect(clippy::unused_self, reason = "nothing is run without a bench")]
    pub(crate) fn program(&self, name: &str, remedy: &str) -> Command {
        let path = find(&[name]).unwrap_or_else(|| panic!("{name} is missing: {remedy}"));
        command(&path)
    }

    #[expect(clippy::unused_self, reason = "nothing is run without a bench")]
    pub(crate) fn chromium(&self) -> PathBuf {
        let named = std::env::var_os("CHROMIUM").map(PathBuf::from);
        named
            .or_else(|| find(&["chromium", "chromium-browser", "google-chrome"]))
            .unwrap_or_else(|| {
                panic!("Chromium is missing: `apt-get install chromium`, or name one in CHROMIUM")
            })
    }

    /// A folder with the scripts and, beside them, exactly the packages of `package-lock.json`.
    pub(crate) async fn npm_packages(&self) -> PathBuf {
        let folder = Path::new(KEPT).join("judges");
        let lock = "package-lock.json";
        let installed = folder.join("node_modules/.package-lock.json").exists()
            && fs::read(folder.join(lock)).ok() == fs::read(Path::new(SCRIPTS).join(lock)).ok();
        copy(Path::new(SCRIPTS), &folder);
        if !installed {
            let mut npm = self.program("npm", "it comes with Node.js, https://nodejs.org");
            npm.current_dir(&folder)
                .args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"]);
            run(npm, "npm ci", INSTALLATION).await;
        }
        folder
    }

    /// A Python that has exactly the packages of `requirements.txt`.
    pub(crate) async fn python(&self) -> Command {
        let folder = Path::new(KEPT).join("judges-python");
        let wanted = fs::read(Path::new(SCRIPTS).join("requirements.txt")).unwrap();
        let stamp = folder.join("requirements.installed");
        let program = folder.join("bin/python");
        if fs::read(&stamp).ok().as_ref() != Some(&wanted) || !program.exists() {
            let mut venv = self.program("python3", "`apt-get install python3 python3-venv`");
            venv.args(["-m", "venv", "--clear"]).arg(&folder);
            run(venv, "python3 -m venv", INSTALLATION).await;
            let mut pip = command(&program);
            pip.current_dir(SCRIPTS).args(["-m", "pip", "install"]);
            pip.args(["--disable-pip-version-check", "--only-binary", ":all:"]);
            pip.args(["--require-hashes", "-r", "requirements.txt"]);
            run(pip, "pip install", INSTALLATION).await;
            fs::write(stamp, wanted).unwrap();
        }
        command(&program)
    }

    /// Lets the judge loose on a stand-in of its own.
    pub(crate) async fn judge(&self, mut judge: Command, patience: Duration) {
        let long_clip = self.long_clip().await;
        let stand = Stand::open().await;
        judge
            .env("MUXSIM_URL", &stand.url)
            .env("MUX_TOKEN_ID", &stand.token_id)
            .env("MUX_TOKEN_SECRET", &stand.token_secret)
            .env("CLIP", CLIP)
            .env("LONG_CLIP", long_clip)
            .env("KEPT", KEPT);
        show(&run(judge, "the judge", patience).await);
    }

    /// A minute: more than a player with a small buffer fetches ahead, and more than one chunk.
    async fn long_clip(&self) -> PathBuf {
        let path = Path::new(KEPT).join("long-clip.mp4");
        let mut ffmpeg = self.program("ffmpeg", "`apt-get install ffmpeg`");
        ffmpeg
            .args(["-v", "error", "-y", "-stream_loop", "4", "-i", CLIP])
            .args(["-c", "copy"])
            .arg(&path);
        run(ffmpeg, "ffmpeg", INSTALLATION).await;
        path
    }
}

fn find(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let mut places =
        std::env::split_paths(&path).flat_map(|folder| names.iter().map(move |it| folder.join(it)));
    places.find(|it| it.is_file())
}

fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .stdin(Stdio::null())
        .env("NO_PROXY", "127.0.0.1")
        .env("no_proxy", "127.0.0.1")
        .env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

/// What a program wrote, if it succeeds in time. It writes into a file, so that the words of one
/// that is ended are not lost.
async fn run(mut command: Command, what: &str, patience: Duration) -> String {
    let path = Path::new(KEPT).join("judge.log");
    let log = File::create(&path).unwrap();
    command.stdout(log.try_clone().unwrap()).stderr(log);
    let mut child = command.kill_on_drop(true).spawn().unwrap();
    let ended = tokio::time::timeout(patience, child.wait()).await;
    let _ = child.kill().await;
    let said = String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
    let Ok(status) = ended else {
        panic!("{what} took more than {patience:?}\n{said}");
    };
    let status = status.unwrap();
    assert!(status.success(), "{what} failed: {status}\n{said}");
    said
}

#[expect(
    clippy::print_stdout,
    reason = "cargo shows it with --show-output: one line for each thing that held"
)]
fn show(said: &str) {
    println!("{said}");
}

/// The scripts, without what somebody may have installed next to them.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if entry.file_name() == "node_modules" {
            continue;
        }
        if entry.file_type().unwrap().is_dir() {
            copy(&source, &target);
        } else {
            fs::copy(source, target).unwrap();
        }
    }
}
