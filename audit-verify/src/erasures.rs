//! Which personal fields are gone, and whether the log says that somebody erased them. Anybody who can
//! write the table can take them away: that breaks no proof, so it is told apart.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use crate::{
    compare::Pending,
    entry::{CLEAR, PERSONAL},
    line::Entry,
    seal::{Checkpoint, End},
    times,
};

/// How an entry says by whom it was caused: one of these names what `audit.erased` names.
const NAMES: [&str; 4] = ["id", "share", "user", "name"];

/// What became of personal fields.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Erased {
    /// How many fields are gone.
    pub fields: u64,
    /// How many entries lost them in the archive.
    pub archived: u64,
    /// How many entries lost them, and no entry of this file says that somebody erased them.
    pub unexplained: u64,
    /// Their ids.
    pub ids: Vec<String>,
}

/// What is known so far.
#[derive(Default)]
pub(crate) struct Erasures {
    fields: u64,
    archived: u64,
    /// Of the page that is read: by checkpoint, when it was sealed, and whether nothing in it is left
    /// in the clear, as in the archive.
    page: Vec<(String, bool, Vec<Bare>)>,
    bare: Vec<Bare>,
    entries: BTreeSet<String>,
    /// The newest erasure of each actor's fields.
    actors: BTreeMap<String, String>,
}

/// An entry that lost personal fields.
struct Bare {
    id: String,
    actor: Vec<String>,
}

impl Erasures {
    /// The entries of a checkpoint that holds.
    pub(crate) fn sealed(&mut self, checkpoint: &Checkpoint, entries: &[Pending]) {
        let mut bare = Vec::new();
        for it in entries {
            let entry = &it.entry;
            self.explain(entry);
            let lost = members(entry, PERSONAL).saturating_sub(members(entry, CLEAR));
            if lost > 0 {
                self.fields += lost;
                bare.push(Bare::of(entry));
            }
        }
        if !bare.is_empty() {
            let all = entries.iter().all(|it| members(&it.entry, CLEAR) == 0);
            self.page.push((checkpoint.sealed_at.clone(), all, bare));
        }
    }

    /// What an entry says about the erasing of others.
    fn explain(&mut self, entry: &Entry) {
        if entry.members.get("type").and_then(Value::as_str) != Some("audit.erased") {
            return;
        }
        let data = |name: &str| entry.members.get("data")?.get(name)?.as_str();
        if let Some(of) = data("entry") {
            self.entries.insert(of.to_owned());
        }
        if let Some(actor) = data("actor") {
            let newest = self.actors.entry(actor.to_owned()).or_default();
            if *newest < entry.id {
                newest.clone_from(&entry.id);
            }
        }
    }

    /// The page is over, and says when it was given out.
    pub(crate) fn page_end(&mut self, end: &End) {
        for (sealed_at, all, bare) in std::mem::take(&mut self.page) {
            if all && times::is_archived(&sealed_at, &end.at) {
                self.archived += bare.len() as u64;
            } else {
                self.bare.extend(bare);
            }
        }
    }

    pub(crate) fn finish(self) -> Erased {
        let unexplained = self.bare.iter().filter(|it| !self.explains(it));
        let ids: Vec<String> = unexplained.map(|it| it.id.clone()).collect();
        Erased {
            fields: self.fields,
            archived: self.archived,
            unexplained: ids.len() as u64,
            ids,
        }
    }

    /// An actor's fields are erased from what was there at that time: ids begin with theirs.
    fn explains(&self, bare: &Bare) -> bool {
        let of_actor = |name: &String| self.actors.get(name).is_some_and(|by| bare.id < *by);
        self.entries.contains(&bare.id) || bare.actor.iter().any(of_actor)
    }
}

impl Bare {
    fn of(entry: &Entry) -> Self {
        let actor = entry.members.get("actor");
        let named = |name: &&str| Some(actor?.get(*name)?.as_str()?.to_owned());
        Self {
            id: entry.id.clone(),
            actor: NAMES.iter().filter_map(named).collect(),
        }
    }
}

fn members(entry: &Entry, name: &str) -> u64 {
    let member = entry.members.get(name).and_then(Value::as_object);
    member.map_or(0, |it| it.len() as u64)
}
