//! Every Vercel function starts alone and answers on loopback.

use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
    process::{Child, Command, Stdio},
};

use dev::settings;

use crate::support::KEY;

pub(crate) struct Function {
    child: Child,
    pub(crate) url: String,
}

impl Function {
    fn start(binary: &str) -> Self {
        Self::of(command(binary).envs(variables()))
    }

    /// With whatever variables this command has.
    pub(crate) fn of(command: &mut Command) -> Self {
        // The runtime cannot tell which free port it took, so one is chosen for it.
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let mut child = command
            .env("VERCEL_DEV", "1")
            .env("VERCEL_DEV_PORT", port.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while !line.starts_with("Dev server listening") {
            line.clear();
            assert_ne!(stdout.read_line(&mut line).unwrap(), 0, "{command:?} ended");
        }
        // A pipe that nobody reads fills up.
        std::thread::spawn(move || std::io::copy(&mut stdout, &mut std::io::sink()));
        Self {
            child,
            url: format!("http://127.0.0.1:{port}"),
        }
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(binary: &str) -> Command {
    let mut command = Command::new(binary);
    command
        .env_clear()
        .env("AWS_REGION", "ap-southeast-2")
        .env("AWS_ACCESS_KEY_ID", "x")
        .env("AWS_SECRET_ACCESS_KEY", "x")
        .env("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        .env("NO_PROXY", "127.0.0.1");
    command
}

pub(crate) fn variables() -> Vec<(&'static str, String)> {
    let aws = dev::aws::Aws {
        dynamodb: ([127, 0, 0, 1], 9).into(),
        sqs: ([127, 0, 0, 1], 9).into(),
        queue_url: "http://127.0.0.1:9/queue".to_owned(),
        roles: dev::permissions::Roles::default(),
    };
    settings::variables("http://127.0.0.1:9", &aws, &KEY)
        .into_iter()
        .collect()
}

#[tokio::test]
async fn every_function_starts_alone_and_answers() {
    let http = reqwest::Client::new();
    for (binary, method, path, expected) in [
        (
            env!("CARGO_BIN_EXE_api-uploads"),
            "POST",
            "/api/uploads",
            401,
        ),
        (
            env!("CARGO_BIN_EXE_api-uploads"),
            "POST",
            "/api/mux/create-video-upload",
            401,
        ),
        (
            env!("CARGO_BIN_EXE_api-webhooks-mux"),
            "POST",
            "/api/webhooks/mux",
            401,
        ),
        (
            env!("CARGO_BIN_EXE_api-share-token"),
            "GET",
            "/api/share/x?token=x",
            404,
        ),
        (env!("CARGO_BIN_EXE_api-shares"), "GET", "/api/shares", 401),
        (
            env!("CARGO_BIN_EXE_api-assets"),
            "GET",
            "/api/assets/x",
            401,
        ),
        (
            env!("CARGO_BIN_EXE_api-cron-dlq-replay"),
            "GET",
            "/api/cron/dlq-replay",
            401,
        ),
        (
            env!("CARGO_BIN_EXE_api-cron-reconcile"),
            "GET",
            "/api/cron/reconcile",
            401,
        ),
        (env!("CARGO_BIN_EXE_api-ops"), "GET", "/api/health", 200),
        (env!("CARGO_BIN_EXE_api-ops"), "GET", "/_vercel/ping", 200),
        (env!("CARGO_BIN_EXE_api-ops"), "GET", "/api/assets", 404),
    ] {
        let function = Function::start(binary);
        let request = http.request(method.parse().unwrap(), format!("{}{path}", function.url));
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), expected, "{binary} {method} {path}");
    }
}

#[test]
fn a_function_that_lacks_variables_names_them_all_in_one_line_and_ends() {
    let output = command(env!("CARGO_BIN_EXE_api-ops"))
        .env("SHARE_DAYS", "hunter2")
        .output()
        .unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(said.trim().lines().count(), 1, "{said}");
    assert!(
        said.contains("TABLE_NAME is not set") && said.contains("SHARE_DAYS does not parse"),
        "{said}"
    );
    assert!(!said.contains("hunter2"), "{said}");
}
