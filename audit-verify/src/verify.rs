//! The check of a whole export, line by line: what waits for its checkpoint is all that is kept.

use std::io::{self, BufRead, Read};

use crate::{
    compare::{Damage, Pending, difference},
    entry::broken_commitment,
    heads::Heads,
    keys::KeyRing,
    line::{Entry, Line},
    outcome::{Finding, Outcome, Verified},
    seal::{Checkpoint, End, Signed, ZEROS},
};

/// More entries than this without a checkpoint are none of the portal's.
const WAITING_MAX: usize = 20_000;

/// No line is longer.
const LINE_MAX: u64 = 16 * 1024 * 1024;

/// What the first line of an export begins with.
const BEGINNINGS: [&[u8]; 3] = [b"{\"entry\":{", b"{\"checkpoint\":{", b"{\"end\":{"];

/// Checks an export. With `part`, it may begin after the first checkpoint and end before the last.
pub fn verify(
    mut export: impl BufRead,
    keys: &KeyRing,
    heads: &Heads,
    part: bool,
) -> io::Result<Outcome> {
    let mut verifier = Verifier::new(keys, heads, part);
    let mut line = Vec::with_capacity(4096);
    loop {
        line.clear();
        let read = export
            .by_ref()
            .take(LINE_MAX)
            .read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(verifier.finish());
        }
        if let Err(finding) = verifier.push(&line) {
            return Ok(Outcome::Damaged(finding));
        }
    }
}

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
    waiting: Vec<Pending>,
    last: Option<Last>,
    /// The end line that was read last.
    end: Option<End>,
    /// Whether it is the last line so far.
    ended: bool,
    /// Entries since then.
    in_page: u64,
    done: Verified,
}

