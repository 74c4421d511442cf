//! The table of operations, the transaction each runs in, and the wait of a long poll.

use std::pin::{Pin, pin};
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::Connection;
use serde_json::{Value, json};
use tokio::sync::futures::Notified;
use tokio::time::{Instant, timeout};

use crate::call::Call;
use crate::fault::Fault;
use crate::input::Input;
use crate::queue::Queue;
use crate::receive::{Taken, take};
use crate::setting::WAIT;
use crate::{Sqs, dead_letters, move_tasks, queues, send, settle, tags};

/// How often a waiting poll looks at the clock, which may be moved by hand and rings no bell.
const LOOK: Duration = Duration::from_millis(20);

type Action = fn(&Call<'_>, Input<'_>) -> Result<Value, Fault>;

/// All operations but `ReceiveMessage`, the only one that waits.
fn action(operation: &str) -> Result<Action, Fault> {
    let action: Action = match operation {
        "ChangeMessageVisibility" => settle::change_visibility,
        "ChangeMessageVisibilityBatch" => settle::change_visibility_of_many,
        "CreateQueue" => queues::create,
        "DeleteMessage" => settle::delete,
        "DeleteMessageBatch" => settle::delete_many,
        "DeleteQueue" => queues::delete,
        "GetQueueAttributes" => queues::attributes,
        "GetQueueUrl" => queues::url,
        "ListDeadLetterSourceQueues" => dead_letters::list_sources,
        "ListMessageMoveTasks" => move_tasks::list,
        "ListQueueTags" => tags::list,
        "ListQueues" => queues::list,
        "PurgeQueue" => queues::purge,
        "SendMessage" => send::one,
        "SendMessageBatch" => send::many,
        "SetQueueAttributes" => queues::set_attributes,
        "StartMessageMoveTask" => move_tasks::start,
        "TagQueue" => tags::add,
        "UntagQueue" => tags::remove,
        _ => return Err(Fault::InvalidAction(operation.to_owned())),
    };
    Ok(action)
}

impl Sqs {
    pub(crate) async fn answer(
        &self,
        operation: &str,
        input: Input<'_>,
        host: &str,
    ) -> Result<Value, Fault> {
        if operation == "ReceiveMessage" {
            return self.receive(input, host).await;
        }
        let action = action(operation)?;
        let answer = self.transact(host, self.now(), |call| action(call, input))?;
        self.shared.bell.notify_waiters();
        Ok(answer)
    }

    async fn receive(&self, input: Input<'_>, host: &str) -> Result<Value, Fault> {
        let start = self.now();
        let wait = self.transact(host, start, |call| wait_seconds(call, input))?;
        let end = start + wait * 1000;
        let deadline = Instant::now() + Duration::from_secs(wait.unsigned_abs());
        loop {
            // Enabled before the look, so that a message sent just after it rings through.
            let mut bell = pin!(self.shared.bell.notified());
            bell.as_mut().enable();
            let now = self.now();
            let taken = self.transact(host, now, |call| take(call, input))?;
            if taken.buried {
                self.shared.bell.notify_waiters();
            }
            if !taken.messages.is_empty() || now >= end || Instant::now() >= deadline {
                return Ok(json!({"Messages": taken.messages}));
            }
            self.wait(bell, next_look(&taken, end), deadline).await;
        }
    }

    /// Returns at the bell, when the clock shows `until`, or at the `deadline`.
    async fn wait(&self, mut bell: Pin<&mut Notified<'_>>, until: i64, deadline: Instant) {
        loop {
            let remaining = Duration::from_millis(u64::try_from(until - self.now()).unwrap_or(0));
            let pause = remaining
                .min(deadline.saturating_duration_since(Instant::now()))
                .min(LOOK);
            if pause.is_zero() || timeout(pause, bell.as_mut()).await.is_ok() {
                return;
            }
        }
    }

    fn transact<T>(
        &self,
        host: &str,
        now: i64,
        act: impl FnOnce(&Call<'_>) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let mut db = self.db();
        let transaction = db.transaction()?;
        let done = act(&Call {
            db: &transaction,
            host,
            ids: &self.shared.ids,
            now,
        })?;
        transaction.commit()?;
        Ok(done)
    }

    /// A panic rolled its transaction back, so the connection it leaves behind is sound.
    pub(crate) fn db(&self) -> MutexGuard<'_, Connection> {
        self.shared
            .db
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn now(&self) -> i64 {
        (self.clock)()
    }
}

fn wait_seconds(call: &Call<'_>, input: Input<'_>) -> Result<i64, Fault> {
    let queue = Queue::by_url(call.db, input)?;
    let asked = input.number("WaitTimeSeconds", &WAIT.range)?;
    Ok(asked.unwrap_or_else(|| queue.setting(&WAIT)))
}

fn next_look(taken: &Taken, end: i64) -> i64 {
    taken.next_visible.map_or(end, |next| next.min(end))
}
