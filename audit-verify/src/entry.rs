//! One entry: what of it is digested, and how personal fields stand beside it.
//!
//! A personal field is digested as a commitment only: HMAC-SHA256 of its value under a random salt.
//! Salt and value stand in `clear`, which is not digested. Taking them away makes the commitment mean
//! nothing to anybody, and the proof of everything else still holds.

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::Sha256;

use crate::{canonical, keys::lower_hex, merkle, merkle::Hash};

/// The member that holds commitments, by the names of their fields.
pub const PERSONAL: &str = "personal";
/// The member that holds what they stand for, as long as it may be known.
pub const CLEAR: &str = "clear";
/// The member that says in which checkpoint a stored entry is.
pub const SEALED: &str = "sealedIn";

/// How long a salt is, in hexadecimal. A shorter one could be found by trying.
const SALT: usize = 64;

/// A personal field that has not been erased.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clear {
    /// 32 random bytes in hexadecimal.
    pub salt: String,
    pub value: String,
}

impl Clear {
    pub fn new(salt: [u8; 32], value: String) -> Self {
        Self {
            salt: hex::encode(salt),
            value,
        }
    }
}

/// What is digested of a personal field.
pub fn commitment(clear: &Clear) -> Option<String> {
    let salt = lower_hex(&clear.salt)?;
    let mac = Hmac::<Sha256>::new_from_slice(&salt).ok()?;
    let mac = mac.chain_update(&clear.value).finalize();
    Some(hex::encode(mac.into_bytes()))
}

/// The part of an entry that is digested, as canonical JSON.
pub fn digested(entry: &Map<String, Value>) -> Result<Vec<u8>, serde_json::Error> {
    let members = entry.iter();
    let members = members.filter(|(name, _)| !matches!(name.as_str(), CLEAR | SEALED));
    let members: Map<String, Value> = members
        .map(|(name, member)| (name.clone(), member.clone()))
        .collect();
    canonical(&members)
}

/// The entry's leaf in the tree of its checkpoint.
pub fn leaf(entry: &Map<String, Value>) -> Result<Hash, serde_json::Error> {
    Ok(merkle::leaf_hash(&digested(entry)?))
}

/// Whether everything in the clear is what was committed to. The name of the first field that is not.
pub(crate) fn broken_commitment(entry: &Map<String, Value>) -> Option<String> {
    let clear = entry.get(CLEAR)?;
    let Some(fields) = clear.as_object().filter(|it| !it.is_empty()) else {
        return Some(CLEAR.to_owned());
    };
    for (name, value) in fields {
        let clear: Option<Clear> = serde_json::from_value(value.clone()).ok();
        let salted = clear.filter(|it| it.salt.len() == SALT);
        let said = salted.as_ref().and_then(commitment);
        let committed = entry.get(PERSONAL).and_then(|it| it.get(name));
        let held = said.is_some_and(|said| committed.and_then(Value::as_str) == Some(&said));
        if !held {
            return Some(name.clone());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn map(value: Value) -> Map<String, Value> {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_commitment_is_hmac_as_the_rfc_has_it() {
        // RFC 4231, test case 2, whose key is short; a salt of ours is as long as the digest.
        let clear = Clear {
            salt: hex::encode("Jefe"),
            value: "what do ya want for nothing?".to_owned(),
        };
        let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(commitment(&clear).unwrap(), expected);
    }

    #[test]
    fn what_is_in_the_clear_and_where_it_is_sealed_is_not_digested() {
        let bare = map(json!({"id": "evt_1", "personal": {"address": "00"}}));
        let mut full = bare.clone();
        full.insert(
            CLEAR.to_owned(),
            json!({"address": {"salt": "", "value": "x"}}),
        );
        full.insert(SEALED.to_owned(), 7.into());
        assert_eq!(leaf(&bare).unwrap(), leaf(&full).unwrap());
        assert_eq!(
            digested(&bare).unwrap(),
            br#"{"id":"evt_1","personal":{"address":"00"}}"#
        );
    }

    #[test]
    fn what_was_not_committed_to_is_found() {
        let clear = Clear::new([7; 32], "203.0.113.7".to_owned());
        let committed = commitment(&clear).unwrap();
        let entry = |personal: Value, clear: Value| {
            broken_commitment(&map(json!({"personal": personal, "clear": clear})))
        };
        let good = json!({"address": committed});
        assert_eq!(entry(good.clone(), json!({"address": clear})), None);
        let name = Some("address".to_owned());
        let other = Clear::new([7; 32], "203.0.113.8".to_owned());
        assert_eq!(entry(good.clone(), json!({"address": other})), name);
        let upper = Clear {
            salt: clear.salt.replace('7', "A"),
            ..clear.clone()
        };
        assert_eq!(entry(good.clone(), json!({"address": upper})), name);
        assert_eq!(entry(json!({}), json!({"address": clear})), name);
        assert_eq!(
            entry(
                good.clone(),
                json!({"address": {"salt": clear.salt, "value": "203.0.113.7", "more": 1}})
            ),
            name
        );
        assert_eq!(entry(good, json!({})), Some("clear".to_owned()));
    }
}
