//! The entries of a file against those that a checkpoint sealed: what is the first that differs, and
//! how.

use std::fmt;

use serde::Serialize;

use crate::{
    line::Entry,
    merkle::{Hash, leaf_hash},
    seal::Checkpoint,
};

/// The kinds of damage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Damage {
    /// A line is not what it was.
    Edited,
    /// An entry or a line is missing.
    Deleted,
    /// An entry or a line was not there.
    Inserted,
    /// Lines have changed places.
    Reordered,
    /// The end of the file is missing.
    Truncated,
    /// There are two histories.
    Forked,
    /// A signature does not hold, or is of a key that is not trusted.
    BadSignature,
    /// Checkpoints are missing between two others, or before the first.
    Gap,
    /// A personal field is not the one that was committed to.
    Commitment,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Edited => "edited",
            Self::Deleted => "deleted",
            Self::Inserted => "inserted",
            Self::Reordered => "reordered",
            Self::Truncated => "truncated",
            Self::Forked => "forked",
            Self::BadSignature => "bad signature",
            Self::Gap => "gap between checkpoints",
            Self::Commitment => "personal field does not match its commitment",
        })
    }
}

/// An entry that waits for its checkpoint.
pub(crate) struct Pending {
    pub(crate) line: u64,
    pub(crate) entry: Entry,
}

/// The first difference: its kind, its line and the id that it is about. `line` is the checkpoint's.
pub(crate) fn difference(
    pending: &[Pending],
    checkpoint: &Checkpoint,
    leaves: &[Hash],
    line: u64,
) -> Option<(Damage, u64, String)> {
    let place = (0..pending.len().max(leaves.len())).find(|&place| {
        let found = pending.get(place).map(|it| (&it.entry.id, it.entry.leaf));
        let sealed = checkpoint.ids.get(place).zip(leaves.get(place).copied());
        found != sealed
    })?;
    let sealed_id = checkpoint.ids.get(place);
    let Some(found) = pending.get(place) else {
        return Some((Damage::Deleted, line, sealed_id?.clone()));
    };
    let id = &found.entry.id;
    let here = |damage, id: &String| Some((damage, found.line, id.clone()));
    let Some(sealed_id) = sealed_id else {
        return here(Damage::Inserted, id);
    };
    if id == sealed_id {
        return here(Damage::Edited, id);
    }
    if pending[..place].iter().any(|it| it.entry.id == *id) {
        return here(Damage::Inserted, id);
    }
    let sealed_comes = pending[place..].iter().any(|it| it.entry.id == *sealed_id);
    let found_is_sealed = checkpoint.ids[place..].contains(id);
    match (found_is_sealed, sealed_comes) {
        (true, true) => here(Damage::Reordered, id),
        (true, false) => here(Damage::Deleted, sealed_id),
        (false, false) if renamed(&found.entry, sealed_id) == leaves[place] => {
            here(Damage::Edited, sealed_id)
        }
        (false, _) => here(Damage::Inserted, id),
    }
}

/// The leaf that the entry would have if its id were this one.
fn renamed(entry: &Entry, id: &str) -> Hash {
    let text = String::from_utf8_lossy(&entry.digested);
    let member = |id: &str| format!("\"id\":{}", serde_json::Value::from(id));
    // Its own id comes after those of its actor and its data.
    let restored = match text.rfind(&member(&entry.id)) {
        Some(at) => {
            let (head, tail) = text.split_at(at);
            head.to_owned() + &tail.replacen(&member(&entry.id), &member(id), 1)
        }
        None => text.into_owned(),
    };
    leaf_hash(restored.as_bytes())
}
