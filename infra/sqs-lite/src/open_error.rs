//! Why the queues could not be opened.

use std::error::Error;
use std::fmt::{Display, Formatter, Result};

/// The file could not be opened as a SQLite database, or its tables could not be made.
#[derive(Debug)]
pub struct OpenError(rusqlite::Error);

impl Display for OpenError {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        formatter.write_str("queue store could not be opened")
    }
}

impl Error for OpenError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

impl From<rusqlite::Error> for OpenError {
    fn from(error: rusqlite::Error) -> Self {
        Self(error)
    }
}
