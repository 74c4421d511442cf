//! Sending, one by one and in batches.

use rusqlite::params;
use serde_json::{Map, Value, json};

use crate::call::Call;
use crate::fault::Fault;
use crate::input::Input;
use crate::queue::Queue;
use crate::setting::{DELAY, MAX_BYTES, RETENTION, SIZE};
use crate::user_attributes::UserAttributes;
use crate::{batch, dedup, digest, store};

pub(crate) fn one(call: &Call<'_>, input: Input<'_>) -> Result<Value, Fault> {
    let queue = Queue::by_url(call.db, input)?;
    enqueue(call, &queue, input)
}

pub(crate) fn many(call: &Call<'_>, input: Input<'_>) -> Result<Value, Fault> {
    let queue = Queue::by_url(call.db, input)?;
    let entries = input.entries();
    let bytes = entries
        .iter()
        .filter_map(|entry| entry.optional("MessageBody"))
        .map(str::len)
        .sum();
    if bytes > MAX_BYTES {
        return Err(Fault::BatchRequestTooLong { bytes });
    }
    batch::each(input, |entry| enqueue(call, &queue, entry))
}

fn enqueue(call: &Call<'_>, queue: &Queue, input: Input<'_>) -> Result<Value, Fault> {
    let attributes = input.object("MessageAttributes");
    let parsed = UserAttributes::parse(&attributes)?;
    let body = checked_body(queue, input, &parsed)?;
    let group = input.optional("MessageGroupId");
    let key = fifo_key(queue, input, body, group)?;
    if let Some(key) = &key
        && let Some(earlier) = dedup::earlier(call, queue, key)?
    {
        return Ok(sent(&earlier.id, body, &parsed, Some(earlier.seq)));
    }
    let id = call.ids.mint();
    call.db
        .prepare_cached(
            "INSERT INTO messages
                (queue, id, body, attributes, system, message_group, sent, visible, expires)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            queue.name,
            id,
            body,
            store::json(&attributes),
            store::json(&system_attributes(input, group, key.as_deref())),
            group.filter(|_| queue.is_fifo()),
            call.now,
            call.now + delay(queue, input)? * 1000,
            call.now + queue.setting(&RETENTION) * 1000,
        ])?;
    let seq = call.db.last_insert_rowid();
    if let Some(key) = &key {
        dedup::remember(call, queue, key, &id, seq)?;
    }
    Ok(sent(&id, body, &parsed, key.map(|_| seq)))
}

fn checked_body<'a>(
    queue: &Queue,
    input: Input<'a>,
    attributes: &UserAttributes,
) -> Result<&'a str, Fault> {
    let body = input.text("MessageBody")?;
    if body.is_empty() {
        return Err(Fault::MissingParameter("MessageBody"));
    }
    if !body.chars().all(is_allowed) {
        return Err(Fault::InvalidMessageContents);
    }
    let limit = queue.setting(&SIZE);
    let bytes = body.len() + attributes.bytes();
    if i64::try_from(bytes).is_ok_and(|bytes| bytes <= limit) {
        return Ok(body);
    }
    Err(Fault::InvalidParameterValue(format!(
        "One or more parameters are invalid. Reason: Message must be shorter than {limit} bytes."
    )))
}

/// The characters of XML 1.0, which SQS once spoke.
fn is_allowed(it: char) -> bool {
    matches!(it, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..)
}

/// A FIFO queue delays all its messages alike, or they would overtake each other.
fn delay(queue: &Queue, input: Input<'_>) -> Result<i64, Fault> {
    let own = queue.setting(&DELAY);
    if queue.is_fifo() {
        return Ok(own);
    }
    Ok(input.number(DELAY.name, &DELAY.range)?.unwrap_or(own))
}

fn fifo_key(
    queue: &Queue,
    input: Input<'_>,
    body: &str,
    group: Option<&str>,
) -> Result<Option<String>, Fault> {
    if !queue.is_fifo() {
        return Ok(None);
    }
    if group.is_none() {
        return Err(Fault::MissingParameter("MessageGroupId"));
    }
    dedup::key(queue, input, body).map(Some)
}

fn system_attributes(
    input: Input<'_>,
    group: Option<&str>,
    key: Option<&str>,
) -> Map<String, Value> {
    let trace = &input.value("MessageSystemAttributes")["AWSTraceHeader"]["StringValue"];
    [
        ("AWSTraceHeader", trace.as_str()),
        ("MessageDeduplicationId", key),
        ("MessageGroupId", group),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name.to_owned(), value?.into())))
    .collect()
}

fn sent(id: &str, body: &str, attributes: &UserAttributes, seq: Option<i64>) -> Value {
    let mut sent = json!({"MessageId": id, "MD5OfMessageBody": digest::of(body.as_bytes())});
    if let Some(digest) = attributes.digest() {
        sent["MD5OfMessageAttributes"] = digest.into();
    }
    if let Some(seq) = seq {
        sent["SequenceNumber"] = format!("{seq:020}").into();
    }
    sent
}
