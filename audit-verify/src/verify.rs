//! The check of an export, line by line: what waits for its checkpoint is all that is kept, and of
//! what was sealed a short name of each entry.

use std::collections::HashSet;

use sha2::{Digest, Sha256};

use crate::{
    chain::{self, Last, Page},
    compare::{Damage, Pending, difference},
    entry::broken_commitment,
    erasures::Erasures,
    heads::Heads,
    keys::KeyRing,
    line::{Entry, Line},
    merkle::Hash,
    outcome::{Finding, Outcome, Verified},
    reading::{begins_as_export, id_in},
    seal::{Checkpoint, End, Signed},
};

/// More entries or bytes than this without a checkpoint are none of the portal's.
const WAITING_MAX: usize = 20_000;
const WAITING_BYTES: usize = 64 * 1024 * 1024;

/// No line is longer.
pub(crate) const LINE_MAX: usize = 16 * 1024 * 1024;

const FOREIGN: &str = "it belongs to another organisation";

/// A check under way.
pub struct Verifier<'a> {
    keys: &'a KeyRing,
    heads: &'a Heads,
    part: bool,
    line: u64,
    /// A line that was not understood, before any that was.
    strange: Option<Finding>,
    /// Whether the first line is at least the beginning of one.
    begins_well: bool,
    /// A line that is wrong, while what stands before it still waits to be compared.
    suspect: Option<Finding>,
    waiting: Vec<Pending>,
    /// How many bytes those are.
    held: usize,
    /// The beginnings of digests of all ids so far.
    known: HashSet<[u8; 16]>,
    last: Option<Last>,
    /// The end line that was read last.
    end: Option<End>,
    /// Whether it is the last line so far.
    ended: bool,
    /// Entries since then.
    in_page: u64,
    erasures: Erasures,
    done: Verified,
}

impl<'a> Verifier<'a> {
    pub fn new(keys: &'a KeyRing, heads: &'a Heads, part: bool) -> Self {
        Self {
            keys,
            heads,
            part,
            line: 0,
            strange: None,
            begins_well: false,
            suspect: None,
            waiting: Vec::new(),
            held: 0,
            known: HashSet::new(),
            last: None,
            end: None,
            ended: false,
            in_page: 0,
            erasures: Erasures::default(),
            done: Verified::default(),
        }
    }

    /// Checks the next line, with its end.
    pub fn push(&mut self, line: &[u8]) -> Result<(), Finding> {
        self.line += 1;
        let Some(text) = line.strip_suffix(b"\n") else {
            if line.len() >= LINE_MAX {
                return self.strange(Damage::Edited, line, "this line is too long");
            }
            return self.strange(Damage::Truncated, line, "the file ends within this line");
        };
        let Some(read) = Line::parse(text) else {
            return self.strange(Damage::Edited, text, "this line is not of an export");
        };
        if let Some(finding) = self.strange.take() {
            return Err(finding);
        }
        self.ended = false;
        match read {
            Line::Entry(entry) => self.entry(*entry, text.len()),
            Line::Checkpoint(signed) => self.checkpoint(&signed),
            Line::End(signed) => self.page_end(signed.as_ref()),
        }
    }

    /// Until one line was understood, the file may as well be something else altogether.
    fn strange(&mut self, damage: Damage, text: &[u8], what: &str) -> Result<(), Finding> {
        let finding = Finding {
            damage,
            line: self.line,
            id: id_in(text),
            what: what.to_owned(),
        };
        if self.done.lines > 0 {
            return self.suspect(finding);
        }
        self.begins_well |= self.line == 1 && begins_as_export(text);
        self.strange.get_or_insert(finding);
        Ok(())
    }

    fn found<T>(
        &self,
        damage: Damage,
        id: Option<String>,
        what: impl Into<String>,
    ) -> Result<T, Finding> {
        Err(Finding {
            damage,
            line: self.line,
            id,
            what: what.into(),
        })
    }

    /// Keeps the first of them until what stands before it is compared.
    fn suspect(&mut self, finding: Finding) -> Result<(), Finding> {
        self.done.lines = self.line;
        if self.waiting.is_empty() && self.suspect.is_none() {
            return Err(finding);
        }
        self.suspect.get_or_insert(finding);
        Ok(())
    }

