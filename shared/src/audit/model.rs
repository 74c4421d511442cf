//! What is kept of sealing, and what can be asked of the log. No I/O.

use audit_verify::{Checkpoint, Signed, ZEROS};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use time::OffsetDateTime;

use crate::ids::{EventId, TenantId};

/// An entry as it is stored. Not as a type of ours: what was sealed is what stands there, whatever our
/// types have become since.
pub(super) type Entry = Map<String, Value>;

/// What a run did.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Pass {
    pub checkpoints: u32,
    pub entries: u32,
    /// Entries for which there was no time.
    pub left: u32,
    /// Checkpoints whose entries were archived.
    pub archived: u32,
    /// Checkpoints whose entries should have been archived and were not.
    pub unarchived: u32,
    /// Organisations whose entries could not be sealed.
    pub failed: u32,
}

/// How far a tenant's log is sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    pub(super) version: u64,
    /// The newest checkpoint; 0 before the first.
    pub(super) number: u64,
    pub(super) total: u64,
    /// SHA-256 of the newest checkpoint's line.
    pub(super) digest: String,
    /// Its entries may still be on the list of those that are not sealed.
    pub(super) open: bool,
}

impl Place {
    pub(super) fn before_the_first() -> Self {
        Self {
            version: 0,
            number: 0,
            total: 0,
            digest: ZEROS.to_owned(),
            open: false,
        }
    }

    pub(super) fn after(&self, signed: &Signed<Checkpoint>, digest: String) -> Self {
        Self {
            version: self.version + 1,
            number: signed.body.number,
            total: signed.body.total,
            digest,
            open: true,
        }
    }

    pub(super) fn closed(&self) -> Self {
        Self {
            version: self.version + 1,
            open: false,
            ..self.clone()
        }
    }
}

/// A checkpoint as it is stored. Its list of ids says what it seals.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Row {
    pub(super) checkpoint: Checkpoint,
    pub(super) signature: String,
}

impl From<Signed<Checkpoint>> for Row {
    fn from(signed: Signed<Checkpoint>) -> Self {
        Self {
            checkpoint: signed.body,
            signature: signed.signature,
        }
    }
}

impl From<Row> for Signed<Checkpoint> {
    fn from(row: Row) -> Self {
        Self {
            body: row.checkpoint,
            signature: row.signature,
        }
    }
}

/// That the entries of a checkpoint are in the table.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Live {
    pub(super) tenant: TenantId,
    pub(super) number: u64,
    #[serde(with = "time::serde::rfc3339")]
    pub(super) sealed_at: OffsetDateTime,
}

/// Where archived entries are: so many parts under this name.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Pack {
    pub(super) parts: u32,
    pub(super) digest: String,
}

/// Which entries are wanted; each that is given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) actor: Option<String>,
    /// A type such as `share.revoked`, or what stands before its dot.
    pub(super) kind: Option<String>,
    /// A link, among the entries about its video.
    pub(super) share: Option<String>,
}

impl Wanted {
    pub(super) fn includes(&self, entry: &Entry) -> bool {
        let kind = text(entry, "type");
        let of_kind = |it: &String| {
            let rest = kind.strip_prefix(it.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        let about = |it: &String| entry.get("data").is_some_and(|data| data["share"] == **it);
        self.actor.as_ref().is_none_or(|it| is_by(entry, it))
            && self.kind.as_ref().is_none_or(of_kind)
            && self.share.as_ref().is_none_or(about)
    }
}

/// Whether this one caused it: a person or a guest's link by its id, a job by its name, or `mux`.
pub(super) fn is_by(entry: &Entry, actor: &str) -> bool {
    let Some(by) = entry.get("actor") else {
        return false;
    };
    let named = ["id", "share", "user", "name"].map(|name| by[name].as_str());
    named.contains(&Some(actor)) || by["kind"] == "mux" && actor == "mux"
}

pub(super) fn text<'a>(entry: &'a Entry, name: &str) -> &'a str {
    entry.get(name).and_then(Value::as_str).unwrap_or_default()
}

pub(super) fn id(entry: &Entry) -> Option<EventId> {
    text(entry, "id").parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn wanted(actor: &str, kind: &str, share: &str) -> Wanted {
        let given = |it: &str| Some(it.to_owned()).filter(|it| !it.is_empty());
        Wanted {
            actor: given(actor),
            kind: given(kind),
            share: given(share),
        }
    }

    #[test]
    fn each_filter_that_is_given_must_hold() {
        let entry = json!({
            "actor": {"kind": "user", "id": "usr_1"},
            "type": "share.revoked",
            "data": {"share": "shr_1", "asset": "ast_1"},
        });
        let entry: Entry = serde_json::from_value(entry).unwrap();
        for (actor, kind, share, included) in [
            ("", "", "", true),
            ("usr_1", "share.revoked", "shr_1", true),
            ("", "share", "", true),
            ("", "share.", "", false),
            ("", "sha", "", false),
            ("", "share.revoked.more", "", false),
            ("usr_2", "", "", false),
            ("mux", "", "", false),
            ("usr_1", "", "shr_2", false),
        ] {
            let wanted = wanted(actor, kind, share);
            assert_eq!(wanted.includes(&entry), included, "{wanted:?}");
        }
    }

    #[test]
    fn actors_are_named_by_what_they_are() {
        for (actor, name) in [
            (json!({"kind": "mux", "event": "e"}), "mux"),
            (
                json!({"kind": "job", "name": "reconcile", "run": "run_1"}),
                "reconcile",
            ),
            (json!({"kind": "guest", "share": "shr_1"}), "shr_1"),
            (
                json!({"kind": "guest", "share": "shr_1", "user": "usr_2"}),
                "usr_2",
            ),
        ] {
            let entry: Entry = serde_json::from_value(json!({"actor": actor})).unwrap();
            assert!(is_by(&entry, name), "{name}");
            assert!(!is_by(&entry, "usr_1"), "{name}");
        }
    }
}
