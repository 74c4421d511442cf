//! An SQS stand-in on SQLite that speaks what `aws-sdk-sqs` speaks: `awsJson1_0`, and nothing else.
//!
//! It knows 20 of SQS's 23 operations (not `AddPermission`, `RemovePermission` and
//! `CancelMessageMoveTask`) and checks neither signatures nor policies. What it has been told is
//! in the file before it answers, so it survives being killed.

mod batch;
mod call;
mod clock;
mod dead_letters;
mod dedup;
mod digest;
mod dispatch;
mod fault;
mod http;
mod ids;
mod input;
mod message;
mod move_tasks;
mod open_error;
mod queue;
mod queues;
mod receive;
mod send;
mod setting;
mod settle;
mod store;
mod tags;
mod user_attributes;

use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::Router;
use rusqlite::Connection;
use tokio::sync::Notify;

use crate::clock::Clock;
use crate::ids::Ids;
pub use crate::open_error::OpenError;

/// All queues of one pretended account and region; clones share them.
#[derive(Clone)]
pub struct Sqs {
    clock: Clock,
    shared: Arc<Shared>,
}

/// A SQLite connection serves one caller at a time, hence the lock; the state itself is in SQLite.
struct Shared {
    bell: Notify,
    db: Mutex<Connection>,
    ids: Ids,
}

impl Sqs {
    /// Opens the queues kept in the file at `path`, or new ones in memory.
    pub fn open(path: Option<&Path>) -> Result<Self, OpenError> {
        let db = store::open(path)?;
        let ids = Ids::seeded_by(&db)?;
        let shared = Shared {
            bell: Notify::new(),
            db: Mutex::new(db),
            ids,
        };
        Ok(Self {
            clock: clock::system(),
            shared: Arc::new(shared),
        })
    }

    /// Everything that depends on time asks `clock`, which answers in milliseconds since 1970.
    ///
    /// A long poll ends when its wait is over by this clock or by the computer's, whichever is
    /// first: under a clock that stands still it would not end otherwise.
    #[must_use]
    pub fn with_clock(self, clock: impl Fn() -> i64 + Send + Sync + 'static) -> Self {
        Self {
            clock: Arc::new(clock),
            ..self
        }
    }

    /// What is kept of a queue, hidden or not: the bodies of its messages, oldest first. A look that
    /// no consumer has, for whoever checks that nothing is lost.
    pub fn bodies(&self, queue: &str) -> Vec<String> {
        store::bodies(&self.db(), queue, self.now()).unwrap_or_default()
    }

    /// Queue URLs are made from the request's `Host`, so the router may be served on any address.
    pub fn router(self) -> Router {
        http::router(self)
    }
}
