//! Lambda on loopback: a Runtime API that starts one function binary and hands it HTTP requests as
//! function URL events (payload format 2.0). For tests, and for `dev smoke`, which asks what was built;
//! it keeps nothing and retries nothing.

use std::{
    collections::HashMap,
    net::SocketAddr,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use aws_lc_rs::{
    encoding::AsDer,
    rsa::{KeyPair, KeySize},
};
use axum::{
    Router,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderName, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    process::{Child, Command},
    sync::{Mutex, mpsc, oneshot},
    task::JoinHandle,
};

/// How long a function may take: to start, and to answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running function. It ends when this is dropped.
pub struct Function {
    runtime: Arc<Runtime>,
    child: Child,
    server: JoinHandle<()>,
}

/// What a function answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u64,
    pub body: String,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum Failure {
    /// The Runtime API or the function could not be started.
    Start(std::io::Error),
    /// The function ended, or did not answer in time.
    Silent,
    /// The function reported an error, in its own words.
    Error(String),
}

type Outcome = Result<Bytes, Bytes>;

struct Runtime {
    invocations: mpsc::Sender<(String, Bytes)>,
    waiting: Mutex<mpsc::Receiver<(String, Bytes)>>,
    answers: Mutex<HashMap<String, oneshot::Sender<Outcome>>>,
    count: AtomicU64,
}

impl Function {
    /// Starts a binary as Lambda does, with these variables and no others.
    pub async fn start(binary: &str, variables: &[(&str, &str)]) -> Result<Self, Failure> {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .map_err(Failure::Start)?;
        let address = listener.local_addr().map_err(Failure::Start)?;
        let (invocations, waiting) = mpsc::channel(16);
        let runtime = Arc::new(Runtime {
            invocations,
            waiting: Mutex::new(waiting),
            answers: Mutex::default(),
            count: AtomicU64::new(1),
        });
        let router = router().with_state(Arc::clone(&runtime));
        let server = tokio::spawn(async move {
            // Ends with the task.
            let _ = axum::serve(listener, router).await;
        });
        let child = command(binary, address, variables)
            .spawn()
            .map_err(Failure::Start)?;
        Ok(Self {
            runtime,
            child,
            server,
        })
    }

    /// Hands an event over, as a schedule does.
    pub async fn wake(&mut self, event: Value) -> Result<Value, Failure> {
        let answer = tokio::select! {
            answer = self.runtime.invoke(event) => answer,
            _ = self.child.wait() => return Err(Failure::Silent),
        };
        match answer {
            Some(Ok(answer)) => {
                serde_json::from_slice(&answer).map_err(|it| Failure::Error(it.to_string()))
            }
            Some(Err(error)) => Err(Failure::Error(String::from_utf8_lossy(&error).into_owned())),
            None => Err(Failure::Silent),
        }
    }

    /// Sends a request as a function URL would.
    pub async fn request(
        &mut self,
        method: &str,
        path: &str,
        body: &str,
    ) -> Result<Answer, Failure> {
        self.request_with(method, path, &[], body).await
    }

    /// The same with headers; their names are written in lower case, as a gateway does it.
    pub async fn request_with(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Result<Answer, Failure> {
        let mut event = event(method, path, body);
        for (name, value) in headers {
            event["headers"][*name] = json!(value);
        }
        let answer = self.wake(event).await?;
        let body = answer["body"].as_str().unwrap_or_default();
        let encoded = answer["isBase64Encoded"].as_bool().unwrap_or_default();
        let decoded = encoded.then(|| STANDARD.decode(body).unwrap_or_default());
        Ok(Answer {
            status: answer["statusCode"].as_u64().unwrap_or_default(),
            body: decoded.map_or_else(
                || body.to_owned(),
                |it| String::from_utf8_lossy(&it).into_owned(),
            ),
        })
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn command(binary: &str, address: SocketAddr, variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(binary);
    command
        .env_clear()
        .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
        .env("AWS_LAMBDA_FUNCTION_NAME", "function")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
        .env("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/function")
        .env("AWS_LAMBDA_LOG_STREAM_NAME", "local")
        .envs(variables.iter().copied())
        .stdout(Stdio::null())
        .kill_on_drop(true);
    command
}

impl Runtime {
    async fn invoke(&self, event: Value) -> Option<Outcome> {
        let id = format!("request-{}", self.count.fetch_add(1, Ordering::Relaxed));
        let (answered, answer) = oneshot::channel();
        self.answers.lock().await.insert(id.clone(), answered);
        self.invocations
            .send((id, event.to_string().into()))
            .await
            .ok()?;
        tokio::time::timeout(PATIENCE, answer).await.ok()?.ok()
    }
}

/// The Lambda Runtime API, version 2018-06-01.
fn router() -> Router<Arc<Runtime>> {
    Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route(
            "/2018-06-01/runtime/invocation/{id}/response",
            post(response),
        )
        .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
        .route(
            "/2018-06-01/runtime/init/error",
            post(async || StatusCode::ACCEPTED),
        )
}

async fn next(State(runtime): State<Arc<Runtime>>) -> Response {
    let Some((id, event)) = runtime.waiting.lock().await.recv().await else {
        return StatusCode::GONE.into_response();
    };
    let headers = [
        ("lambda-runtime-aws-request-id", id.as_str()),
        ("lambda-runtime-deadline-ms", "4102444800000"), // the year 2100: nothing is measured here
        (
            "lambda-runtime-invoked-function-arn",
            "arn:aws:lambda:local:000000000000:function:function",
        ),
        (
            "lambda-runtime-trace-id",
            "Root=1-00000000-000000000000000000000000;Sampled=0",
        ),
        ("content-type", "application/json"),
    ];
    let headers = headers.map(|(name, value)| (HeaderName::from_static(name), value.to_owned()));
    (axum::response::AppendHeaders(headers), event).into_response()
}

async fn response(
    State(runtime): State<Arc<Runtime>>,
    Path(id): Path<String>,
    body: Bytes,
) -> StatusCode {
    done(&runtime, &id, Ok(body)).await
}

async fn error(
    State(runtime): State<Arc<Runtime>>,
    Path(id): Path<String>,
    body: Bytes,
) -> StatusCode {
    done(&runtime, &id, Err(body)).await
}

async fn done(runtime: &Runtime, id: &str, outcome: Outcome) -> StatusCode {
    if let Some(answered) = runtime.answers.lock().await.remove(id) {
        let _ = answered.send(outcome); // who asked may have given up
    }
    StatusCode::ACCEPTED
}

/// An HTTP request as a function URL hands it over (docs.aws.amazon.com: payload format 2.0).
fn event(method: &str, path: &str, body: &str) -> Value {
    json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"host": "function.example", "content-type": "application/json"},
        "requestContext": {
            "accountId": "anonymous", "apiId": "function", "domainName": "function.example",
            "domainPrefix": "function", "requestId": "request", "routeKey": "$default", "stage": "$default",
            "http": {
                "method": method, "path": path, "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1", "userAgent": "test",
            },
            "time": "05/Jan/2026:09:00:00 +0000", "timeEpoch": 1_767_603_600_000_i64,
        },
        "body": body,
        "isBase64Encoded": false,
    })
}

/// Starts a function of the portal with made-up variables and no table behind it, and asks it once.
///
/// # Panics
///
/// When there is no answer: this is for tests.
#[expect(clippy::panic, reason = "a test fails by panicking")]
pub async fn answer(binary: &str, method: &str, path: &str) -> Answer {
    let asked = async {
        let mut function = started(binary).await?;
        function.request(method, path, "").await
    };
    match asked.await {
        Ok(answer) => answer,
        Err(failure) => panic!("{binary}: {failure:?}"),
    }
}

/// The same for a function that a schedule wakes: what it says of a table that is not there.
pub async fn woken(binary: &str) -> Result<Value, Failure> {
    started(binary).await?.wake(json!({})).await
}

async fn started(binary: &str) -> Result<Function, Failure> {
    let key = private_key();
    let mut variables = VARIABLES.to_vec();
    variables.push(("MUX_SIGNING_PRIVATE_KEY", &key));
    Function::start(binary, &variables).await
}

/// Nothing listens on port 9 of loopback: what is not needed is not reached.
const VARIABLES: [(&str, &str); 18] = [
    ("ALLOWED_ORIGINS", "https://portal.example"),
    (
        "AUDIT_SIGNING_KEY",
        "MC4CAQAwBQYDK2VwBCIEIAcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH",
    ),
    ("AWS_ACCESS_KEY_ID", "x"),
    ("AWS_ENDPOINT_URL", "http://127.0.0.1:9"),
    ("AWS_REGION", "ap-southeast-2"),
    ("AWS_SECRET_ACCESS_KEY", "x"),
    ("CLERK_ISSUER", "https://clerk.example"),
    ("DEAD_LETTER_QUEUE_URL", "http://127.0.0.1:9/queue"),
    ("GRANT_KEY", "0123456789abcdef0123456789abcdef"),
    ("MUX_API_URL", "http://127.0.0.1:9"),
    ("MUX_SIGNING_KEY_ID", "key"),
    ("MUX_TOKEN_ID", "x"),
    ("MUX_TOKEN_SECRET", "x"),
    ("MUX_WEBHOOK_SIGNING_SECRET", "x"),
    ("NO_PROXY", "127.0.0.1"),
    ("PSEUDONYM_KEY", "0123456789abcdef0123456789abcdef"),
    ("PUBLIC_URL", "https://portal.example"),
    ("TABLE_NAME", "table"),
];

/// A key like those of Mux: base64 of a PEM.
fn private_key() -> String {
    let pair = KeyPair::generate(KeySize::Rsa2048).ok();
    let der = pair.and_then(|it| it.as_der().ok().map(|der| der.as_ref().to_vec()));
    let pem = pem::encode(&pem::Pem::new("PRIVATE KEY", der.unwrap_or_default()));
    STANDARD.encode(pem)
}
