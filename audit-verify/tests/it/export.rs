//! An export as the portal makes it.

use audit_verify::{
    Before, Checkpoint, Clear, End, HEAD, Head, Heads, KeyRing, Outcome, Signed, SigningKey, ZEROS,
    commitment, entry_line, leaf, verify,
};
use serde_json::{Map, Value, json};

pub(crate) const TENANT: &str = "ten_01KE6P4YM00000000000000001";
const AT: &str = "2026-01-05T09:00:00Z";

/// Lines without their ends, and what there is to check them with.
#[derive(Clone)]
pub(crate) struct Export {
    pub(crate) lines: Vec<Vec<u8>>,
    pub(crate) heads: Vec<Head>,
    pub(crate) trusted: String,
}

pub(crate) fn key(seed: u8) -> SigningKey {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let seed = hex::encode([seed; 32]);
    let der = format!("302e020100300506032b657004220420{seed}");
    SigningKey::parse(&STANDARD.encode(hex::decode(der).unwrap())).unwrap()
}

/// Two pages of two checkpoints of six entries each; `other` entries from that checkpoint on.
pub(crate) fn history(key: &SigningKey, other: Option<u64>) -> Export {
    let (mut lines, mut heads) = (Vec::new(), Vec::new());
    let (mut total, mut head) = (0, ZEROS.to_owned());
    for number in 1..=4 {
        let mut sealed = Vec::new();
        for place in 0..6 {
            let differs = other.is_some_and(|it| number >= it);
            let entry = entry(number * 10 + place, differs);
            sealed.push((
                entry["id"].as_str().unwrap().to_owned(),
                leaf(&entry).unwrap(),
            ));
            lines.push(entry_line(&entry).unwrap());
        }
        let before = Before {
            number: number - 1,
            total,
            digest: &head,
        };
        let body = Checkpoint::over(TENANT.to_owned(), &before, &sealed, AT.to_owned(), key);
        let signed = Signed::sign(body.unwrap(), key).unwrap();
        (total, head) = (signed.body.total, signed.digest().unwrap());
        lines.push(signed.line().unwrap());
        heads.push(Head {
            message: HEAD.to_owned(),
            tenant: TENANT.to_owned(),
            number,
            digest: head.clone(),
            total,
            key_id: key.id().to_owned(),
        });
        if number % 2 == 0 {
            lines.push(end(key, number, total, &head, 4).line().unwrap());
        }
    }
    Export {
        lines,
        heads,
        trusted: key.public_pem(),
    }
}

/// One page of these entries, a checkpoint each list.
pub(crate) fn page(key: &SigningKey, checkpoints: &[Vec<Map<String, Value>>]) -> Export {
    let (mut lines, mut total, mut head, mut number) = (Vec::new(), 0, ZEROS.to_owned(), 0);
    for entries in checkpoints {
        let mut sealed = Vec::new();
        for entry in entries {
            let id = entry["id"].as_str().unwrap().to_owned();
            sealed.push((id, leaf(entry).unwrap()));
            lines.push(entry_line(entry).unwrap());
        }
        let before = Before {
            number,
            total,
            digest: &head,
        };
        let body = Checkpoint::over(TENANT.to_owned(), &before, &sealed, AT.to_owned(), key);
        let signed = Signed::sign(body.unwrap(), key).unwrap();
        (number, total) = (signed.body.number, signed.body.total);
        head = signed.digest().unwrap();
        lines.push(signed.line().unwrap());
    }
    let mut end = end(key, 2, total, &head, number).body;
    (end.after, end.last, end.entries) = (0, number, total);
    lines.push(Signed::sign(end, key).unwrap().line().unwrap());
    Export {
        lines,
        heads: Vec::new(),
        trusted: key.public_pem(),
    }
}

pub(crate) fn end(key: &SigningKey, last: u64, total: u64, head: &str, latest: u64) -> Signed<End> {
    let end = End {
        tenant: TENANT.to_owned(),
        after: last - 2,
        last,
        entries: 12,
        total,
        head: head.to_owned(),
        latest,
        unsealed: 0,
        at: AT.to_owned(),
        key_id: key.id().to_owned(),
    };
    Signed::sign(end, key).unwrap()
}

pub(crate) fn entry(number: u64, other: bool) -> Map<String, Value> {
    let address = Clear::new(
        [u8::try_from(number % 251).unwrap(); 32],
        format!("{number:032x}"),
    );
    let mut entry = json!({
        "id": format!("evt_01KE6P4YM{number:017}"), "tenant": TENANT, "at": AT,
        "actor": {"kind": "user", "id": "usr_01KE6P4YM00000000000000001"},
        "change": {"before": "0".repeat(64), "after": "1".repeat(64)},
        "personal": {"address": commitment(&address)}, "clear": {"address": address},
        "type": if other { "share.created" } else { "share.revoked" },
        "data": {"share": "shr_01KE6P4YM00000000000000001", "millis": 90_500, "title": "Für \"Sam\"\n"},
    });
    if number.is_multiple_of(3) {
        let members = entry.as_object_mut().unwrap();
        members.remove("clear");
        members.remove("personal");
    }
    serde_json::from_value(entry).unwrap()
}

impl Export {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.lines
            .iter()
            .flat_map(|it| [it.as_slice(), b"\n"].concat())
            .collect()
    }

    pub(crate) fn check(&self) -> Outcome {
        self.check_bytes(&self.bytes(), false)
    }

    pub(crate) fn check_with_heads(&self) -> Outcome {
        self.check_bytes(&self.bytes(), true)
    }

    pub(crate) fn check_bytes(&self, bytes: &[u8], with_heads: bool) -> Outcome {
        let mut heads = Heads::default();
        for head in self.heads.iter().filter(|_| with_heads) {
            heads.add(head.clone());
        }
        verify(
            bytes,
            &KeyRing::parse(&self.trusted).unwrap(),
            &heads,
            false,
        )
        .unwrap()
    }

    /// The numbers of the lines that are entries, from 0.
    pub(crate) fn entries(&self) -> Vec<usize> {
        self.lines_of(b"{\"entry\"")
    }

    pub(crate) fn checkpoints(&self) -> Vec<usize> {
        self.lines_of(b"{\"checkpoint\"")
    }

    fn lines_of(&self, kind: &[u8]) -> Vec<usize> {
        let lines = self.lines.iter().enumerate();
        lines
            .filter(|(_, it)| it.starts_with(kind))
            .map(|(place, _)| place)
            .collect()
    }

    pub(crate) fn id(&self, line: usize) -> String {
        let line: Value = serde_json::from_slice(&self.lines[line]).unwrap();
        line["entry"]["id"].as_str().unwrap_or_default().to_owned()
    }
}
