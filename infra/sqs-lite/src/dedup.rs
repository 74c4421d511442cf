//! FIFO deduplication: what was sent under a key in the last five minutes is not sent again.

use rusqlite::{OptionalExtension, params};

use crate::call::Call;
use crate::digest;
use crate::fault::Fault;
use crate::input::Input;
use crate::queue::Queue;

const WINDOW_MS: i64 = 300_000;

/// The message that took a key first.
pub(crate) struct Earlier {
    pub(crate) id: String,
    pub(crate) seq: i64,
}

pub(crate) fn key(queue: &Queue, input: Input<'_>, body: &str) -> Result<String, Fault> {
    if let Some(key) = input.optional("MessageDeduplicationId") {
        return Ok(key.to_owned());
    }
    if queue.attribute("ContentBasedDeduplication") == Some("true") {
        return Ok(digest::of(body.as_bytes()));
    }
    Err(Fault::invalid(
        "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly",
    ))
}

pub(crate) fn earlier(call: &Call<'_>, queue: &Queue, key: &str) -> Result<Option<Earlier>, Fault> {
    call.db
        .prepare_cached("DELETE FROM deduplications WHERE until < ?1")?
        .execute([call.now])?;
    let earlier = call
        .db
        .prepare_cached("SELECT id, seq FROM deduplications WHERE queue = ?1 AND key = ?2")?
        .query_row([&queue.name, key], |row| {
            Ok(Earlier {
                id: row.get(0)?,
                seq: row.get(1)?,
            })
        })
        .optional()?;
    Ok(earlier)
}

pub(crate) fn remember(
    call: &Call<'_>,
    queue: &Queue,
    key: &str,
    id: &str,
    seq: i64,
) -> Result<(), Fault> {
    call.db
        .prepare_cached(
            "INSERT INTO deduplications (queue, key, id, seq, until) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![queue.name, key, id, seq, call.now + WINDOW_MS])?;
    Ok(())
}