    /// Everything is of one tenant.
    fn of_tenant(&mut self, tenant: &str) -> Result<(), Finding> {
        if self.done.tenant.is_empty() {
            tenant.clone_into(&mut self.done.tenant);
        }
        if self.done.tenant == tenant {
            return Ok(());
        }
        self.found(Damage::Inserted, None, FOREIGN)
    }

    fn entry(&mut self, entry: Entry, bytes: usize) -> Result<(), Finding> {
        self.done.lines = self.line;
        if let Some(field) = broken_commitment(&entry.members) {
            self.suspect(Finding {
                damage: Damage::Commitment,
                line: self.line,
                id: Some(entry.id.clone()),
                what: format!("its field {field} is not the one that was committed to"),
            })?;
        }
        self.held += bytes;
        self.waiting.push(Pending {
            line: self.line,
            entry,
        });
        if self.waiting.len() <= WAITING_MAX && self.held <= WAITING_BYTES {
            return Ok(());
        }
        if let Some(suspect) = self.suspect.take() {
            return Err(suspect);
        }
        let what = "no checkpoint seals all these entries";
        self.found(Damage::Deleted, None, what)
    }

    fn checkpoint(&mut self, signed: &Signed<Checkpoint>) -> Result<(), Finding> {
        self.done.lines = self.line;
        let digest = signed.digest().unwrap_or_default();
        let sound = self.sound(signed, &digest);
        let suspect = self.suspect.take();
        let leaves = match sound {
            Ok(leaves) => leaves,
            Err(finding) => return Err(suspect.unwrap_or(finding)),
        };
        let checkpoint = &signed.body;
        let different = self.different(checkpoint, &leaves);
        let earlier = |it: &Finding| suspect.as_ref().is_none_or(|of| it.line < of.line);
        if let Some(finding) = different.filter(earlier).or(suspect) {
            return Err(finding);
        }
        self.alone(checkpoint)?;
        let number = checkpoint.number;
        self.erasures.sealed(checkpoint, &self.waiting);
        self.done.entries += checkpoint.entries;
        self.in_page += checkpoint.entries;
        self.waiting.clear();
        self.held = 0;
        if self.last.is_none() {
            self.done.first_checkpoint = number;
        }
        self.last = Some(Last {
            number,
            total: checkpoint.total,
            digest,
        });
        Ok(())
    }

    /// The leaves of a checkpoint that is what it should be.
    fn sound(&mut self, signed: &Signed<Checkpoint>, digest: &str) -> Result<Vec<Hash>, Finding> {
        let checkpoint = &signed.body;
        let (number, key) = (checkpoint.number, &checkpoint.key_id);
        if !signed.holds(self.keys) {
            let what = format!("the signature of checkpoint {number} does not hold with key {key}");
            return Err(self.first_edited(checkpoint).unwrap_or(Finding {
                damage: Damage::BadSignature,
                line: self.line,
                id: None,
                what,
            }));
        }
        self.of_tenant(&checkpoint.tenant)?;
        let follows = chain::follows(self.last.as_ref(), checkpoint, digest, self.part);
        follows.or_else(|(damage, what)| self.found(damage, None, what))?;
        let Some(leaves) = checkpoint.leaves_if_sound() else {
            let what = format!("checkpoint {number} contradicts itself");
            return self.found(Damage::Edited, None, what);
        };
        match self.heads.agree(checkpoint, digest) {
            None => {}
            Some(true) => self.done.heads += 1,
            Some(false) => {
                let what = format!("another checkpoint {number} was exported when it was sealed");
                return self.found(Damage::Forked, None, what);
            }
        }
        Ok(leaves)
    }

    fn different(&self, checkpoint: &Checkpoint, leaves: &[Hash]) -> Option<Finding> {
        let (damage, line, id) = difference(&self.waiting, checkpoint, leaves, self.line)?;
        let number = checkpoint.number;
        Some(Finding {
            damage,
            line,
            id: Some(id),
            what: format!("the file differs here from what checkpoint {number} sealed"),
        })
    }

