//! What a consumer does with a message it holds: delete it, or hide it for longer or shorter.

use rusqlite::params;
use serde_json::{Value, json};

use crate::batch;
use crate::call::Call;
use crate::fault::Fault;
use crate::input::Input;
use crate::queue::Queue;
use crate::setting::VISIBILITY;

const UUID_LENGTH: usize = 36;

pub(crate) fn delete(call: &Call<'_>, input: Input<'_>) -> Result<Value, Fault> {
    let queue = Queue::by_url(call.db, input)?;
    delete_one(call, &queue, input)
}

pub(crate) fn delete_many(call: &Call<'_>, input: Input<'_>) -> Result<Value, Fault> {
    let queue = Queue::by_url(call.db, input)?;
    batch::each(input, |entry| delete_one(call, &queue, entry))
}

pub(crate) fn change_visibility(call: &Call<'_>, input: Input<'_>) -> Result<Value, Fault> {
    let queue = Queue::by_url(call.db, input)?;
    change_one(call, &queue, input)
}

pub(crate) fn change_visibility_of_many(call: &Call<'_>, input: Input<'_>) -> Result<Value, Fault> {
    let queue = Queue::by_url(call.db, input)?;
    batch::each(input, |entry| change_one(call, &queue, entry))
}

/// A handle from an earlier receive is accepted and deletes nothing: SQS promises no more, and a
/// consumer that was too slow must not delete what another one holds.
fn delete_one(call: &Call<'_>, queue: &Queue, input: Input<'_>) -> Result<Value, Fault> {
    let handle = input.text("ReceiptHandle")?;
    call.db
        .prepare_cached("DELETE FROM messages WHERE seq = ?1 AND queue = ?2 AND receipt = ?3")?
        .execute(params![seq_in(handle)?, queue.name, handle])?;
    Ok(json!({}))
}

fn change_one(call: &Call<'_>, queue: &Queue, input: Input<'_>) -> Result<Value, Fault> {
    let handle = input.text("ReceiptHandle")?;
    let seconds = input
        .number(VISIBILITY.name, &VISIBILITY.range)?
        .ok_or(Fault::MissingParameter(VISIBILITY.name))?;
    let visible = call.now + seconds * 1000;
    let changed = call
        .db
        .prepare_cached(
            "UPDATE messages SET visible = ?4
             WHERE seq = ?1 AND queue = ?2 AND receipt = ?3 AND visible > ?5",
        )?
        .execute(params![
            seq_in(handle)?,
            queue.name,
            handle,
            visible,
            call.now
        ])?;
    match changed {
        0 => Err(Fault::MessageNotInflight),
        _ => Ok(json!({})),
    }
}

/// A handle is the message's row and the UUID of one receive.
fn seq_in(handle: &str) -> Result<i64, Fault> {
    handle
        .split_once('-')
        .filter(|(_, uuid)| uuid.len() == UUID_LENGTH)
        .and_then(|(seq, _)| seq.parse().ok())
        .ok_or_else(|| Fault::ReceiptHandleIsInvalid(handle.to_owned()))
}
