//! Addresses that carry their own permission: where a file may be sent, which rendition or segment
//! may be fetched. `signature` is base64 of `<hexadecimal unix expiry>_<hexadecimal digest>`, as in
//! the addresses that Mux's players see.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Signs and checks paths with one secret.
pub(crate) struct PathSigner(Hmac<Sha256>);

impl PathSigner {
    pub(crate) fn new(secret: &[u8; 32]) -> Option<Self> {
        Hmac::new_from_slice(secret).ok().map(Self)
    }

    /// The signature of a path until a time, in Unix seconds.
    pub(crate) fn sign(&self, path: &str, expires: i64) -> String {
        let digest = self.mac(path, expires).finalize().into_bytes();
        URL_SAFE_NO_PAD.encode(format!("{expires:x}_{}", hex::encode(digest)))
    }

    /// Whether the signature is ours, of this path, and still good.
    pub(crate) fn allows(&self, path: &str, signature: &str, now: i64) -> bool {
        self.read(path, signature)
            .is_some_and(|expires| now < expires)
    }

    fn read(&self, path: &str, signature: &str) -> Option<i64> {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(signature).ok()?).ok()?;
        let (expires, digest) = text.split_once('_')?;
        let expires = i64::from_str_radix(expires, 16).ok()?;
        let digest = hex::decode(digest).ok()?;
        self.mac(path, expires).verify_slice(&digest).ok()?;
        Some(expires)
    }

    fn mac(&self, path: &str, expires: i64) -> Hmac<Sha256> {
        self.0
            .clone()
            .chain_update(expires.to_be_bytes())
            .chain_update(path)
    }
}
