//! The Runtime API of Lambda, version 2018-06-01, for one process and one event: it notes when what came.

use std::{net::SocketAddr, time::Instant};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderName, StatusCode},
    response::{AppendHeaders, IntoResponse},
    routing::{get, post},
};
use serde_json::Value;
use tokio::{
    net::TcpListener,
    sync::{mpsc, watch},
    task::JoinHandle,
};

/// It serves until this is dropped.
pub(crate) struct RuntimeApi {
    pub address: SocketAddr,
    asked: mpsc::Receiver<Instant>,
    answers: mpsc::Receiver<(Instant, Bytes)>,
    turn: watch::Sender<Turn>,
    server: JoinHandle<()>,
}

#[derive(Clone, Copy, PartialEq)]
enum Turn {
    Wait,
    Event,
    Nothing,
}

#[derive(Clone)]
struct Shared {
    event: Bytes,
    asked: mpsc::Sender<Instant>,
    answers: mpsc::Sender<(Instant, Bytes)>,
    turn: watch::Sender<Turn>,
}

impl RuntimeApi {
    pub(crate) async fn new(event: Value) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (asked, asks) = mpsc::channel(2);
        let (answered, answers) = mpsc::channel(2);
        let (turn, _) = watch::channel(Turn::Wait);
        let shared = Shared {
            event: event.to_string().into(),
            asked,
            answers: answered,
            turn: turn.clone(),
        };
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(said))
            .route("/2018-06-01/runtime/invocation/{id}/error", post(said))
            .route("/2018-06-01/runtime/init/error", post(said))
            .with_state(shared);
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            address,
            asked: asks,
            answers,
            turn,
            server,
        }
    }

    /// When the function asks for work.
    pub(crate) async fn asked(&mut self) -> Instant {
        self.asked.recv().await.unwrap()
    }

    /// Gives it the event.
    pub(crate) fn hand_over(&self) {
        self.turn.send_replace(Turn::Event);
    }

    /// What it says to that, and when.
    pub(crate) async fn answer(&mut self) -> (Instant, Value) {
        let (at, answer) = self.answers.recv().await.unwrap();
        (at, serde_json::from_slice(&answer).unwrap())
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// One event, and then none any more.
async fn next(State(shared): State<Shared>) -> impl IntoResponse {
    // Who asks again is not waited for.
    let _ = shared.asked.try_send(Instant::now());
    let mut turn = shared.turn.subscribe();
    turn.wait_for(|it| *it == Turn::Event).await.unwrap();
    shared.turn.send_replace(Turn::Nothing);
    let headers = [
        (
            "lambda-runtime-aws-request-id",
            "8476a536-e9f4-11e8-9739-2dfe598c3fcd",
        ),
        ("lambda-runtime-deadline-ms", "4102444800000"), // the year 2100
        (
            "lambda-runtime-invoked-function-arn",
            "arn:aws:lambda:local:000000000000:function:webhooks-mux",
        ),
        (
            "lambda-runtime-trace-id",
            "Root=1-00000000-000000000000000000000000;Sampled=0",
        ),
        ("content-type", "application/json"),
    ];
    let headers = headers.map(|(name, value)| (HeaderName::from_static(name), value));
    (AppendHeaders(headers), shared.event)
}

async fn said(State(shared): State<Shared>, body: Bytes) -> StatusCode {
    let _ = shared.answers.try_send((Instant::now(), body));
    StatusCode::ACCEPTED
}
