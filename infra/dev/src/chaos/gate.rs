//! A gate on the way to a service: what passes may be cut off, held up, or answered as by a service
//! that has enough to do.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use anyhow::Context as _;
use axum::{
    Router,
    extract::{Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    serve::Listener,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use crate::proxy;

/// What is wrong on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    Nothing,
    /// Every connection breaks, and no new one is taken.
    Lost,
    /// Every call takes so much longer.
    Slow(Duration),
    /// The table takes no writes, because there were too many.
    Throttled,
}

/// A gate: where it is, and what is wrong with it.
#[derive(Clone)]
pub struct Gate {
    pub address: SocketAddr,
    trouble: watch::Sender<Trouble>,
    /// Until the gate is opened.
    listener: Arc<Mutex<Option<TcpListener>>>,
}

impl Gate {
    /// A gate that leads nowhere yet.
    pub(super) async fn new() -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        Ok(Self {
            address: listener.local_addr()?,
            trouble: watch::Sender::new(Trouble::Nothing),
            listener: Arc::new(Mutex::new(Some(listener))),
        })
    }

    /// What is wrong from now on.
    pub(super) fn set(&self, trouble: Trouble) {
        self.trouble.send_replace(trouble);
    }

    /// Leads to the service at this address until `stop`.
    pub(crate) fn open(
        &self,
        service: String,
        stop: &CancellationToken,
        tasks: &mut JoinSet<()>,
    ) -> anyhow::Result<()> {
        let listener = self.listener.lock().unwrap_or_else(PoisonError::into_inner);
        let listener = { listener }.take().context("a gate leads to one service")?;
        let doors = Doors {
            listener,
            trouble: self.trouble.subscribe(),
        };
        let way = Way {
            http: reqwest::Client::new(),
            service,
            trouble: self.trouble.subscribe(),
        };
        let router = Router::new().fallback(pass).with_state(way);
        let stopped = stop.clone().cancelled_owned();
        tasks.spawn(async move {
            let serving = axum::serve(doors, router).with_graceful_shutdown(stopped);
            // It ends when it is told to; how it ends then is of no interest.
            let _ = serving.await;
        });
        Ok(())
    }
}

#[derive(Clone)]
struct Way {
    http: reqwest::Client,
    service: String,
    trouble: watch::Receiver<Trouble>,
}

async fn pass(State(way): State<Way>, request: Request) -> Response {
    let trouble = *way.trouble.borrow();
    match trouble {
        Trouble::Slow(by) => tokio::time::sleep(by).await,
        Trouble::Throttled if is_write(&request) => return throttled(),
        Trouble::Nothing | Trouble::Lost | Trouble::Throttled => {}
    }
    proxy::hand_on(&way.http, &way.service, request).await
}

/// Whether a call of the table changes it.
fn is_write(request: &Request) -> bool {
    let target = request.headers().get("x-amz-target");
    let target = target.and_then(|it| it.to_str().ok()).unwrap_or_default();
    let operation = target.rsplit('.').next().unwrap_or_default();
    ["Put", "Update", "Delete", "TransactWrite", "BatchWrite"]
        .iter()
        .any(|it| operation.starts_with(it))
}

/// As `DynamoDB` words it (docs.aws.amazon.com/amazondynamodb: Programming.Errors).
fn throttled() -> Response {
    let body = r#"{"__type":"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException","message":"The level of configured provisioned throughput for the table was exceeded."}"#;
    let kind = [("content-type", "application/x-amz-json-1.0")];
    (StatusCode::BAD_REQUEST, kind, body).into_response()
}

/// Connections, as long as there is a way.
struct Doors {
    listener: TcpListener,
    trouble: watch::Receiver<Trouble>,
}

impl Listener for Doors {
    type Io = Wire;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Wire, SocketAddr) {
        loop {
            let (stream, from) = Listener::accept(&mut self.listener).await;
            if *self.trouble.borrow() != Trouble::Lost {
                let trouble = self.trouble.clone();
                return (Wire { stream, trouble }, from);
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection that breaks when something comes through it and there is no way.
struct Wire {
    stream: TcpStream,
    trouble: watch::Receiver<Trouble>,
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if read.is_ready() && *self.trouble.borrow() == Trouble::Lost {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        read
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
