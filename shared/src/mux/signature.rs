//! Webhook signatures: `mux-signature: t=<unix seconds>,v1=<hex>` over `t.body`, HMAC-SHA256
//! (mux.com/docs/core/verify-webhook-signatures). S0-101, S1-050; hazards H1 and H2.

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use time::{Duration, OffsetDateTime};

/// How far a signature's time may be from ours, in both directions (S1-049).
pub const TOLERANCE: Duration = Duration::minutes(5);

/// How many `v1` values of one header are looked at: Mux sends one, a header may hold thousands.
const SIGNATURES_MAX: usize = 8;

/// Why a signature does not hold. For the log; a client is never told which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    #[error("there is no mux-signature header")]
    Missing,
    #[error("the mux-signature header is malformed")]
    Malformed,
    #[error("the signature is of another time")]
    Stale,
    #[error("no signature matches")]
    Mismatch,
}

/// Checks signatures against every configured secret. The keyed states are made once.
pub struct WebhookVerifier {
    keys: Vec<Hmac<Sha256>>,
}

impl WebhookVerifier {
    pub fn new(secrets: &[SecretString]) -> Self {
        let keys = secrets
            .iter()
            .filter_map(|secret| Hmac::new_from_slice(secret.expose_secret().as_bytes()).ok())
            .collect();
        Self { keys }
    }

    /// Whether the body was signed by a holder of one of the secrets, about now.
    pub fn verify(
        &self,
        header: Option<&str>,
        body: &[u8],
        now: OffsetDateTime,
    ) -> Result<(), SignatureError> {
        let header = Header::parse(header.ok_or(SignatureError::Missing)?)?;
        if !header.is_about(now) {
            return Err(SignatureError::Stale);
        }
        // Every signature is compared with every secret: how long it takes tells nothing.
        let mut matches = false;
        for key in &self.keys {
            let mac = key
                .clone()
                .chain_update(header.t)
                .chain_update(b".")
                .chain_update(body);
            for signature in &header.signatures {
                matches |= mac.clone().verify_slice(signature).is_ok();
            }
        }
        matches.then_some(()).ok_or(SignatureError::Mismatch)
    }
}

struct Header<'a> {
    /// The timestamp as it was sent: what is signed is this text, not a number.
    t: &'a str,
    signatures: Vec<[u8; 32]>,
}

impl<'a> Header<'a> {
    /// One `t` of plain digits and at least one `v1`; other schemes are passed over.
    fn parse(text: &'a str) -> Result<Self, SignatureError> {
        let mut t = None;
        let mut signatures = Vec::new();
        for item in text.split(',') {
            match item.split_once('=').ok_or(SignatureError::Malformed)? {
                ("t", _) if t.is_some() => return Err(SignatureError::Malformed),
                ("t", value) => t = Some(value),
                ("v1", value) if signatures.len() < SIGNATURES_MAX => {
                    signatures.extend(unhex(value));
                }
                _ => {}
            }
        }
        match t {
            Some(t) if is_canonical(t) && !signatures.is_empty() => Ok(Self { t, signatures }),
            _ => Err(SignatureError::Malformed),
        }
    }

    fn is_about(&self, now: OffsetDateTime) -> bool {
        let signed = self.t.parse().unwrap_or(i64::MIN);
        now.unix_timestamp().abs_diff(signed) <= TOLERANCE.whole_seconds().unsigned_abs()
    }
}

/// Digits without a leading zero: a number that has one spelling only.
fn is_canonical(t: &str) -> bool {
    (1..=15).contains(&t.len()) && t.bytes().all(|it| it.is_ascii_digit()) && !t.starts_with('0')
}

