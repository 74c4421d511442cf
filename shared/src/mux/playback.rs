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
use quick_cache::sync::Cache;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::json;
use time::{Duration, OffsetDateTime};
use url::Url;

use super::{PlaybackId, RestrictionId};

/// The longest life of a playback token (S0-004, S0-064).
pub const TOKEN_LIFE: Duration = Duration::minutes(15);

/// For how long an address is given to everybody who asks for the same: a signature is the most of
/// what opening a link costs.
const MEMO_LIFE: Duration = Duration::seconds(30);

/// How many addresses are remembered: about a megabyte.
const MEMO_SIZE: usize = 1_000;

/// What a token opens: Mux's `aud` claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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

/// The tallest picture that a token plays: Mux's `max_resolution`
/// (mux.com/docs/guides/control-playback-resolution).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Resolution {
    #[serde(rename = "270p")]
    P270,
    #[serde(rename = "360p")]
    P360,
    #[serde(rename = "480p")]
    P480,
    #[serde(rename = "540p")]
    P540,
    #[serde(rename = "720p")]
    P720,
    #[serde(rename = "1080p")]
    P1080,
    #[serde(rename = "1440p")]
    P1440,
    #[serde(rename = "2160p")]
    P2160,
}

/// What a token allows beside what it opens. It stands in the token: an address with a parameter of
/// its own would not be signed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Terms {
    pub resolution: Option<Resolution>,
    pub restriction: Option<RestrictionId>,
}

/// Signs playback tokens. The key is parsed once: parsing costs more than a signature.
pub struct PlaybackSigner {
    key: RsaKeyPair,
    random: SystemRandom,
    header: String,
    key_id: String,
    stream: Url,
    image: Url,
    memo: Cache<(PlaybackId, Audience, Terms), Signed>,
}

/// The address of one thing to fetch, and until when its token holds.
#[derive(Debug, Clone)]
pub struct Signed {
    pub url: Url,
    pub expires_at: OffsetDateTime,
    /// It was made for somebody else before.
    pub remembered: bool,
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
            memo: Cache::new(MEMO_SIZE),
        })
    }

    /// The address of one thing to fetch, with its token, good until `expires` (whole seconds), or
    /// one that was made less than half a minute ago, and is good for as much less. Whether anybody
    /// may have it was decided before: nothing is remembered of that.
    pub fn address(
        &self,
        playback: &PlaybackId,
        audience: Audience,
        terms: &Terms,
        expires: OffsetDateTime,
    ) -> Result<Signed, SigningError> {
        let key = (playback.clone(), audience, terms.clone());
        let made = self.memo.get(&key);
        let good = |it: &Signed| (Duration::ZERO..=MEMO_LIFE).contains(&(expires - it.expires_at));
        if let Some(signed) = made.filter(good) {
            return Ok(signed);
        }
        let signed = Signed {
            url: self.sign(playback, audience, terms, expires)?,
            expires_at: expires,
            remembered: false,
        };
        let remembered = Signed {
            remembered: true,
            ..signed.clone()
        };
        self.memo.insert(key, remembered);
        Ok(signed)
    }

    fn sign(
        &self,
        playback: &PlaybackId,
        audience: Audience,
        terms: &Terms,
        expires: OffsetDateTime,
    ) -> Result<Url, SigningError> {
        let mut url = self.unsigned(playback, audience)?;
        let token = self.token(playback, audience, terms, expires)?;
        url.query_pairs_mut().append_pair("token", &token);
        Ok(url)
    }

    /// The address without a token: good only for a public playback id, which everybody can play.
    pub fn unsigned(&self, playback: &PlaybackId, audience: Audience) -> Result<Url, SigningError> {
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
        Ok(url)
    }

    /// `kid` stands in the header and in the payload: Mux's own SDKs disagree, and it reads both.
    fn token(
        &self,
        playback: &PlaybackId,
        audience: Audience,
        terms: &Terms,
        expires: OffsetDateTime,
    ) -> Result<String, SigningError> {
        let mut claims = json!({
            "sub": playback.as_str(),
            "aud": audience.claim(),
            "exp": expires.unix_timestamp(),
            "kid": self.key_id,
        });
        // A picture has one size; only a stream has taller and smaller ones.
        if let (Audience::Video, Some(resolution)) = (audience, terms.resolution) {
            claims["max_resolution"] = json!(resolution);
        }
        if let Some(restriction) = &terms.restriction {
            claims["playback_restriction_id"] = json!(restriction);
        }
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
