//! Where a request comes from, as the platform says it. Never what a client can write itself: a
//! header such as `X-Forwarded-For` is not looked at where anybody but the platform may set it.

use std::{fmt, net::IpAddr};

use axum::{extract::OptionalFromRequestParts, http::request::Parts};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

use crate::problem::Problem;

/// The client's network address. It is about a person, so `Debug` shows nothing of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

impl fmt::Debug for ClientAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientAddress(…)")
    }
}

/// As the runtime's adapter has put it into the request's extensions.
impl<S: Sync> OptionalFromRequestParts<S> for ClientAddress {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Problem> {
        Ok(parts.extensions.get().copied())
    }
}

/// A text about a person, hidden: the same one is always the same, and nobody without the key can
/// tell which it is. 16 bytes, in hexadecimal.
pub fn pseudonym(key: &SecretString, text: &str) -> String {
    let key = key.expose_secret().as_bytes();
    let Ok(mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return String::new(); // never: a key may have any length
    };
    hex::encode(&mac.chain_update(text).finalize().into_bytes()[..16])
}