    /// An entry that is wrong beside a checkpoint that is, too: its leaves, at least, are still those
    /// of its root, and it names a key that is trusted.
    fn first_edited(&self, checkpoint: &Checkpoint) -> Option<Finding> {
        let leaves = checkpoint.leaves_if_sound()?;
        let trusted = self.keys.ids().any(|it| it == checkpoint.key_id);
        let found = self.waiting.iter().map(|it| it.entry.leaf);
        if !trusted || found.eq(leaves.iter().copied()) {
            return None;
        }
        self.different(checkpoint, &leaves)
    }

    /// Nothing that was sealed stands there twice, or is of another tenant.
    fn alone(&mut self, checkpoint: &Checkpoint) -> Result<(), Finding> {
        for it in &self.waiting {
            let name = short(&it.entry.id);
            let what = if it.entry.tenant != checkpoint.tenant {
                FOREIGN
            } else if !self.known.insert(name) {
                "an entry with this id stands before it"
            } else {
                continue;
            };
            return Err(Finding {
                damage: Damage::Inserted,
                line: it.line,
                id: Some(it.entry.id.clone()),
                what: what.to_owned(),
            });
        }
        Ok(())
    }

    fn page_end(&mut self, signed: &Signed<End>) -> Result<(), Finding> {
        self.done.lines = self.line;
        if let Some(suspect) = self.suspect.take() {
            return Err(suspect);
        }
        let end = &signed.body;
        if !signed.holds(self.keys) {
            let key = &end.key_id;
            let what = format!("the signature of this end does not hold with key {key}");
            return self.found(Damage::BadSignature, None, what);
        }
        self.of_tenant(&end.tenant)?;
        let last = self.last.as_ref().map_or(end.after, |it| it.number);
        if end.last > last {
            let what = format!("the page went on to checkpoint {}", end.last);
            return self.found(Damage::Truncated, None, what);
        }
        if let Some(first) = self.waiting.first() {
            return Err(Finding {
                damage: Damage::Inserted,
                line: first.line,
                id: Some(first.entry.id.clone()),
                what: "no checkpoint seals it".to_owned(),
            });
        }
        let begins = match (self.part, &self.last) {
            (false, _) => Some(0),
            (true, Some(_)) => Some(self.done.first_checkpoint.saturating_sub(1)),
            (true, None) => None,
        };
        let page = Page {
            last: self.last.as_ref(),
            before: self.end.as_ref(),
            begins,
            entries: self.in_page,
        };
        let ends = chain::ends(end, &page);
        ends.or_else(|(damage, what)| self.found(damage, None, what))?;
        self.erasures.page_end(end);
        self.in_page = 0;
        self.ended = true;
        self.end = Some(end.clone());
        Ok(())
    }

    /// What there is to say when the file is over.
    pub fn finish(self) -> Outcome {
        if self.done.lines == 0 {
            let strange = self.strange.filter(|_| self.begins_well);
            return strange.map_or(Outcome::Unusable, Outcome::Damaged);
        }
        if let Some(suspect) = self.suspect {
            return Outcome::Damaged(suspect);
        }
        let lacks = |what: String| {
            Outcome::Damaged(Finding {
                damage: Damage::Truncated,
                line: self.line,
                id: None,
                what,
            })
        };
        let Some(end) = self.end.as_ref().filter(|_| self.ended) else {
            return lacks("the file does not end with the end of a page".to_owned());
        };
        let last = self.last.as_ref().map_or(end.after, |it| it.number);
        if !self.part && end.latest > last {
            return lacks(format!("there are pages up to checkpoint {}", end.latest));
        }
        let known = self.heads.latest(&end.tenant);
        if let Some(known) = known.filter(|it| !self.part && *it > last) {
            return lacks(format!("heads are known up to checkpoint {known}"));
        }
        if self.heads.are_wanted() && self.done.heads == 0 {
            return Outcome::Uncompared;
        }
        Outcome::Verified(Box::new(Verified {
            last_checkpoint: last,
            head: end.head.clone(),
            at: end.at.clone(),
            unsealed: end.unsealed,
            erased: self.erasures.finish(),
            ..self.done
        }))
    }
}

/// Enough of a digest to tell ids apart, in a quarter of the memory.
fn short(id: &str) -> [u8; 16] {
    let digest = Sha256::digest(id);
    digest.first_chunk().copied().unwrap_or_default()
}
