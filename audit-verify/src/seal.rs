//! What is signed: checkpoints, which seal entries, and the ends of an export's pages.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::{
    canonical,
    keys::{KeyRing, SigningKey, lower_hex},
    merkle::{Hash, root},
};

/// What the first checkpoint names as its predecessor.
pub const ZEROS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Seals entries of one tenant, and by `previous` everything that was sealed before them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Checkpoint {
    pub tenant: String,
    /// From 1, without a gap.
    pub number: u64,
    /// How many it seals.
    pub entries: u64,
    /// How many are sealed by this one and all before it.
    pub total: u64,
    pub first: String,
    pub last: String,
    /// The ids of its entries, in order. Not by time: what was written late is sealed late.
    pub ids: Vec<String>,
    /// Their leaves, in the same order.
    pub leaves: Vec<String>,
    /// The root of the tree of these leaves.
    pub root: String,
    /// SHA-256 of the line of the checkpoint before.
    pub previous: String,
    pub sealed_at: String,
    pub key_id: String,
}

/// Where a checkpoint goes on from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Before<'a> {
    pub number: u64,
    pub total: u64,
    pub digest: &'a str,
}

impl Checkpoint {
    /// The checkpoint after `before` over these entries. None without entries.
    pub fn over(
        tenant: String,
        before: &Before<'_>,
        entries: &[(String, Hash)],
        sealed_at: String,
        key: &SigningKey,
    ) -> Option<Self> {
        let count = entries.len() as u64;
        let leaves: Vec<Hash> = entries.iter().map(|(_, leaf)| *leaf).collect();
        Some(Self {
            tenant,
            number: before.number + 1,
            entries: count,
            total: before.total + count,
            first: entries.first()?.0.clone(),
            last: entries.last()?.0.clone(),
            ids: entries.iter().map(|(id, _)| id.clone()).collect(),
            root: hex::encode(root(&leaves)),
            leaves: leaves.into_iter().map(hex::encode).collect(),
            previous: before.digest.to_owned(),
            sealed_at,
            key_id: key.id().to_owned(),
        })
    }

    /// Its leaves as bytes, if everything that it says of itself is true.
    pub(crate) fn leaves_if_sound(&self) -> Option<Vec<Hash>> {
        let leaf = |it: &String| lower_hex(it)?.try_into().ok();
        let leaves: Vec<Hash> = self.leaves.iter().map(leaf).collect::<Option<_>>()?;
        let counts = leaves.len() == self.ids.len() && self.ids.len() as u64 == self.entries;
        let ends = self.ids.first() == Some(&self.first) && self.ids.last() == Some(&self.last);
        (counts && ends && self.root == hex::encode(root(&leaves))).then_some(leaves)
    }
}

/// What a page of an export holds: the line after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct End {
    pub tenant: String,
    /// The checkpoint before the page's first one; 0 if that is the first of all.
    pub after: u64,
    /// The page's last checkpoint; `after` if it has none.
    pub last: u64,
    /// How many entries the page has.
    pub entries: u64,
    /// How many entries are sealed up to `last`.
    pub total: u64,
    /// SHA-256 of the line of the checkpoint `last`.
    pub head: String,
    /// The newest checkpoint that there was. More than `last`: there are more pages.
    pub latest: u64,
    /// How many entries were not sealed yet.
    pub unsealed: u64,
    pub at: String,
    pub key_id: String,
}

/// What can be signed. Its name is signed with it, so that one cannot be passed off as another.
pub trait Body: Serialize + DeserializeOwned {
    const NAME: &'static str;
    fn key_id(&self) -> &str;
}

impl Body for Checkpoint {
    const NAME: &'static str = "checkpoint";

    fn key_id(&self) -> &str {
        &self.key_id
    }
}

impl Body for End {
    const NAME: &'static str = "end";

    fn key_id(&self) -> &str {
        &self.key_id
    }
}

/// A body and its signature: Ed25519 over the canonical form of `{name: body}`, in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed<T> {
    pub body: T,
    pub signature: String,
}

impl<T: Body> Signed<T> {
    pub fn sign(body: T, key: &SigningKey) -> Result<Self, serde_json::Error> {
        let signature = key.sign(&message(&body)?);
        Ok(Self { body, signature })
    }

    /// The line of an export, without its end.
    pub fn line(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut line = message(&self.body)?;
        line.pop();
        line.extend(b",\"signature\":\"");
        line.extend(self.signature.as_bytes());
        line.extend(b"\"}");
        Ok(line)
    }

    /// SHA-256 of the line, in hexadecimal.
    pub fn digest(&self) -> Result<String, serde_json::Error> {
        Ok(hex::encode(Sha256::digest(self.line()?)))
    }

    /// What a line says, if it is the one line that says it.
    pub(crate) fn parse(line: &[u8]) -> Option<Self> {
        let mut members: Map<String, Value> = serde_json::from_slice(line).ok()?;
        let body = serde_json::from_value(members.remove(T::NAME)?).ok()?;
        let Value::String(signature) = members.remove("signature")? else {
            return None;
        };
        lower_hex(&signature)?;
        let signed = Self { body, signature };
        (signed.line().ok()? == line).then_some(signed)
    }

    pub(crate) fn holds(&self, keys: &KeyRing) -> bool {
        let message = message(&self.body);
        message.is_ok_and(|it| keys.holds(self.body.key_id(), &it, &self.signature))
    }
}

fn message<T: Body>(body: &T) -> Result<Vec<u8>, serde_json::Error> {
    let mut message = format!("{{\"{}\":", T::NAME).into_bytes();
    message.extend(canonical(body)?);
    message.push(b'}');
    Ok(message)
}
