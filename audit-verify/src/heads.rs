//! Heads: what the portal wrote into another place each time it sealed. They say which checkpoints
//! there must be, whatever the table has become since.

use std::{
    collections::BTreeMap,
    io::{self, BufRead},
};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::seal::Checkpoint;

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
    of_tenants: BTreeMap<String, BTreeMap<u64, Vec<Head>>>,
    /// Whether there are to be any: a file without a single one of this export proves nothing.
    wanted: bool,
}

impl Heads {
    /// Reads a log: JSON lines, whatever stands before the brace. Lines that are no heads are passed over.
    pub fn read(log: impl BufRead) -> io::Result<Self> {
        let mut heads = Self {
            wanted: true,
            ..Self::default()
        };
        for line in log.split(b'\n') {
            let line = line?;
            let Some(start) = line.iter().position(|it| *it == b'{') else {
                continue;
            };
            let Ok(value) = serde_json::from_slice::<Value>(&line[start..]) else {
                continue;
            };
            if value["message"] == HEAD {
                // One that cannot be read would be one that says nothing against the export.
                heads.add(serde_json::from_value(value)?);
            }
        }
        Ok(heads)
    }

    pub fn add(&mut self, head: Head) {
        self.wanted = true;
        let of_tenant = self.of_tenants.entry(head.tenant.clone()).or_default();
        of_tenant.entry(head.number).or_default().push(head);
    }

    pub(crate) fn are_wanted(&self) -> bool {
        self.wanted
    }

    /// Whether what is known of this checkpoint says the same; None if nothing is known of it.
    pub(crate) fn agree(&self, checkpoint: &Checkpoint, digest: &str) -> Option<bool> {
        let known = self.of_tenants.get(&checkpoint.tenant)?;
        let mut known = known.get(&checkpoint.number)?.iter();
        Some(known.all(|it| {
            it.digest == digest && it.total == checkpoint.total && it.key_id == checkpoint.key_id
        }))
    }

    /// The highest number that is known.
    pub(crate) fn latest(&self, tenant: &str) -> Option<u64> {
        self.of_tenants.get(tenant)?.keys().next_back().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_that_cannot_be_read_is_not_passed_over() {
        let other = r#"12:00 {"message":"audit log sealed","number":"x"}"#;
        assert!(Heads::read(other.as_bytes()).is_ok());
        let broken = r#"12:00 {"message":"audit head","tenant":"ten_1","number":"x"}"#;
        assert!(Heads::read(broken.as_bytes()).is_err());
    }
}
