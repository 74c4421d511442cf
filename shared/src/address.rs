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

/// Names for addresses that nobody can turn back who has not the deployment's secret: all IPv4
/// addresses could be tried in a minute against a plain digest.
pub struct Pseudonyms(Hmac<Sha256>);

impl Pseudonyms {
    pub fn new(key: &SecretString) -> Self {
        let key = key.expose_secret().as_bytes();
        // A key of HMAC may be of any length.
        Self(Hmac::new_from_slice(key).unwrap_or_else(|_| Hmac::new(&[0; 64].into())))
    }

    /// The first 16 bytes of HMAC-SHA256, in hexadecimal. An IPv4 address is the same in both of its
    /// spellings.
    pub fn of(&self, address: ClientAddress) -> String {
        let text = address.0.to_canonical().to_string();
        let mac = self.0.clone().chain_update(text).finalize().into_bytes();
        hex::encode(&mac[..16])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_one_pseudonym_per_deployment() {
        let of = |key: &str, address: &str| {
            let address = ClientAddress(address.parse().unwrap());
            Pseudonyms::new(&key.into()).of(address)
        };
        assert_eq!(of("a", "203.0.113.7").len(), 32);
        assert_eq!(of("a", "203.0.113.7"), of("a", "::ffff:203.0.113.7"));
        assert_ne!(of("a", "203.0.113.7"), of("a", "203.0.113.8"));
        assert_ne!(of("a", "203.0.113.7"), of("b", "203.0.113.7"));
    }
}
