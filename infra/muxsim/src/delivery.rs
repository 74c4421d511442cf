//! What viewers fetch: the playlist, which asks for a token, and renditions and segments, whose
//! addresses carry their own signature.

use axum::{
    Json, Router,
    body::Body,
    extract::{Path, Query, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use jsonwebtoken::{Algorithm, Validation};
use m3u8_rs::{
    MasterPlaylist, MediaPlaylist, MediaPlaylistType, MediaSegment, Resolution, VariantStream,
};
use serde::Deserialize;
use serde_json::json;
use tokio_util::io::ReaderStream;

use crate::{
    cors,
    documents::{Asset, AssetStatus, PlaybackPointer, Policy},
    ids,
    media::Rendition,
    sim::Sim,
    state::Kind,
};

pub(crate) fn router() -> Router<Sim> {
    Router::new()
        .route("/stream/{name}", get(playlist))
        .route(
            "/manifest/{asset}/{rendition}/rendition.m3u8",
            get(rendition),
        )
        .route("/chunk/{asset}/{rendition}/{file}", get(chunk))
}

/// A refusal: the code and message of Mux's streaming hosts.
struct Refusal(StatusCode, u8, &'static str);

const DENIED: Refusal = Refusal(StatusCode::FORBIDDEN, 7, "Forbidden");
const UNKNOWN: Refusal = Refusal(StatusCode::NOT_FOUND, 5, "Not Found");
const INVALID: Refusal = Refusal(StatusCode::BAD_REQUEST, 3, "Invalid parameter");
const NOT_READY: Refusal = Refusal(StatusCode::PRECONDITION_FAILED, 9, "Asset not ready");
const BROKEN: Refusal = Refusal(StatusCode::INTERNAL_SERVER_ERROR, 13, "Internal");

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = Json(json!({"code": self.1, "message": self.2}));
        (self.0, [cors::of_stream()], body).into_response()
    }
}

#[derive(Deserialize)]
struct Token {
    token: Option<String>,
}

async fn playlist(
    State(sim): State<Sim>,
    Path(name): Path<String>,
    Query(token): Query<Token>,
) -> Result<Response, Refusal> {
    let playback = name.strip_suffix(".m3u8").ok_or(UNKNOWN)?;
    if !ids::is_plausible(playback) {
        return Err(INVALID);
    }
    let pointer: Option<PlaybackPointer> = sim
        .state()
        .get(Kind::Playback, playback)
        .map_err(|_| BROKEN)?;
    let pointer = pointer.ok_or(UNKNOWN)?;
    if pointer.policy == Policy::Signed {
        check(&sim, token.token.as_deref().ok_or(DENIED)?, playback, "v")?;
    }
    let asset: Option<Asset> = sim
        .state()
        .get(Kind::Asset, &pointer.asset_id)
        .map_err(|_| BROKEN)?;
    let asset = asset.ok_or(UNKNOWN)?;
    let media = asset
        .media
        .filter(|_| asset.status == AssetStatus::Ready)
        .ok_or(NOT_READY)?;
    let variants = media
        .renditions
        .iter()
        .map(|it| variant(&sim, &asset.id, it))
        .collect();
    let playlist = MasterPlaylist {
        version: Some(7),
        independent_segments: true,
        variants,
        ..MasterPlaylist::default()
    };
    written(|to| playlist.write_to(to))
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
    aud: String,
    exp: i64,
    kid: Option<String>,
}

/// The key that `kid` names, in the header or the payload; then the signature; then what it is for.
fn check(sim: &Sim, token: &str, playback: &str, audience: &str) -> Result<(), Refusal> {
    let header = jsonwebtoken::decode_header(token).map_err(|_| DENIED)?;
    let unchecked: Claims = jsonwebtoken::dangerous::insecure_decode(token)
        .map_err(|_| DENIED)?
        .claims;
    let id = header.kid.or(unchecked.kid).ok_or(DENIED)?;
    let key = sim
        .options()
        .signing_keys
        .iter()
        .find(|key| key.id == id)
        .ok_or(DENIED)?;
    let mut signature_only = Validation::new(Algorithm::RS256);
    signature_only.required_spec_claims.clear();
    signature_only.validate_exp = false;
    signature_only.validate_aud = false;
    let claims = jsonwebtoken::decode::<Claims>(token, &key.decoding_key(), &signature_only)
        .map_err(|_| DENIED)?
        .claims;
    let good =
        claims.sub == playback && claims.aud == audience && claims.exp > sim.now().unix_timestamp();
    good.then_some(()).ok_or(DENIED)
}

fn variant(sim: &Sim, asset: &str, rendition: &Rendition) -> VariantStream {
    let path = format!("/manifest/{asset}/{}/rendition.m3u8", rendition.name);
    let dimensions = rendition.width.zip(rendition.height);
    VariantStream {
        uri: signed(sim, &path),
        bandwidth: rendition.bandwidth,
        codecs: Some(rendition.codecs.clone()),
        resolution: dimensions.map(|(width, height)| Resolution {
            width: width.into(),
            height: height.into(),
        }),
        ..VariantStream::default()
    }
}

/// An absolute address that is good for a while, token or no token.
fn signed(sim: &Sim, path: &str) -> String {
    let expires = (sim.now() + sim.options().segment_life).unix_timestamp();
    let signature = sim.paths().sign(path, expires);
    let base = &sim.options().public_url;
    format!("{base}{path}?expires={expires}&skid=default&signature={signature}")
}

#[derive(Deserialize)]
struct Signed {
    #[serde(default)]
    signature: String,
}

fn permitted(sim: &Sim, path: &str, signed: &Signed) -> Result<(), Refusal> {
    let now = sim.now().unix_timestamp();
    let good = sim.paths().allows(path, &signed.signature, now);
    good.then_some(()).ok_or(DENIED)
}

async fn rendition(
    State(sim): State<Sim>,
    Path((asset, name)): Path<(String, String)>,
    Query(signature): Query<Signed>,
) -> Result<Response, Refusal> {
    permitted(
        &sim,
        &format!("/manifest/{asset}/{name}/rendition.m3u8"),
        &signature,
    )?;
    let found: Option<Asset> = sim.state().get(Kind::Asset, &asset).map_err(|_| BROKEN)?;
    let media = found.and_then(|it| it.media).ok_or(UNKNOWN)?;
    let rendition = media
        .renditions
        .iter()
        .find(|it| it.name == name)
        .ok_or(UNKNOWN)?;
    let file = |file: &str| signed(&sim, &format!("/chunk/{asset}/{name}/{file}"));
    let map = m3u8_rs::Map {
        uri: file("init.mp4"),
        ..m3u8_rs::Map::default()
    };
    let segments: Vec<MediaSegment> = rendition
        .segment_seconds
        .iter()
        .enumerate()
        .map(|(n, seconds)| MediaSegment {
            uri: file(&format!("{n}.m4s")),
            duration: shortened(*seconds),
            map: (n == 0).then(|| map.clone()),
            ..MediaSegment::default()
        })
        .collect();
    let playlist = MediaPlaylist {
        version: Some(7),
        target_duration: rendition
            .segment_seconds
            .iter()
            .fold(1, |most, it| most.max(whole(*it))),
        playlist_type: Some(MediaPlaylistType::Vod),
        end_list: true,
        segments,
        ..MediaPlaylist::default()
    };
    written(|to| playlist.write_to(to))
}

#[expect(clippy::cast_possible_truncation, reason = "a segment lasts seconds")]
fn shortened(seconds: f64) -> f32 {
    seconds as f32
}

/// The target duration is at least every segment's, rounded (RFC 8216, section 4.3.3.1).
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a segment lasts seconds"
)]
fn whole(seconds: f64) -> u64 {
    seconds.ceil() as u64
}

