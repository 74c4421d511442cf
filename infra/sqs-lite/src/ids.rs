//! Ids of messages, receipts, move tasks and requests: UUIDs that no other run has used.

use std::sync::atomic::{AtomicU64, Ordering};

use md5::{Digest, Md5};
use rusqlite::Connection;

use crate::digest;

pub(crate) struct Ids {
    minted: AtomicU64,
    seed: [u8; 16],
}

impl Ids {
    /// The seed is the operating system's randomness by way of SQLite: neither a clock moved by
    /// hand nor a process id that comes again can repeat it.
    pub(crate) fn seeded_by(db: &Connection) -> rusqlite::Result<Self> {
        let seed = db.query_row("SELECT randomblob(16)", [], |row| row.get(0))?;
        Ok(Self {
            minted: AtomicU64::new(0),
            seed,
        })
    }

    pub(crate) fn mint(&self) -> String {
        let number = self.minted.fetch_add(1, Ordering::Relaxed);
        let digest = Md5::new()
            .chain_update(self.seed)
            .chain_update(number.to_be_bytes())
            .finalize();
        let hex = digest::hex(&digest);
        format!(
            "{}-{}-4{}-a{}-{}",
            &hex[..8],
            &hex[8..12],
            &hex[13..16],
            &hex[17..20],
            &hex[20..]
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_runs_mint_different_ids() -> rusqlite::Result<()> {
        let db = Connection::open_in_memory()?;
        let (first, second) = (Ids::seeded_by(&db)?, Ids::seeded_by(&db)?);
        assert_ne!(first.mint(), second.mint());
        assert_ne!(first.mint(), first.mint());
        assert_eq!(first.mint().len(), 36);
        Ok(())
    }
}
