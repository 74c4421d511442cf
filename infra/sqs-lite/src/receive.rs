//! One look into a queue, which takes what is there and does not wait.

use rusqlite::params;
use serde_json::Value;

use crate::call::Call;
use crate::dead_letters::DeadLetters;
use crate::fault::Fault;
use crate::input::Input;
use crate::message::{Message, Wanted};
use crate::queue::Queue;
use crate::setting::VISIBILITY;

pub(crate) struct Taken {
    /// Whether messages were moved to another queue, where someone may wait for them.
    pub(crate) buried: bool,
    pub(crate) messages: Vec<Value>,
    /// When the next hidden message shows up, if nothing else happens.
    pub(crate) next_visible: Option<i64>,
}

pub(crate) fn take(call: &Call<'_>, input: Input<'_>) -> Result<Taken, Fault> {
    let queue = Queue::by_url(call.db, input)?;
    let mut room = input.number("MaxNumberOfMessages", &(1..=10))?.unwrap_or(1);
    let hidden = input.number(VISIBILITY.name, &VISIBILITY.range)?;
    let visible = call.now + hidden.unwrap_or_else(|| queue.setting(&VISIBILITY)) * 1000;
    let wanted = Wanted::by(input);
    let dead_letters = DeadLetters::of(call.db, &queue)?;
    drop_expired(call, &queue)?;

    let (mut buried, mut messages, mut after) = (false, Vec::new(), 0);
    while room > 0 {
        let batch = available(call, &queue, after, room)?;
        let Some(last) = batch.last() else { break };
        after = last.seq;
        for message in batch {
            match &dead_letters {
                Some(dead_letters) if dead_letters.claim(&message) => {
                    dead_letters.bury(call, &queue, &message)?;
                    buried = true;
                }
                Some(_) | None => {
                    messages.push(hand_out(call, message, &wanted, visible)?);
                    room -= 1;
                }
            }
        }
    }
    Ok(Taken {
        buried,
        messages,
        next_visible: next_visible(call, &queue)?,
    })
}

fn drop_expired(call: &Call<'_>, queue: &Queue) -> Result<(), Fault> {
    call.db
        .prepare_cached("DELETE FROM messages WHERE queue = ?1 AND expires <= ?2")?
        .execute(params![queue.name, call.now])?;
    Ok(())
}

/// While a message of a group is in flight, the rest of the group has to wait.
fn available(call: &Call<'_>, queue: &Queue, after: i64, most: i64) -> Result<Vec<Message>, Fault> {
    let sql = format!(
        "SELECT {} FROM messages
         WHERE queue = ?1 AND visible <= ?2 AND seq > ?3
            AND (message_group IS NULL OR NOT EXISTS (
                SELECT 1 FROM messages AS busy
                WHERE busy.queue = messages.queue
                    AND busy.message_group = messages.message_group
                    AND busy.receipt IS NOT NULL AND busy.visible > ?2))
         ORDER BY seq LIMIT ?4",
        Message::COLUMNS
    );
    let messages = call
        .db
        .prepare_cached(&sql)?
        .query_map(params![queue.name, call.now, after, most], Message::read)?
        .collect::<rusqlite::Result<_>>()?;
    Ok(messages)
}

fn hand_out(
    call: &Call<'_>,
    message: Message,
    wanted: &Wanted<'_>,
    visible: i64,
) -> Result<Value, Fault> {
    let receipt = format!("{}-{}", message.seq, call.ids.mint());
    call.db
        .prepare_cached(
            "UPDATE messages SET receives = receives + 1,
                first_received = coalesce(first_received, ?2), receipt = ?3, visible = ?4
             WHERE seq = ?1",
        )?
        .execute(params![message.seq, call.now, receipt, visible])?;
    message.hand_out(wanted, &receipt, call.now)
}

fn next_visible(call: &Call<'_>, queue: &Queue) -> Result<Option<i64>, Fault> {
    let next = call
        .db
        .prepare_cached("SELECT min(visible) FROM messages WHERE queue = ?1 AND visible > ?2")?
        .query_row(params![queue.name, call.now], |row| row.get(0))?;
    Ok(next)
}
