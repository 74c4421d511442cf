//! The tags of a queue.

use rusqlite::params;
use serde_json::{Map, Value, json};

use crate::call::Call;
use crate::fault::Fault;
use crate::input::Input;
use crate::queue::Queue;
use crate::store;

pub(crate) fn list(call: &Call<'_>, input: Input<'_>) -> Result<Value, Fault> {
    let queue = Queue::by_url(call.db, input)?;
    Ok(json!({"Tags": read(call, &queue)?}))
}

pub(crate) fn add(call: &Call<'_>, input: Input<'_>) -> Result<Value, Fault> {
    change(call, input, |tags| tags.extend(input.object("Tags")))
}

pub(crate) fn remove(call: &Call<'_>, input: Input<'_>) -> Result<Value, Fault> {
    change(call, input, |tags| {
        for key in input.texts("TagKeys") {
            tags.remove(key);
        }
    })
}

fn change(
    call: &Call<'_>,
    input: Input<'_>,
    edit: impl FnOnce(&mut Map<String, Value>),
) -> Result<Value, Fault> {
    let queue = Queue::by_url(call.db, input)?;
    let mut tags = read(call, &queue)?;
    edit(&mut tags);
    call.db.execute(
        "UPDATE queues SET tags = ?2 WHERE name = ?1",
        params![queue.name, store::json(&tags)],
    )?;
    Ok(json!({}))
}

fn read(call: &Call<'_>, queue: &Queue) -> Result<Map<String, Value>, Fault> {
    let tags = call
        .db
        .prepare_cached("SELECT tags FROM queues WHERE name = ?1")?
        .query_row([&queue.name], |row| store::object(row, 0))?;
    Ok(tags)
}
