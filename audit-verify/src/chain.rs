//! Whether a checkpoint comes right after the one before, and whether a page is what its end says.

use crate::{
    compare::Damage,
    seal::{Checkpoint, End, ZEROS},
    times,
};

/// The checkpoint that was read last.
pub(crate) struct Last {
    pub(crate) number: u64,
    pub(crate) total: u64,
    pub(crate) digest: String,
}

/// What is wrong, and in words.
type Fault = (Damage, String);

/// Whether it comes right after the one before. A part may begin anywhere.
pub(crate) fn follows(
    last: Option<&Last>,
    checkpoint: &Checkpoint,
    digest: &str,
    part: bool,
) -> Result<(), Fault> {
    let number = checkpoint.number;
    let Some(last) = last else {
        return begins(checkpoint, part);
    };
    let before = last.number;
    let fault = if number == before && digest == last.digest {
        let what = format!("checkpoint {number} stands here a second time");
        (Damage::Inserted, what)
    } else if number == before {
        (
            Damage::Forked,
            format!("there are two checkpoints {number}"),
        )
    } else if number < before {
        let what = format!("checkpoint {number} comes after {before}");
        (Damage::Reordered, what)
    } else if number > before + 1 {
        let what = format!("checkpoint {number} comes after {before}");
        (Damage::Gap, what)
    } else if checkpoint.previous != last.digest {
        let what = format!("checkpoint {number} goes on from another checkpoint {before}");
        (Damage::Forked, what)
    } else if checkpoint.total != last.total + checkpoint.entries {
        (
            Damage::Edited,
            format!("checkpoint {number} counts otherwise"),
        )
    } else {
        return Ok(());
    };
    Err(fault)
}

fn begins(checkpoint: &Checkpoint, part: bool) -> Result<(), Fault> {
    let number = checkpoint.number;
    if number > 1 && part {
        return Ok(());
    }
    if number > 1 {
        let what = format!("it begins with checkpoint {number}: those before are missing");
        return Err((Damage::Gap, what));
    }
    if checkpoint.previous != ZEROS || checkpoint.total != checkpoint.entries {
        let what = "checkpoint 1 says that others precede it".to_owned();
        return Err((Damage::Forked, what));
    }
    Ok(())
}

/// What was read of a page, and before it.
pub(crate) struct Page<'a> {
    pub(crate) last: Option<&'a Last>,
    /// The end of the page before.
    pub(crate) before: Option<&'a End>,
    /// The checkpoint before the first one of the file; None if that is not known.
    pub(crate) begins: Option<u64>,
    pub(crate) entries: u64,
}

/// Whether the page is what its end says.
pub(crate) fn ends(end: &End, page: &Page<'_>) -> Result<(), Fault> {
    let after = page.before.map(|it| it.last).or(page.begins);
    if let Some(after) = after.filter(|it| end.after != *it) {
        let damage = if end.after > after {
            Damage::Deleted
        } else {
            Damage::Inserted
        };
        let what = format!("the page of this end began after checkpoint {}", end.after);
        return Err((damage, what));
    }
    let last = page.last.map_or(end.after, |it| it.number);
    let total = page.last.map_or(end.total, |it| it.total);
    if end.last < last || end.entries != page.entries || end.total != total {
        let what = "the page held less when it was given out".to_owned();
        return Err((Damage::Inserted, what));
    }
    if page.last.is_some_and(|it| it.digest != end.head) {
        let what = format!("the page ended with another checkpoint {last}");
        return Err((Damage::Forked, what));
    }
    if let Some(before) = page.before {
        if end.latest < before.latest {
            let what = format!(
                "there were checkpoints up to {} when the page before was given out, and up to {} then",
                before.latest, end.latest
            );
            return Err((Damage::Reordered, what));
        }
        if times::is_before(&end.at, &before.at) {
            let what = format!("the page before was given out later, at {}", before.at);
            return Err((Damage::Reordered, what));
        }
    }
    Ok(())
}
