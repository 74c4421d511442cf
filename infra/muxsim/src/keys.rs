//! Keys that sign playback tokens. Mux makes the pair, hands the private half out once, as base64 of
//! a PKCS#1 PEM, and checks tokens with the other half.

use aws_lc_rs::{
    encoding::AsDer,
    rsa::{KeyPair, KeySize},
    signature::KeyPair as _,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use jsonwebtoken::DecodingKey;
use pem::{EncodeConfig, LineEnding, Pem};
use pkcs8::PrivateKeyInfoRef;
use serde::{Deserialize, Serialize};

/// One signing key.
#[derive(Clone, Serialize, Deserialize)]
pub struct SigningKey {
    /// What a token's `kid` says.
    pub id: String,
    /// Base64 of a PEM, `-----BEGIN RSA PRIVATE KEY-----`.
    pub private_key: String,
    /// The public half: an `RSAPublicKey` in DER (RFC 8017, appendix A.1.1).
    public_key: Vec<u8>,
}

/// No key could be made.
#[derive(Debug, thiserror::Error)]
#[error("a signing key could not be made")]
pub struct KeyError;

impl SigningKey {
    /// A new 2,048-bit RSA pair.
    pub fn generate(id: impl Into<String>) -> Result<Self, KeyError> {
        let pair = KeyPair::generate(KeySize::Rsa2048).map_err(|_| KeyError)?;
        let pkcs8 = pair.as_der().map_err(|_| KeyError)?;
        let wrapped = PrivateKeyInfoRef::try_from(pkcs8.as_ref()).map_err(|_| KeyError)?;
        let pem = Pem::new("RSA PRIVATE KEY", wrapped.private_key.as_bytes());
        let lines = EncodeConfig::new().set_line_ending(LineEnding::LF);
        let pem = pem::encode_config(&pem, lines);
        Ok(Self {
            id: id.into(),
            private_key: STANDARD.encode(pem),
            public_key: pair.public_key().as_ref().to_vec(),
        })
    }
}

/// The half that checks tokens, which is all that Mux keeps.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct PublicKey {
    pub(crate) id: String,
    /// Unix seconds.
    pub(crate) created_at: i64,
    der: Vec<u8>,
}

impl PublicKey {
    pub(crate) fn of(key: &SigningKey, created_at: i64) -> Self {
        Self {
            id: key.id.clone(),
            created_at,
            der: key.public_key.clone(),
        }
    }

    pub(crate) fn decoding_key(&self) -> DecodingKey {
        DecodingKey::from_rsa_der(&self.der)
    }
}
