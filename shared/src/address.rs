//! Where a request comes from, as the platform says it. Never what a client can write itself: a
//! header such as `X-Forwarded-For` is not looked at where anybody but the platform may set it.

use std::{
    fmt,
    future::ready,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use axum::{
    Router,
    extract::{ConnectInfo, OptionalFromRequestParts, Request},
    http::request::Parts,
    middleware::map_request,
};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::problem::Problem;

/// The client's network address. It is about a person, so `Debug` shows nothing of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

impl ClientAddress {
    /// One address and nothing else: a list, a port or a name is none.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse().ok().map(Self)
    }

    /// Who counts as one client: an IPv4 address, or an IPv6 /64, within which a device takes
    /// another address every day (RFC 8981).
    pub fn client(self) -> String {
        match self.0.to_canonical() {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => half(address),
        }
    }

    /// The network that the client is in: an IPv4 /24 or an IPv6 /64.
    pub fn network(self) -> String {
        match self.0.to_canonical() {
            IpAddr::V4(address) => {
                let [a, b, c, _] = address.octets();
                format!("{}/24", Ipv4Addr::new(a, b, c, 0))
            }
            IpAddr::V6(address) => half(address),
        }
    }
}

fn half(address: Ipv6Addr) -> String {
    let [a, b, c, d, ..] = address.segments();
    format!("{}/64", Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
}

/// What texts about people are hidden under: the key of an HMAC, made ready once.
#[derive(Clone)]
pub struct PseudonymKey(Hmac<Sha256>);

impl PseudonymKey {
    /// `None` for no key at all.
    pub fn new(key: &str) -> Option<Self> {
        let made = Hmac::new_from_slice(key.as_bytes()).ok()?;
        (!key.is_empty()).then_some(Self(made))
    }

    /// What stands for a text that is about a person, always the same: HMAC-SHA256, cut to 32
    /// hexadecimal digits. Plain digests of addresses would be found by trying all four billion.
    pub fn hide(&self, text: &str) -> String {
        let digest = self.0.clone().chain_update(text).finalize().into_bytes();
        hex::encode(&digest[..16])
    }
}

impl fmt::Debug for PseudonymKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PseudonymKey(…)")
    }
}

/// The same router, told by its host where each request comes from. A host knows from the connection or
/// from the platform's own field; the router behind it trusts no header.
pub fn told_by(
    router: Router,
    host: impl Fn(&Request) -> Option<ClientAddress> + Clone + Send + Sync + 'static,
) -> Router {
    router.layer(map_request(move |mut request: Request| {
        let address = host(&request);
        request.extensions_mut().remove::<ClientAddress>();
        if let Some(address) = address {
            request.extensions_mut().insert(address);
        }
        ready(request)
    }))
}

/// Who is at the other end of the connection: right where nothing stands before us, as in the local
/// stack.
pub fn peer(request: &Request) -> Option<ClientAddress> {
    let ConnectInfo(peer) = request.extensions().get::<ConnectInfo<SocketAddr>>()?;
    Some(ClientAddress(peer.ip()))
}

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

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> ClientAddress {
        ClientAddress::parse(text).unwrap()
    }

    #[test]
    fn a_client_is_one_address_or_half_of_one() {
        assert_eq!(of("203.0.113.7").client(), "203.0.113.7");
        assert_eq!(of("::ffff:203.0.113.7").client(), "203.0.113.7");
        assert_eq!(of("2001:db8:1:2:3:4:5:6").client(), "2001:db8:1:2::/64");
        assert_eq!(of("2001:db8:1:2:9::").client(), "2001:db8:1:2::/64");
        assert_ne!(of("2001:db8:1:3::1").client(), "2001:db8:1:2::/64");
        assert_eq!(of("203.0.113.7").network(), "203.0.113.0/24");
        assert_eq!(of("2001:db8:1:2:3:4:5:6").network(), "2001:db8:1:2::/64");
    }

    #[test]
    fn only_one_plain_address_is_one() {
        for text in [
            "",
            " ",
            "203.0.113.7, 198.51.100.1",
            "203.0.113.7:443",
            "unknown",
            "[::1]",
        ] {
            assert!(ClientAddress::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_pseudonym_is_stable_and_needs_the_key() {
        let [key, other] = ["one", "other"].map(|it| PseudonymKey::new(it).unwrap());
        let named = |address: &str, key: &PseudonymKey| key.hide(&of(address).client());
        let name = named("203.0.113.7", &key);
        assert_eq!(name, "e339d5a5f9c4c15a58ce77d8f3e56cfd");
        assert_eq!(name, named("::ffff:203.0.113.7", &key));
        assert_ne!(name, named("203.0.113.7", &other));
        assert_ne!(name, named("203.0.113.8", &key));
    }
}
