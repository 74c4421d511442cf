//! The operations on queues as such: create, find, list, change, empty, delete.

use rusqlite::params;
use serde_json::{Map, Value, json};

use crate::call::Call;
use crate::fault::Fault;
use crate::input::Input;
use crate::queue::{Queue, check_attributes, check_name};
use crate::setting::REPORTED;
use crate::store;

pub(crate) fn create(call: &Call<'_>, input: Input<'_>) -> Result<Value, Fault> {
    let name = input.text("QueueName")?;
    check_name(name)?;
    let attributes = input.object("Attributes");
    check_attributes(call.db, &attributes)?;
    match Queue::find(call.db, name)? {
        Some(queue) => check_same(&queue, &attributes)?,
        None => {
            call.db.execute(
                "INSERT INTO queues (name, attributes, tags, created, modified)
                 VALUES (?1, ?2, ?3, ?4, ?4)",
                params![
                    name,
                    store::json(&attributes),
                    store::json(&input.object("tags")),
                    call.now / 1000
                ],
            )?;
        }
    }
    Ok(json!({"QueueUrl": call.url(name)}))
}

/// Creating a queue again is no fault unless it asks for something else.
fn check_same(queue: &Queue, attributes: &Map<String, Value>) -> Result<(), Fault> {
    let differs = |(name, value): &(&String, &Value)| {
        queue.attributes.get(*name).is_some_and(|it| it != *value)
    };
    match attributes.iter().find(differs) {
        Some((attribute, _)) => Err(Fault::QueueNameExists {
            attribute: attribute.clone(),
        }),
        None => Ok(()),
    }
}

pub(crate) fn url(call: &Call<'_>, input: Input<'_>) -> Result<Value, Fault> {
    let queue = Queue::named(call.db, input.text("QueueName")?)?;
    Ok(json!({"QueueUrl": call.url(&queue.name)}))
}

pub(crate) fn list(call: &Call<'_>, input: Input<'_>) -> Result<Value, Fault> {
    let prefix = input.optional("QueueNamePrefix").unwrap_or_default();
    let urls: Vec<String> = call
        .db
        .prepare_cached(
            "SELECT name FROM queues WHERE substr(name, 1, length(?1)) = ?1
             ORDER BY name LIMIT 1000",
        )?
        .query_map([prefix], |row| row.get::<_, String>(0))?
        .map(|name| name.map(|name| call.url(&name)))
        .collect::<rusqlite::Result<_>>()?;
    Ok(json!({"QueueUrls": urls}))
}

/// What was deduplicated goes too, or a queue of the same name would swallow its first messages.
pub(crate) fn delete(call: &Call<'_>, input: Input<'_>) -> Result<Value, Fault> {
    let queue = Queue::by_url(call.db, input)?;
    for sql in [
        "DELETE FROM messages WHERE queue = ?1",
        "DELETE FROM deduplications WHERE queue = ?1",
        "DELETE FROM queues WHERE name = ?1",
    ] {
        call.db.execute(sql, [&queue.name])?;
    }
    Ok(json!({}))
}

pub(crate) fn purge(call: &Call<'_>, input: Input<'_>) -> Result<Value, Fault> {
    let queue = Queue::by_url(call.db, input)?;
    call.db
        .execute("DELETE FROM messages WHERE queue = ?1", [&queue.name])?;
    Ok(json!({}))
}

pub(crate) fn set_attributes(call: &Call<'_>, input: Input<'_>) -> Result<Value, Fault> {
    let mut queue = Queue::by_url(call.db, input)?;
    let attributes = input.object("Attributes");
    check_attributes(call.db, &attributes)?;
    for (name, value) in attributes {
        if value.as_str() == Some("") {
            queue.attributes.remove(&name);
        } else {
            queue.attributes.insert(name, value);
        }
    }
    call.db.execute(
        "UPDATE queues SET attributes = ?2, modified = ?3 WHERE name = ?1",
        params![queue.name, store::json(&queue.attributes), call.now / 1000],
    )?;
    Ok(json!({}))
}

pub(crate) fn attributes(call: &Call<'_>, input: Input<'_>) -> Result<Value, Fault> {
    let queue = Queue::by_url(call.db, input)?;
    let mut attributes = queue.attributes.clone();
    for setting in REPORTED {
        attributes
            .entry(setting.name)
            .or_insert_with(|| setting.default.to_string().into());
    }
    attributes
        .entry("SqsManagedSseEnabled")
        .or_insert_with(|| "true".into());
    attributes.insert("QueueArn".to_owned(), queue.arn().into());
    for (name, number) in dates(call, &queue)?
        .into_iter()
        .chain(counts(call, &queue)?)
    {
        attributes.insert(name.to_owned(), number.to_string().into());
    }
    let wanted: Vec<&str> = input.texts("AttributeNames").collect();
    if !wanted.contains(&"All") {
        attributes.retain(|name, _| wanted.contains(&name.as_str()));
    }
    Ok(json!({"Attributes": attributes}))
}

fn dates(call: &Call<'_>, queue: &Queue) -> Result<[(&'static str, i64); 2], Fault> {
    let dates = call
        .db
        .prepare_cached("SELECT created, modified FROM queues WHERE name = ?1")?
        .query_row([&queue.name], |row| {
            Ok([
                ("CreatedTimestamp", row.get(0)?),
                ("LastModifiedTimestamp", row.get(1)?),
            ])
        })?;
    Ok(dates)
}

fn counts(call: &Call<'_>, queue: &Queue) -> Result<[(&'static str, i64); 3], Fault> {
    let counts = call
        .db
        .prepare_cached(
            "SELECT count(*) FILTER (WHERE visible <= ?2),
                    count(*) FILTER (WHERE visible > ?2 AND receipt IS NOT NULL),
                    count(*) FILTER (WHERE visible > ?2 AND receipt IS NULL)
             FROM messages WHERE queue = ?1 AND expires > ?2",
        )?
        .query_row(params![queue.name, call.now], |row| {
            Ok([
                ("ApproximateNumberOfMessages", row.get(0)?),
                ("ApproximateNumberOfMessagesNotVisible", row.get(1)?),
                ("ApproximateNumberOfMessagesDelayed", row.get(2)?),
            ])
        })?;
    Ok(counts)
}
