//! Heads: what the portal wrote into another place each time it sealed. They say which checkpoints
//! there must be, whatever the table has become since.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, BufRead},
};

use serde::{Deserialize, Serialize};

/// The message of the log lines that are heads.
pub const HEAD: &str = "audit head";

/// One of them, as it stands in the log among its other fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    pub message: String,
    pub tenant: String,
    pub number: u64,
    /// SHA-256 of the checkpoint's line.
    pub digest: String,
    pub total: u64,
    pub key_id: String,
}

/// All that are known.
#[derive(Debug, Default)]
pub struct Heads {
    digests: BTreeMap<String, BTreeMap<u64, BTreeSet<String>>>,
}

impl Heads {
    /// Reads a log: JSON lines, whatever stands before the brace. Lines that are no heads are passed over.
    pub fn read(log: impl BufRead) -> io::Result<Self> {
        let mut heads = Self::default();
        for line in log.split(b'\n') {
            let line = line?;
            let Some(start) = line.iter().position(|it| *it == b'{') else {
                continue;
            };
            let head: Result<Head, _> = serde_json::from_slice(&line[start..]);
            if let Ok(head) = head
                && head.message == HEAD
            {
                heads.add(head);
            }
        }
        Ok(heads)
    }

    pub fn add(&mut self, head: Head) {
        let of_tenant = self.digests.entry(head.tenant).or_default();
        of_tenant
            .entry(head.number)
            .or_default()
            .insert(head.digest);
    }

    pub fn is_empty(&self) -> bool {
        self.digests.is_empty()
    }

    /// Whether nothing that is known of this checkpoint says otherwise.
    pub(crate) fn agree(&self, tenant: &str, number: u64, digest: &str) -> bool {
        let known = self.digests.get(tenant).and_then(|it| it.get(&number));
        known.is_none_or(|known| known.iter().all(|it| it == digest))
    }

    /// The highest number that is known.
    pub(crate) fn latest(&self, tenant: &str) -> Option<u64> {
        self.digests.get(tenant)?.keys().next_back().copied()
    }

    /// How many are known of this tenant.
    pub(crate) fn count(&self, tenant: &str) -> usize {
        self.digests.get(tenant).map_or(0, BTreeMap::len)
    }
}
