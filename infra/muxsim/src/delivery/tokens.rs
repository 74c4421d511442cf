//! Who may watch: the token of a signed playback id, what it is for, and what restricts it.

use axum::http::HeaderMap;
use jsonwebtoken::{Algorithm, Validation};
use serde::Deserialize;
use serde_json::{Map, Value};
use time::OffsetDateTime;

use super::{DENIED, INVALID, NOT_READY, Parameters, Refusal, UNKNOWN, found};
use crate::{
    documents::{Asset, AssetStatus, PlaybackPointer, Policy},
    ids,
    keys::PublicKey,
    media::Packaged,
    restrictions::Restriction,
    sim::Sim,
    state::Kind,
};

/// Claims that say who may; all others are parameters of what is fetched.
const OWN: [&str; 10] = [
    "sub",
    "aud",
    "exp",
    "kid",
    "iat",
    "nbf",
    "iss",
    "jti",
    "custom",
    "playback_restriction_id",
];

/// One who may watch, and what.
pub(super) struct Admitted {
    pub(super) playback: String,
    pub(super) asset: Asset,
    pub(super) media: Packaged,
    pub(super) parameters: Parameters,
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
    aud: String,
    /// Unix seconds; a fraction is one too (RFC 7519, section 2).
    exp: f64,
    kid: Option<String>,
    playback_restriction_id: Option<String>,
    #[serde(flatten)]
    all: Map<String, Value>,
}

/// Looks a playback id up and its token through. `audience` is the letter for what is fetched.
pub(super) fn admit(
    sim: &Sim,
    playback: &str,
    audience: &str,
    query: &Parameters,
    headers: &HeaderMap,
) -> Result<Admitted, Refusal> {
    if !ids::is_plausible(playback) {
        return Err(INVALID);
    }
    let pointer: Option<PlaybackPointer> = found(sim, Kind::Playback, playback)?;
    let pointer = pointer.ok_or(UNKNOWN)?;
    let parameters = match pointer.policy {
        Policy::Signed => {
            let token = query.get("token").ok_or(DENIED)?;
            let claims = check(sim, token, playback, audience)?;
            restrict(sim, &claims, headers)?;
            if query.len() > 1 && !sim.options().stray_parameters {
                return Err(INVALID);
            }
            parameters(&claims)
        }
        Policy::Public => {
            let named = |it: &(&String, &String)| it.0 != "token";
            let all = query.iter().filter(named);
            all.map(|(name, value)| (name.clone(), value.clone()))
                .collect()
        }
    };
    let asset: Option<Asset> = found(sim, Kind::Asset, &pointer.asset_id)?;
    let asset = asset.ok_or(UNKNOWN)?;
    let media = asset
        .media
        .clone()
        .filter(|_| asset.status == AssetStatus::Ready)
        .ok_or(NOT_READY)?;
    Ok(Admitted {
        playback: playback.to_owned(),
        asset,
        media,
        parameters,
    })
}

/// The key that `kid` names, in the header or the payload; then the signature; then what it is for.
fn check(sim: &Sim, token: &str, playback: &str, audience: &str) -> Result<Claims, Refusal> {
    let header = jsonwebtoken::decode_header(token).map_err(|_| DENIED)?;
    let unchecked: Claims = jsonwebtoken::dangerous::insecure_decode(token)
        .map_err(|_| DENIED)?
        .claims;
    let id = header.kid.or(unchecked.kid).ok_or(DENIED)?;
    let key: Option<PublicKey> = found(sim, Kind::SigningKey, &id)?;
    let key = key.ok_or(DENIED)?;
    let mut signature_only = Validation::new(Algorithm::RS256);
    signature_only.required_spec_claims.clear();
    signature_only.validate_exp = false;
    signature_only.validate_aud = false;
    let claims = jsonwebtoken::decode::<Claims>(token, &key.decoding_key(), &signature_only)
        .map_err(|_| DENIED)?
        .claims;
    let now = (sim.now() - OffsetDateTime::UNIX_EPOCH).as_seconds_f64();
    let good = claims.sub == playback && claims.aud == audience && claims.exp > now;
    good.then_some(claims).ok_or(DENIED)
}

fn restrict(sim: &Sim, claims: &Claims, headers: &HeaderMap) -> Result<(), Refusal> {
    let Some(id) = &claims.playback_restriction_id else {
        return Ok(());
    };
    let restriction: Option<Restriction> = found(sim, Kind::Restriction, id)?;
    let allowed = restriction.is_some_and(|it| it.allows(headers));
    allowed.then_some(()).ok_or(DENIED)
}

/// Numbers and switches as they would stand in an address.
fn parameters(claims: &Claims) -> Parameters {
    let named = claims
        .all
        .iter()
        .filter(|(name, _)| !OWN.contains(&name.as_str()));
    named
        .map(|(name, value)| {
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            (name.clone(), text)
        })
        .collect()
}
