//! The lines of an export.

use serde_json::{Map, Value};

use crate::{
    canonical::{canonical, write, write_text},
    entry::CLEAR,
    merkle::{Hash, leaf_hash},
    seal::{Checkpoint, End, Signed},
};

const ENTRY: &[u8] = b"{\"entry\":";

/// One line.
pub enum Line {
    Entry(Box<Entry>),
    Checkpoint(Box<Signed<Checkpoint>>),
    End(Box<Signed<End>>),
}

/// An entry as it was read.
pub struct Entry {
    pub id: String,
    pub tenant: String,
    pub leaf: Hash,
    /// Everything, with what is in the clear.
    pub members: Map<String, Value>,
    /// The text that the leaf is the hash of.
    pub(crate) digested: Vec<u8>,
}

impl Line {
    /// Reads a line, without its end. None if it is not one, or not spelled as it must be: what could
    /// be spelled in two ways could be changed unseen.
    pub fn parse(line: &[u8]) -> Option<Self> {
        if let Some(rest) = line.strip_prefix(ENTRY) {
            return Some(Self::Entry(Box::new(entry(rest.strip_suffix(b"}")?)?)));
        }
        if line.starts_with(b"{\"checkpoint\":") {
            return Some(Self::Checkpoint(Box::new(Signed::parse(line)?)));
        }
        Some(Self::End(Box::new(Signed::parse(line)?)))
    }
}

/// The line of an entry: as it is stored, without its place in the table and its checkpoint.
pub fn entry_line(entry: &Map<String, Value>) -> Result<Vec<u8>, serde_json::Error> {
    let mut line = ENTRY.to_vec();
    line.extend(canonical(entry)?);
    line.push(b'}');
    Ok(line)
}

/// Writes the canonical forms of the whole and of its digested part in one go, and compares.
fn entry(text: &[u8]) -> Option<Entry> {
    let members: Map<String, Value> = serde_json::from_slice(text).ok()?;
    let mut names: Vec<&String> = members.keys().collect();
    names.sort_unstable_by(|a, b| a.encode_utf16().cmp(b.encode_utf16()));
    let mut whole = Vec::with_capacity(text.len());
    let mut digested = Vec::with_capacity(text.len());
    whole.push(b'{');
    digested.push(b'{');
    for name in names {
        let start = whole.len();
        if start > 1 {
            whole.push(b',');
        }
        write_text(&mut whole, name).ok()?;
        whole.push(b':');
        write(&mut whole, members.get(name)?).ok()?;
        if name != CLEAR {
            let member = &whole[start..];
            let first = digested.len() == 1;
            let comma = usize::from(first && start > 1);
            digested.extend(&member[comma..]);
        }
    }
    whole.push(b'}');
    digested.push(b'}');
    if whole != text {
        return None;
    }
    let word = |name: &str| members.get(name).and_then(Value::as_str).map(str::to_owned);
    Some(Entry {
        id: word("id")?,
        tenant: word("tenant")?,
        leaf: leaf_hash(&digested),
        digested,
        members,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::entry;

    #[test]
    fn a_line_has_the_leaf_that_its_entry_had_when_it_was_sealed() {
        for stored in [
            json!({"id": "evt_1", "tenant": "ten_1", "clear": {"a": {"salt": "", "value": ""}}}),
            json!({"clear": 1, "id": "evt_1", "tenant": "ten_1"}),
            json!({"actor": {"b": [1, "ü\n"], "a": null}, "id": "evt_1", "tenant": "ten_1"}),
        ] {
            let stored: Map<String, Value> = serde_json::from_value(stored).unwrap();
            let line = entry_line(&stored).unwrap();
            let Some(Line::Entry(read)) = Line::parse(&line) else {
                panic!("{}", String::from_utf8_lossy(&line))
            };
            assert_eq!(read.leaf, entry::leaf(&stored).unwrap());
            assert_eq!(read.digested, entry::digested(&stored).unwrap());
        }
    }

    #[test]
    fn there_is_one_spelling() {
        let good = r#"{"entry":{"id":"evt_1","n":1,"tenant":"ten_1"}}"#;
        assert!(Line::parse(good.as_bytes()).is_some());
        for bad in [
            r#"{"entry": {"id":"evt_1","n":1,"tenant":"ten_1"}}"#,
            r#"{"entry":{"n":1,"id":"evt_1","tenant":"ten_1"}}"#,
            r#"{"entry":{"id":"evt_1","n":1.0,"tenant":"ten_1"}}"#,
            r#"{"entry":{"id":"evt_1","n":1,"n":1,"tenant":"ten_1"}}"#,
            r#"{"entry":{"id":"evt_\u0031","n":1,"tenant":"ten_1"}}"#,
            r#"{"entry":{"id":"evt_1","n":9007199254740993,"tenant":"ten_1"}}"#,
            r#"{"entry":{"id":"evt_1","n":1,"tenant":"ten_1"}} "#,
            r#"{"entry":{"id":"evt_1"}}"#,
        ] {
            assert!(Line::parse(bad.as_bytes()).is_none(), "{bad}");
        }
    }
}
