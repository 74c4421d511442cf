//! Messages received too often: where they go, and which queues send theirs to a given one.

use rusqlite::{Connection, params};
use serde_json::{Value, json};

use crate::call::Call;
use crate::fault::Fault;
use crate::input::Input;
use crate::message::Message;
use crate::queue::Queue;
use crate::setting::RETENTION;

pub(crate) struct DeadLetters {
    receives: i64,
    target: Queue,
}

impl DeadLetters {
    /// A policy whose target has been deleted since is without effect.
    pub(crate) fn of(db: &Connection, queue: &Queue) -> Result<Option<Self>, Fault> {
        let Some(redrive) = queue.redrive() else {
            return Ok(None);
        };
        let target = Queue::find(db, &redrive.target)?;
        Ok(target.map(|target| Self {
            receives: redrive.receives,
            target,
        }))
    }

    pub(crate) fn claim(&self, message: &Message) -> bool {
        message.receives >= self.receives
    }

    /// Its age goes with it: a dead letter expires by the time it was first sent.
    pub(crate) fn bury(
        &self,
        call: &Call<'_>,
        source: &Queue,
        message: &Message,
    ) -> Result<(), Fault> {
        call.db
            .prepare_cached(
                "UPDATE messages
                 SET queue = ?2, source = ?3, receipt = NULL, visible = ?4, expires = ?5
                 WHERE seq = ?1",
            )?
            .execute(params![
                message.seq,
                self.target.name,
                source.arn(),
                call.now,
                message.sent + self.target.setting(&RETENTION) * 1000,
            ])?;
        Ok(())
    }
}

pub(crate) fn list_sources(call: &Call<'_>, input: Input<'_>) -> Result<Value, Fault> {
    let queue = Queue::by_url(call.db, input)?;
    let urls: Vec<String> = sources(call.db, &queue)?
        .iter()
        .map(|source| call.url(&source.name))
        .collect();
    Ok(json!({"queueUrls": urls}))
}

/// The queues whose dead letters go to `target`, the oldest first.
pub(crate) fn sources(db: &Connection, target: &Queue) -> Result<Vec<Queue>, Fault> {
    let mut queues = Queue::all(db)?;
    queues.retain(|queue| {
        queue
            .redrive()
            .is_some_and(|redrive| redrive.target == target.name)
    });
    Ok(queues)
}
