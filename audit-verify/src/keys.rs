//! The keys: the portal signs with one, an auditor checks with those that they trust.
//!
//! Ed25519 by `aws-lc-rs`: the library that the portal's TLS and tokens use already, so there is one
//! implementation to watch and to patch. A signature of it is deterministic, and no second spelling
//! of it holds.

use std::collections::BTreeMap;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, ParsedPublicKey};
use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};

/// What a public key in DER (RFC 8410) begins with; 32 bytes follow.
const SPKI: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

/// A key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("not an Ed25519 key: neither PEM, nor base64 or hexadecimal of one")]
    Unreadable,
}

/// The key that seals.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    id: String,
}

impl SigningKey {
    /// Base64 of PKCS#8 in DER, version 1 or 2.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let der = STANDARD
            .decode(text.trim())
            .map_err(|_| KeyError::Unreadable)?;
        let pair = Ed25519KeyPair::from_pkcs8(&der).map_err(|_| KeyError::Unreadable)?;
        let id = id_of(pair.public_key().as_ref());
        Ok(Self { pair, id })
    }

    /// A new key, as [`parse`](Self::parse) reads it.
    pub fn generate() -> Result<String, KeyError> {
        let pair = Ed25519KeyPair::generate().map_err(|_| KeyError::Unreadable)?;
        let der = pair.to_pkcs8v1().map_err(|_| KeyError::Unreadable)?;
        Ok(STANDARD.encode(der))
    }

    /// The first 16 hexadecimal digits of the SHA-256 of the public key.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The public key as PEM, for auditors.
    pub fn public_pem(&self) -> String {
        pem_of(self.pair.public_key().as_ref())
    }

    pub(crate) fn sign(&self, message: &[u8]) -> String {
        hex::encode(self.pair.sign(message))
    }
}

/// The public keys that somebody trusts, by their ids.
pub struct KeyRing(BTreeMap<String, ParsedPublicKey>);

impl KeyRing {
    /// One or more public keys: PEM, or base64 or hexadecimal, a key a line.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let mut keys = BTreeMap::new();
        for raw in raw(text)? {
            let key = ParsedPublicKey::new(&ED25519, &raw).map_err(|_| KeyError::Unreadable)?;
            keys.insert(id_of(&raw), key);
        }
        if keys.is_empty() {
            return Err(KeyError::Unreadable);
        }
        Ok(Self(keys))
    }

    /// The ids of its keys.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    pub(crate) fn holds(&self, key: &str, message: &[u8], signature: &str) -> bool {
        let known = self.0.get(key).zip(lower_hex(signature));
        known.is_some_and(|(key, signature)| key.verify_sig(message, &signature).is_ok())
    }
}

/// Public keys as PEM, one by one, from any text that [`KeyRing::parse`] reads, or from none.
pub fn public_pems(text: &str) -> Result<Vec<String>, KeyError> {
    if !text.trim().is_empty() {
        KeyRing::parse(text)?;
    }
    Ok(raw(text)?.iter().map(|it| pem_of(it)).collect())
}

/// The keys themselves, whatever they are written in.
fn raw(text: &str) -> Result<Vec<Vec<u8>>, KeyError> {
    let pems = pem::parse_many(text).map_err(|_| KeyError::Unreadable)?;
    let ders: Vec<Vec<u8>> = if pems.is_empty() {
        let words = text.split([',', ' ', '\n', '\r']).map(str::trim);
        let words = words.filter(|it| !it.is_empty());
        words.map(bytes).collect::<Result<_, _>>()?
    } else {
        pems.into_iter().map(pem::Pem::into_contents).collect()
    };
    let raw = |der: Vec<u8>| der.strip_prefix(&SPKI).map(<[u8]>::to_vec).unwrap_or(der);
    Ok(ders.into_iter().map(raw).collect())
}

fn pem_of(public: &[u8]) -> String {
    let lines = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
    let der = [&SPKI, public].concat();
    pem::encode_config(&pem::Pem::new("PUBLIC KEY", der), lines)
}

fn id_of(public: &[u8]) -> String {
    hex::encode(&Sha256::digest(public)[..8])
}

fn bytes(word: &str) -> Result<Vec<u8>, KeyError> {
    let as_hex = hex::decode(word).ok().filter(|it| it.len() == 32);
    as_hex
        .or_else(|| STANDARD.decode(word).ok())
        .ok_or(KeyError::Unreadable)
}

/// Bytes in their one spelling: a digit that may be written in two ways could be changed unseen.
pub(crate) fn lower_hex(text: &str) -> Option<Vec<u8>> {
    let lower = |it: u8| it.is_ascii_digit() || (b'a'..=b'f').contains(&it);
    if !text.bytes().all(lower) {
        return None;
    }
    hex::decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8032, section 7.1, tests 2 and 3.
    #[test]
    fn signatures_are_those_of_the_rfc() {
        let vectors = [
            (
                "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
                "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
                "72",
                "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
            ),
            (
                "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
                "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
                "af82",
                "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
            ),
        ];
        for (seed, public, message, signature) in vectors {
            let der = format!("302e020100300506032b657004220420{seed}");
            let key = SigningKey::parse(&STANDARD.encode(hex::decode(der).unwrap())).unwrap();
            let message = hex::decode(message).unwrap();
            assert_eq!(key.sign(&message), signature);
            for trusted in [public, &key.public_pem()] {
                let ring = KeyRing::parse(trusted).unwrap();
                assert!(ring.holds(key.id(), &message, signature));
                assert!(!ring.holds(key.id(), b"another", signature));
                assert!(!ring.holds(key.id(), &message, &signature.to_uppercase()));
                assert!(!ring.holds("0000000000000000", &message, signature));
            }
        }
    }

    #[test]
    fn what_is_no_key_is_said_to_be_none() {
        assert!(KeyRing::parse("").is_err());
        assert!(KeyRing::parse("hello").is_err());
        assert!(SigningKey::parse("aGVsbG8=").is_err());
        let generated = SigningKey::generate().unwrap();
        assert_eq!(SigningKey::parse(&generated).unwrap().id().len(), 16);
    }
}
