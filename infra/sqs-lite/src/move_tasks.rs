//! Moving dead letters back to where they came from, or to another queue.

use rusqlite::params;
use serde_json::{Value, json};

use crate::call::Call;
use crate::dead_letters;
use crate::fault::Fault;
use crate::input::Input;
use crate::queue::{Queue, arn_prefix};

/// A task is done before its start is answered, so there is never one to cancel.
///
/// A message that does not know its source, or whose source is gone, goes to the oldest queue
/// that names this one as its dead-letter queue.
pub(crate) fn start(call: &Call<'_>, input: Input<'_>) -> Result<Value, Fault> {
    let source = Queue::by_arn(call.db, input.text("SourceArn")?)?;
    let destination = input
        .optional("DestinationArn")
        .map(|arn| Queue::by_arn(call.db, arn))
        .transpose()?;
    let sources = dead_letters::sources(call.db, &source)?;
    if destination.is_none() && sources.is_empty() {
        return Err(Fault::invalid(
            "Source queue must be configured as a Dead Letter Queue.",
        ));
    }
    let moved = call.db.execute(
        "UPDATE messages SET
            queue = coalesce(
                ?2, (SELECT name FROM queues WHERE ?3 || name = messages.source), ?4, queue),
            receives = 0, first_received = NULL, receipt = NULL, visible = ?5, source = NULL
         WHERE queue = ?1 AND visible <= ?5",
        params![
            source.name,
            destination.as_ref().map(|queue| &queue.name),
            arn_prefix(),
            sources.first().map(|queue| &queue.name),
            call.now,
        ],
    )?;
    let handle = call.ids.mint();
    call.db.execute(
        "INSERT INTO move_tasks (handle, source, destination, moved, started)
         VALUES (?1, ?2, ?3, ?4, ?5)",
        params![
            handle,
            source.arn(),
            destination.map(|queue| queue.arn()),
            moved,
            call.now,
        ],
    )?;
    Ok(json!({"TaskHandle": handle}))
}

pub(crate) fn list(call: &Call<'_>, input: Input<'_>) -> Result<Value, Fault> {
    let source = input.text("SourceArn")?;
    let most = input.number("MaxResults", &(1..=10))?.unwrap_or(1);
    let tasks: Vec<Value> = call
        .db
        .prepare_cached(
            "SELECT destination, moved, started FROM move_tasks WHERE source = ?1
             ORDER BY started DESC, rowid DESC LIMIT ?2",
        )?
        .query_map(params![source, most], |row| {
            let moved: i64 = row.get(1)?;
            Ok(json!({
                "SourceArn": source,
                "DestinationArn": row.get::<_, Option<String>>(0)?,
                "ApproximateNumberOfMessagesMoved": moved,
                "ApproximateNumberOfMessagesToMove": moved,
                "StartedTimestamp": row.get::<_, i64>(2)?,
                "Status": "COMPLETED",
            }))
        })?
        .collect::<rusqlite::Result<_>>()?;
    Ok(json!({"Results": tasks}))
}
