//! The mail server of the local stack: it takes every letter and sends none. What came is shown at
//! `/mail`. The protocol is the crate's (`mailin`); here are the connections.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
};

use axum::{Json, Router, extract::State, routing::get};
use mailin::{Action, Handler, Session, SessionBuilder, response};
use serde::Serialize;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

/// How many letters are kept.
const KEPT: usize = 50;

/// A letter as it came.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Letter {
    pub to: Vec<String>,
    /// Headers and text.
    pub text: String,
}

/// Everything that came, the newest last.
#[derive(Debug, Clone, Default)]
pub struct MailBox(Arc<Mutex<Vec<Letter>>>);

impl MailBox {
    /// Takes letters at this address until it is told to stop.
    pub fn listen(
        listener: TcpListener,
        stop: CancellationToken,
        tasks: &mut JoinSet<()>,
    ) -> std::io::Result<(Self, SocketAddr)> {
        let (mail, address) = (Self::default(), listener.local_addr()?);
        let kept = mail.clone();
        tasks.spawn(async move {
            let mut open = JoinSet::new();
            loop {
                tokio::select! {
                    () = stop.cancelled() => return,
                    Ok((stream, from)) = listener.accept() => {
                        open.spawn(converse(stream, from.ip(), kept.clone()));
                    }
                }
            }
        });
        Ok((mail, address))
    }

    pub fn letters(&self) -> Vec<Letter> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn keep(&self, letter: Letter) {
        let mut letters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        letters.push(letter);
        let over = letters.len().saturating_sub(KEPT);
        letters.drain(..over);
    }

    /// `GET /mail`.
    pub(crate) fn router(self) -> Router {
        let show = async |State(mail): State<Self>| Json(mail.letters());
        Router::new().route("/mail", get(show)).with_state(self)
    }
}

/// One letter being written.
struct Writing {
    mail: MailBox,
    letter: Letter,
}

impl Handler for Writing {
    fn data_start(&mut self, _: &str, _: &str, _: bool, to: &[String]) -> mailin::Response {
        self.letter = Letter {
            to: to.to_vec(),
            text: String::new(),
        };
        response::OK
    }

    fn data(&mut self, part: &[u8]) -> std::io::Result<()> {
        self.letter.text.push_str(&String::from_utf8_lossy(part));
        Ok(())
    }

    fn data_end(&mut self) -> mailin::Response {
        self.mail.keep(std::mem::take(&mut self.letter));
        response::OK
    }
}

async fn converse(stream: TcpStream, from: IpAddr, mail: MailBox) {
    let writing = Writing {
        mail,
        letter: Letter::default(),
    };
    let session = SessionBuilder::new("localhost").build(from, writing);
    // A client that goes away in the middle has written no letter.
    let _ = answer(stream, session).await;
}

async fn answer(stream: TcpStream, mut session: Session<Writing>) -> std::io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read);
    write.write_all(&session.greeting().buffer()?).await?;
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line).await? > 0 {
        let response = session.process(&line);
        line.clear();
        match response.action {
            Action::NoReply => {}
            Action::Reply | Action::UpgradeTls => write.write_all(&response.buffer()?).await?,
            Action::Close => return write.write_all(&response.buffer()?).await,
        }
    }
    Ok(())
}
