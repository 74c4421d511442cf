//! Playback tokens: RS256 JWTs that Mux's stream and image addresses ask for
//! (mux.com/docs/guides/secure-video-playback). S0-064, S0-068.

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{RSA_PKCS1_SHA256, RsaKeyPair},
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use time::{Duration, OffsetDateTime};
use url::Url;

use super::PlaybackId;

/// The longest life of a playback token (S0-004, S0-064).
pub const TOKEN_LIFE: Duration = Duration::minutes(15);

/// What a token opens: Mux's `aud` claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    Video,
    Thumbnail,
    Storyboard,
}

impl Audience {
    fn claim(self) -> &'static str {
        match self {
            Self::Video => "v",
            Self::Thumbnail => "t",
            Self::Storyboard => "s",
        }
    }

    /// What follows the playback id in the address.
    fn path(self) -> &'static str {
        match self {
            Self::Video => ".m3u8",
            Self::Thumbnail => "/thumbnail.jpg",
            Self::Storyboard => "/storyboard.vtt",
        }
    }
}

/// Signs playback tokens. The key is parsed once: parsing costs more than a signature.
pub struct PlaybackSigner {
    key: RsaKeyPair,
    random: SystemRandom,
    header: String,
    key_id: String,
    stream: Url,
    image: Url,
}

/// Why there can be no signer, or no signature.
#[derive(Debug, thiserror::Error)]
pub enum SigningError {
    #[error("MUX_SIGNING_PRIVATE_KEY is not base64 of a PEM with an RSA private key")]
    Key,
    #[error("the playback token could not be signed")]
    Sign,
    #[error("the playback address could not be made")]
    Address,
}

impl PlaybackSigner {
    /// `private_key` is what Mux hands out once: base64 of a PEM, PKCS#1; PKCS#8 works too.
    pub fn new(
        key_id: &str,
        private_key: &SecretString,
        stream: Url,
        image: Url,
    ) -> Result<Self, SigningError> {
        let text = private_key.expose_secret().trim();
        let pem = STANDARD.decode(text).map_err(|_| SigningError::Key)?;
        let der = pem::parse(pem).map_err(|_| SigningError::Key)?;
        let key = RsaKeyPair::from_der(der.contents())
            .or_else(|_| RsaKeyPair::from_pkcs8(der.contents()))
            .map_err(|_| SigningError::Key)?;
        let header = json!({"alg": "RS256", "typ": "JWT", "kid": key_id}).to_string();
        Ok(Self {
            key,
            random: SystemRandom::new(),
            header: URL_SAFE_NO_PAD.encode(header),
            key_id: key_id.to_owned(),
            stream,
            image,
        })
    }

    /// The address of one thing to fetch, with its token, good until `expires` (whole seconds).
    pub fn address(
        &self,
        playback: &PlaybackId,
        audience: Audience,
        expires: OffsetDateTime,
    ) -> Result<Url, SigningError> {
        let base = match audience {
            Audience::Video => &self.stream,
            Audience::Thumbnail | Audience::Storyboard => &self.image,
        };
        let mut url = base.clone();
        let path = format!("{}{}", playback.as_str(), audience.path());
        url.path_segments_mut()
            .map_err(|()| SigningError::Address)?
            .pop_if_empty()
            .extend(path.split('/'));
        let token = self.token(playback, audience, expires)?;
        url.query_pairs_mut().append_pair("token", &token);
        Ok(url)
    }

    /// `kid` stands in the header and in the payload: Mux's own SDKs disagree, and it reads both.
    fn token(
        &self,
        playback: &PlaybackId,
        audience: Audience,
        expires: OffsetDateTime,
    ) -> Result<String, SigningError> {
        let claims = json!({
            "sub": playback.as_str(),
            "aud": audience.claim(),
            "exp": expires.unix_timestamp(),
            "kid": self.key_id,
        });
        let claims = URL_SAFE_NO_PAD.encode(claims.to_string());
        let mut token = format!("{}.{claims}", self.header);
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key
            .sign(
                &RSA_PKCS1_SHA256,
                &self.random,
                token.as_bytes(),
                &mut signature,
            )
            .map_err(|_| SigningError::Sign)?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(token)
    }
}