fn written(write: impl FnOnce(&mut Vec<u8>) -> std::io::Result<()>) -> Result<Response, Refusal> {
    let mut text = Vec::new();
    write(&mut text).map_err(|_| BROKEN)?;
    let kind = (
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("application/vnd.apple.mpegurl"),
    );
    let cache = (
        header::CACHE_CONTROL,
        header::HeaderValue::from_static("private, max-age=0"),
    );
    Ok(([kind, cache, cors::of_stream()], text).into_response())
}

async fn chunk(
    State(sim): State<Sim>,
    Path((asset, rendition, file)): Path<(String, String, String)>,
    Query(signature): Query<Signed>,
) -> Result<Response, Refusal> {
    // The path is one that was signed here, so it names no file but ours.
    permitted(
        &sim,
        &format!("/chunk/{asset}/{rendition}/{file}"),
        &signature,
    )?;
    let path = sim.media_folder(&asset).join(rendition).join(file);
    let file = tokio::fs::File::open(path).await.map_err(|_| UNKNOWN)?;
    let length = file.metadata().await.map_err(|_| BROKEN)?.len();
    let kind = (
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("video/mp4"),
    );
    let length = (header::CONTENT_LENGTH, length.into());
    let body = Body::from_stream(ReaderStream::new(file));
    Ok(([kind, length, cors::of_stream()], body).into_response())
}
