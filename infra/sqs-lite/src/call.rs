//! What an operation works with besides its parameters: one transaction, one moment.

use rusqlite::Connection;

use crate::ids::Ids;
use crate::queue::ACCOUNT;

pub(crate) struct Call<'a> {
    pub(crate) db: &'a Connection,
    pub(crate) host: &'a str,
    pub(crate) ids: &'a Ids,
    /// Milliseconds since 1970; the whole call happens at this moment.
    pub(crate) now: i64,
}

impl Call<'_> {
    pub(crate) fn url(&self, queue_name: &str) -> String {
        format!("http://{}/{ACCOUNT}/{queue_name}", self.host)
    }
}
