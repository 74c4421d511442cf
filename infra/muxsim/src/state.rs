//! The stand-in's memory: documents in SQLite. Every step is one transaction, so that a SIGKILL
//! leaves either all of it or nothing.

use std::{
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde::{Serialize, de::DeserializeOwned};

/// The state could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    #[error("sqlite failed")]
    Sqlite(#[from] rusqlite::Error),
    #[error("a document does not encode or decode")]
    Json(#[from] serde_json::Error),
}

/// The kinds of documents.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Upload,
    Asset,
    /// What is left of a deleted asset: its delivery is still reported.
    DeletedAsset,
    Playback,
    Restriction,
    SigningKey,
    Webhook,
    /// What happened, as endpoints are told of it.
    Event,
    /// One event on its way to one endpoint.
    Delivery,
    /// What was delivered to viewers, by the hour.
    Usage,
    /// Which fault struck what.
    Mishap,
    /// What the stand-in keeps for itself.
    Own,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Upload => "upload",
            Self::Asset => "asset",
            Self::DeletedAsset => "deleted-asset",
            Self::Playback => "playback",
            Self::Restriction => "restriction",
            Self::SigningKey => "signing-key",
            Self::Webhook => "webhook",
            Self::Event => "event",
            Self::Delivery => "delivery",
            Self::Usage => "usage",
            Self::Mishap => "mishap",
            Self::Own => "own",
        }
    }
}

/// One connection behind a lock: the stand-in serves one developer.
pub(crate) struct State(Mutex<Connection>);

impl State {
    pub(crate) fn open(path: &Path) -> Result<Self, StateError> {
        let connection = Connection::open(path)?;
        connection.execute_batch(
            "PRAGMA journal_mode = WAL;
             PRAGMA synchronous = NORMAL;
             CREATE TABLE IF NOT EXISTS document(
               seq INTEGER PRIMARY KEY AUTOINCREMENT,
               kind TEXT NOT NULL,
               id TEXT NOT NULL,
               body TEXT NOT NULL,
               UNIQUE(kind, id));
             CREATE INDEX IF NOT EXISTS in_order ON document(kind, seq);",
        )?;
        Ok(Self(Mutex::new(connection)))
    }

    pub(crate) fn get<T: DeserializeOwned>(
        &self,
        kind: Kind,
        id: &str,
    ) -> Result<Option<T>, StateError> {
        self.step(|step| step.get(kind, id))
    }

    /// All of a kind, oldest first.
    pub(crate) fn all<T: DeserializeOwned>(
        &self,
        kind: Kind,
    ) -> Result<Vec<(String, T)>, StateError> {
        self.step(|step| step.all(kind))
    }

    /// What came after a place in the order of all documents, oldest first, with the place of each.
    pub(crate) fn after<T: DeserializeOwned>(
        &self,
        kind: Kind,
        place: i64,
    ) -> Result<Vec<(i64, T)>, StateError> {
        let connection = self.lock();
        let mut query = connection.prepare_cached(
            "SELECT seq, body FROM document WHERE kind = ?1 AND seq > ?2 ORDER BY seq",
        )?;
        let rows = query.query_map(params![kind.name(), place], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))
        })?;
        rows.map(|row| {
            let (place, body) = row?;
            Ok((place, serde_json::from_str(&body)?))
        })
        .collect()
    }

    /// The place of the newest document.
    pub(crate) fn place(&self) -> Result<i64, StateError> {
        let newest = "SELECT COALESCE(MAX(seq), 0) FROM document";
        Ok(self.lock().query_row(newest, [], |row| row.get(0))?)
    }

    /// Does all of it or nothing.
    pub(crate) fn step<T, E: From<StateError>>(
        &self,
        work: impl FnOnce(&Step<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut connection = self.lock();
        let step = Step(connection.transaction().map_err(StateError::from)?);
        let done = work(&step)?;
        step.0.commit().map_err(StateError::from)?;
        Ok(done)
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One transaction.
pub(crate) struct Step<'a>(Transaction<'a>);

impl Step<'_> {
    pub(crate) fn get<T: DeserializeOwned>(
        &self,
        kind: Kind,
        id: &str,
    ) -> Result<Option<T>, StateError> {
        let body: Option<String> = self
            .0
            .prepare_cached("SELECT body FROM document WHERE kind = ?1 AND id = ?2")?
            .query_row(params![kind.name(), id], |row| row.get(0))
            .optional()?;
        Ok(body.map(|body| serde_json::from_str(&body)).transpose()?)
    }

    /// All of a kind, oldest first.
    pub(crate) fn all<T: DeserializeOwned>(
        &self,
        kind: Kind,
    ) -> Result<Vec<(String, T)>, StateError> {
        let mut query = self
            .0
            .prepare_cached("SELECT id, body FROM document WHERE kind = ?1 ORDER BY seq")?;
        let rows = query.query_map([kind.name()], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
        })?;
        rows.map(|row| {
            let (id, body) = row?;
            Ok((id, serde_json::from_str(&body)?))
        })
        .collect()
    }

    /// Forgets all of a kind but the newest.
    pub(crate) fn keep(&self, kind: Kind, newest: u32) -> Result<(), StateError> {
        self.0
            .prepare_cached(
                "DELETE FROM document WHERE kind = ?1 AND seq <= (SELECT seq FROM document
                 WHERE kind = ?1 ORDER BY seq DESC LIMIT 1 OFFSET ?2)",
            )?
            .execute(params![kind.name(), newest])?;
        Ok(())
    }

    pub(crate) fn put<T: Serialize>(
        &self,
        kind: Kind,
        id: &str,
        document: &T,
    ) -> Result<(), StateError> {
        let body = serde_json::to_string(document)?;
        self.0
            .prepare_cached(
                "INSERT INTO document(kind, id, body) VALUES(?1, ?2, ?3)
                 ON CONFLICT(kind, id) DO UPDATE SET body = excluded.body",
            )?
            .execute(params![kind.name(), id, body])?;
        Ok(())
    }

    pub(crate) fn delete(&self, kind: Kind, id: &str) -> Result<(), StateError> {
        self.0
            .prepare_cached("DELETE FROM document WHERE kind = ?1 AND id = ?2")?
            .execute(params![kind.name(), id])?;
        Ok(())
    }
}
