//! The tables. Times are milliseconds since 1970, but for a queue's own two, which are seconds.

use std::path::Path;

use rusqlite::types::Type;
use rusqlite::{Connection, Error, Row};
use serde_json::{Map, Value};

/// A message is in flight while it has a receipt and is not visible; without one it is delayed.
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS queues (
        name TEXT PRIMARY KEY,
        attributes TEXT NOT NULL,
        tags TEXT NOT NULL,
        created INTEGER NOT NULL,
        modified INTEGER NOT NULL
    );
    CREATE TABLE IF NOT EXISTS messages (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        queue TEXT NOT NULL,
        id TEXT NOT NULL,
        body TEXT NOT NULL,
        attributes TEXT NOT NULL,
        system TEXT NOT NULL,
        message_group TEXT,
        sent INTEGER NOT NULL,
        visible INTEGER NOT NULL,
        expires INTEGER NOT NULL,
        receipt TEXT,
        receives INTEGER NOT NULL DEFAULT 0,
        first_received INTEGER,
        source TEXT
    );
    CREATE INDEX IF NOT EXISTS messages_by_visible ON messages (queue, visible, seq);
    CREATE INDEX IF NOT EXISTS messages_by_group ON messages (queue, message_group);
    CREATE TABLE IF NOT EXISTS deduplications (
        queue TEXT NOT NULL,
        key TEXT NOT NULL,
        id TEXT NOT NULL,
        seq INTEGER NOT NULL,
        until INTEGER NOT NULL,
        PRIMARY KEY (queue, key)
    );
    CREATE TABLE IF NOT EXISTS move_tasks (
        handle TEXT PRIMARY KEY,
        source TEXT NOT NULL,
        destination TEXT,
        moved INTEGER NOT NULL,
        started INTEGER NOT NULL
    );
";

/// With a write-ahead log, `NORMAL` loses nothing when the process dies, only when the machine does.
pub(crate) fn open(path: Option<&Path>) -> rusqlite::Result<Connection> {
    let db = match path {
        Some(path) => Connection::open(path)?,
        None => Connection::open_in_memory()?,
    };
    db.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;")?;
    db.execute_batch(SCHEMA)?;
    Ok(db)
}

/// The bodies of a queue's messages that are still kept at a time.
pub(crate) fn bodies(db: &Connection, queue: &str, now: i64) -> rusqlite::Result<Vec<String>> {
    db.prepare_cached("SELECT body FROM messages WHERE queue = ?1 AND expires > ?2 ORDER BY seq")?
        .query_map((queue, now), |row| row.get(0))?
        .collect()
}

/// Reads a column that holds a JSON object.
pub(crate) fn object(row: &Row<'_>, column: usize) -> rusqlite::Result<Map<String, Value>> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text)
        .map_err(|error| Error::FromSqlConversionFailure(column, Type::Text, Box::new(error)))
}

pub(crate) fn json(object: &Map<String, Value>) -> String {
    Value::Object(object.clone()).to_string()
}