/// 64 lower-case hexadecimal digits, as Mux writes them.
fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    let lower = !text.bytes().any(|it| it.is_ascii_uppercase());
    hex::decode_to_slice(text, &mut bytes)
        .ok()
        .filter(|()| lower)?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = br#"{"test":"body"}"#;
    const T: i64 = 1_565_125_718;
    const V1: &str = "854ece4c22acef7c66b57d4e504153bc512595e8e9c772ece2a68150548c19a7";

    fn at(seconds: i64) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(seconds).unwrap()
    }

    fn check(header: &str, now: i64) -> Result<(), SignatureError> {
        let secrets = [
            "another".to_owned().into(),
            "SuperSecret123".to_owned().into(),
        ];
        WebhookVerifier::new(&secrets).verify(Some(header), BODY, at(now))
    }

    /// The vectors that Mux publishes with its SDKs for Node and Elixir.
    #[test]
    fn the_published_vectors_hold() {
        let secret = ["SuperSecret123".to_owned().into()];
        let verifier = WebhookVerifier::new(&secret);
        for (t, body, v1) in [
            (T, r#"{"test":"body"}"#, V1),
            (
                T,
                r#"{"test":{"nested":{"nanos":718234, "seconds":1691711005}}}"#,
                "bd315c24bce1c2b8ad325696f26530c8ef7d7d830afb7c1381903705d04607be",
            ),
            (
                1_591_664_030,
                "payload",
                "e43496b6aae982c4c2fd6f8e92935f1d90216f1f64d56024e72390acfb988272",
            ),
        ] {
            let header = format!("t={t},v1={v1}");
            assert_eq!(
                verifier.verify(Some(&header), body.as_bytes(), at(t)),
                Ok(())
            );
        }
    }

    #[test]
    fn one_good_signature_among_others_is_enough() {
        assert_eq!(check(&format!("t={T},v1=00,v2={V1},v1={V1}"), T), Ok(()));
        assert_eq!(check(&format!("v1={V1},t={T}"), T), Ok(()));
    }

    #[test]
    fn the_window_is_five_minutes_both_ways() {
        let header = format!("t={T},v1={V1}");
        assert_eq!(check(&header, T + 300), Ok(()));
        assert_eq!(check(&header, T - 300), Ok(()));
        assert_eq!(check(&header, T + 301), Err(SignatureError::Stale));
        assert_eq!(check(&header, T - 301), Err(SignatureError::Stale));
    }

    #[test]
    fn a_header_that_could_be_read_in_two_ways_is_refused() {
        for header in [
            String::new(),
            V1.to_owned(),
            format!("t={T}"),
            format!("v1={V1}"),
            format!("t={T},v2={V1}"),
            format!("t={T},t={T},v1={V1}"),
            format!("t=0{T},v1={V1}"),
            format!("t=+{T},v1={V1}"),
            format!("t={T}abc,v1={V1}"),
            format!("t={T}, v1={V1}"),
            format!("t={T}000000000,v1={V1}"),
            format!("t={T},v1={}", V1.to_uppercase()),
            format!("t={T},v1={V1}00"),
        ] {
            assert_eq!(
                check(&header, T),
                Err(SignatureError::Malformed),
                "{header}"
            );
        }
    }

    #[test]
    fn another_body_or_secret_does_not_match() {
        let header = format!("t={T},v1={V1}");
        let verifier = WebhookVerifier::new(&["another".to_owned().into()]);
        assert_eq!(
            verifier.verify(Some(&header), BODY, at(T)),
            Err(SignatureError::Mismatch)
        );
        let verifier = WebhookVerifier::new(&["SuperSecret123".to_owned().into()]);
        assert_eq!(
            verifier.verify(Some(&header), b"{}", at(T)),
            Err(SignatureError::Mismatch)
        );
        assert_eq!(
            verifier.verify(None, BODY, at(T)),
            Err(SignatureError::Missing)
        );
        let verifier = WebhookVerifier::new(&[]);
        assert_eq!(
            verifier.verify(Some(&header), BODY, at(T)),
            Err(SignatureError::Mismatch)
        );
    }
}
