//! The local stack survives a SIGKILL in the middle of an upload.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use reqwest::{Client, StatusCode, header};
use serde_json::{Value, json};

/// What is sent before the stack is killed: one quantum of a resumable upload.
const FIRST: usize = 256 * 1024;

struct Running(Child);

impl Running {
    /// Starts the program itself, and waits until it says where it is.
    fn start(folder: &Path, port: u16) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_dev"))
            .args(["--port", &port.to_string(), "--folder"])
            .arg(folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while !line.contains("http://") {
            line.clear();
            assert_ne!(stdout.read_line(&mut line).unwrap(), 0, "the stack ended");
        }
        std::thread::spawn(move || std::io::copy(&mut stdout, &mut std::io::sink()));
        Self(child)
    }

    /// SIGKILL: nothing can be tidied up.
    fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Ada {
    http: Client,
    url: String,
}

impl Ada {
    async fn token(&self) -> String {
        let request = self.http.post(format!("{}/sign-in/session", self.url));
        let request = request
            .header(header::ORIGIN, &self.url)
            .json(&json!({"person": "ada"}));
        let session: Value = request.send().await.unwrap().json().await.unwrap();
        session["token"].as_str().unwrap().to_owned()
    }

    async fn upload(&self, size: usize) -> Value {
        let body = json!({"title": "Interrupted", "contentType": "video/mp4", "size": size});
        let request = self
            .http
            .post(format!("{}/api/uploads", self.url))
            .json(&body);
        let answer = request
            .bearer_auth(self.token().await)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), StatusCode::CREATED);
        answer.json().await.unwrap()
    }

    async fn status(&self, id: &str) -> Value {
        let request = self.http.get(format!("{}/api/uploads/{id}", self.url));
        let answer = request
            .bearer_auth(self.token().await)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        answer.json().await.unwrap()
    }

    async fn put(&self, url: &str, range: String, body: Vec<u8>) -> (StatusCode, Option<String>) {
        let request = self.http.put(url).header(header::CONTENT_RANGE, range);
        let answer = request.body(body).send().await.unwrap();
        let range = answer.headers().get(header::RANGE);
        (
            answer.status(),
            range.map(|it| it.to_str().unwrap().to_owned()),
        )
    }
}

#[tokio::test]
async fn an_upload_goes_on_after_the_stack_was_killed_in_the_middle_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let ada = Ada {
        http: Client::builder()
            .pool_max_idle_per_host(0) // a killed stack leaves connections behind that look alive
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap(),
        url: format!("http://127.0.0.1:{port}"),
    };
    let mut file = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("clip.mp4")).unwrap();
    file.extend_from_slice(&free_box(2 * FIRST)); // an MP4 may end in a box that means nothing
    let size = file.len();

    let stack = Running::start(folder.path(), port);
    let upload = ada.upload(size).await;
    let (id, url) = (
        upload["id"].as_str().unwrap(),
        upload["uploadUrl"].as_str().unwrap(),
    );
    let sent = ada
        .put(
            url,
            format!("bytes 0-{}/{size}", FIRST - 1),
            file[..FIRST].to_vec(),
        )
        .await;
    assert_eq!(
        sent,
        (
            StatusCode::PERMANENT_REDIRECT,
            Some(format!("bytes=0-{}", FIRST - 1))
        )
    );
    stack.kill();

    let stack = Running::start(folder.path(), port);
    assert_eq!(ada.status(id).await["status"], "AWAITING_UPLOAD");
    let arrived = ada.put(url, format!("bytes */{size}"), Vec::new()).await;
    assert_eq!(
        arrived,
        (
            StatusCode::PERMANENT_REDIRECT,
            Some(format!("bytes=0-{}", FIRST - 1))
        )
    );
    let rest = format!("bytes {FIRST}-{}/{size}", size - 1);
    assert_eq!(
        ada.put(url, rest, file[FIRST..].to_vec()).await.0,
        StatusCode::OK
    );
    // Killed again: the file has arrived, and nobody has been told what became of it.
    stack.kill();

    let _stack = Running::start(folder.path(), port);
    let patience = Instant::now() + Duration::from_secs(30);
    while ada.status(id).await["status"] != "READY" {
        assert!(Instant::now() < patience, "{}", ada.status(id).await);
        tokio::task::yield_now().await;
    }
}

/// A `free` box of this many bytes (ISO/IEC 14496-12, section 8.1.2).
fn free_box(size: usize) -> Vec<u8> {
    let mut bytes = u32::try_from(size).unwrap().to_be_bytes().to_vec();
    bytes.extend_from_slice(b"free");
    bytes.resize(size, 0);
    bytes
}

/// What the program says when it does not start.
fn refusal(port: u16, folder: &Path) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_dev"))
        .args(["--port", &port.to_string(), "--folder"])
        .arg(folder)
        .output()
        .unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(said.lines().count(), 1, "{said}");
    said
}

#[test]
fn a_taken_port_is_one_clear_line() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let folder = tempfile::tempdir().unwrap();
    let said = refusal(port, folder.path());
    assert!(said.contains(&format!("port {port} is taken")), "{said}");
    assert!(said.contains("--port"), "{said}");
}

#[test]
fn a_folder_that_another_stack_uses_is_one_clear_line() {
    let folder = tempfile::tempdir().unwrap();
    let _stack = Running::start(folder.path(), 0);
    let said = refusal(0, folder.path());
    assert!(
        said.contains("in use by another stack") && said.contains("--folder"),
        "{said}"
    );
}