/// The checkpoint that was read last.
struct Last {
    number: u64,
    total: u64,
    digest: String,
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
            waiting: Vec::new(),
            last: None,
            end: None,
            ended: false,
            in_page: 0,
            done: Verified::default(),
        }
    }

    /// Checks the next line, with its end.
    pub fn push(&mut self, line: &[u8]) -> Result<(), Finding> {
        self.line += 1;
        let Some(text) = line.strip_suffix(b"\n") else {
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
            Line::Entry(entry) => self.entry(*entry),
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
            return Err(finding);
        }
        self.begins_well |= self.line == 1 && BEGINNINGS.iter().any(|it| begin_alike(it, text));
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

    /// Everything is of one tenant. What an entry says of it is part of its leaf.
    fn of_tenant(&mut self, tenant: &str) -> Result<(), Finding> {
        if self.done.tenant.is_empty() {
            tenant.clone_into(&mut self.done.tenant);
        }
        if self.done.tenant == tenant {
            return Ok(());
        }
        self.found(Damage::Inserted, None, "it belongs to another organisation")
    }

    fn entry(&mut self, entry: Entry) -> Result<(), Finding> {
        self.done.lines = self.line;
        if let Some(field) = broken_commitment(&entry.members) {
            let what = format!("its field {field} is not the one that was committed to");
            return self.found(Damage::Commitment, Some(entry.id), what);
        }
        self.done.erased += erased(&entry);
        self.waiting.push(Pending {
            line: self.line,
            entry,
        });
        if self.waiting.len() > WAITING_MAX {
            return self.found(
                Damage::Deleted,
                None,
                "no checkpoint seals all these entries",
            );
        }
        Ok(())
    }

    fn checkpoint(&mut self, signed: &Signed<Checkpoint>) -> Result<(), Finding> {
        self.done.lines = self.line;
        let checkpoint = &signed.body;
        if !signed.holds(self.keys) {
            let what = format!(
                "the signature of checkpoint {} does not hold with key {}",
                checkpoint.number, checkpoint.key_id
            );
            return self.found(Damage::BadSignature, None, what);
        }
        self.of_tenant(&checkpoint.tenant)?;
        let digest = signed.digest().unwrap_or_default();
        self.follows(checkpoint, &digest)?;
        let number = checkpoint.number;
        let Some(leaves) = checkpoint.leaves_if_sound() else {
            let what = format!("checkpoint {number} contradicts itself");
            return self.found(Damage::Edited, None, what);
        };
        if !self.heads.agree(&checkpoint.tenant, number, &digest) {
            let what = format!("another checkpoint {number} was exported when it was sealed");
            return self.found(Damage::Forked, None, what);
        }
        if let Some((damage, line, id)) = difference(&self.waiting, checkpoint, &leaves, self.line)
        {
            return Err(Finding {
                damage,
                line,
                id: Some(id),
                what: format!("the file differs here from what checkpoint {number} sealed"),
            });
        }
        self.done.entries += checkpoint.entries;
        self.in_page += checkpoint.entries;
        self.waiting.clear();
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

    /// Whether it comes right after the one before.
    fn follows(&self, checkpoint: &Checkpoint, digest: &str) -> Result<(), Finding> {
        let number = checkpoint.number;
        let Some(last) = &self.last else {
            if number > 1 && self.part {
                return Ok(());
            }
            if number > 1 {
                let what = format!("it begins with checkpoint {number}: those before are missing");
                return self.found(Damage::Gap, None, what);
            }
            if checkpoint.previous != ZEROS || checkpoint.total != checkpoint.entries {
                return self.found(
                    Damage::Forked,
                    None,
                    "checkpoint 1 says that others precede it",
                );
            }
            return Ok(());
        };
        if number == last.number {
            if digest == last.digest {
                let what = format!("checkpoint {number} stands here a second time");
                return self.found(Damage::Inserted, None, what);
            }
            let what = format!("there are two checkpoints {number}");
            return self.found(Damage::Forked, None, what);
        }
        if number < last.number {
            let what = format!("checkpoint {number} comes after {}", last.number);
            return self.found(Damage::Reordered, None, what);
        }
        if number > last.number + 1 {
            let what = format!("checkpoint {number} comes after {}", last.number);
            return self.found(Damage::Gap, None, what);
        }
        if checkpoint.previous != last.digest {
            let what = format!(
                "checkpoint {number} goes on from another checkpoint {}",
                last.number
            );
            return self.found(Damage::Forked, None, what);
        }
        if checkpoint.total != last.total + checkpoint.entries {
            let what = format!("checkpoint {number} counts otherwise");
            return self.found(Damage::Edited, None, what);
        }
        Ok(())
    }

    fn page_end(&mut self, signed: &Signed<End>) -> Result<(), Finding> {
        self.done.lines = self.line;
        let end = &signed.body;
        if !signed.holds(self.keys) {
            let what = format!(
                "the signature of this end does not hold with key {}",
                end.key_id
            );
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
        let begins = if self.part {
            self.done.first_checkpoint.saturating_sub(1)
        } else {
            0
        };
        let after = self.end.as_ref().map_or(begins, |it| it.last);
        let anywhere = self.part && self.last.is_none();
        if end.after != after && !anywhere {
            let damage = if end.after > after {
                Damage::Deleted
            } else {
                Damage::Inserted
            };
            let what = format!("the page of this end began after checkpoint {}", end.after);
            return self.found(damage, None, what);
        }
        let (total, head) = self
            .last
            .as_ref()
            .map_or((end.total, end.head.as_str()), |it| {
                (it.total, it.digest.as_str())
            });
        if end.last < last || end.entries != self.in_page || end.total != total {
            return self.found(
                Damage::Inserted,
                None,
                "the page held less when it was given out",
            );
        }
        if end.head != head {
            let what = format!("the page ended with another checkpoint {last}");
            return self.found(Damage::Forked, None, what);
        }
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
        Outcome::Verified(Box::new(Verified {
            last_checkpoint: last,
            head: end.head.clone(),
            at: end.at.clone(),
            unsealed: end.unsealed,
            heads: self.heads.count(&end.tenant),
            ..self.done
        }))
    }
}

fn begin_alike(a: &[u8], b: &[u8]) -> bool {
    let shorter = a.len().min(b.len());
    shorter > 0 && a[..shorter] == b[..shorter]
}

/// How many personal fields are committed to and no longer in the clear.
fn erased(entry: &Entry) -> u64 {
    let fields = |name| {
        let member = entry.members.get(name).and_then(|it| it.as_object());
        member.map_or(0, |it| it.len() as u64)
    };
    fields(crate::PERSONAL).saturating_sub(fields(crate::CLEAR))
}

/// An id that a damaged line seems to be about.
fn id_in(text: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(text);
    let start = text.find("\"evt_")? + 1;
    let id = text[start..].split('"').next()?;
    Some(id.to_owned())
}
