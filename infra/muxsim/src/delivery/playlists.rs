//! Playlists: which renditions there are, and which segments a rendition has.

use axum::{
    Router,
    extract::{Path, Query, State},
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
    routing::get,
};
use m3u8_rs::{
    AlternativeMedia, AlternativeMediaType, MasterPlaylist, MediaPlaylist, MediaPlaylistType,
    MediaSegment, Resolution, VariantStream,
};

use super::{
    BROKEN, INVALID, Parameters, Refusal, UNKNOWN,
    opaque::{Place, Signed},
    tokens::{Admitted, admit},
};
use crate::{
    cors,
    documents::{AddedTrack, Asset, TrackStatus, TrackType},
    media::{Rendition, statics::HEIGHTS},
    sim::Sim,
    state::Kind,
};

/// The hosts that playlists lead to (`manifest-….mux.com`, `chunk-….mux.com`).
pub(super) const MANIFEST: &str = "manifest";
pub(super) const CHUNK: &str = "v1/chunk";

pub(super) fn router() -> Router<Sim> {
    Router::new().route("/manifest/{opaque}/{file}", get(rendition))
}

/// What a viewer may ask of a playlist (mux.com/docs: HLS playback parameters). Those that change
/// nothing here are taken all the same.
struct Wish {
    tallest: u32,
    smallest: u32,
    best_first: bool,
    subtitles: Option<String>,
    clip: Option<(f64, f64)>,
}

impl Wish {
    fn of(parameters: &Parameters) -> Result<Self, Refusal> {
        let text = |name: &str| parameters.get(name).map(String::as_str);
        let height = |name: &str| {
            let Some(wanted) = text(name) else {
                return Ok(None);
            };
            let known = HEIGHTS.iter().find(|it| format!("{it}p") == wanted);
            known.copied().map(Some).ok_or(INVALID)
        };
        let seconds = |name: &str| {
            let Some(wanted) = text(name) else {
                return Ok(None);
            };
            let number = wanted
                .parse::<f64>()
                .ok()
                .filter(|it| *it >= 0.0 && it.is_finite());
            number.map(Some).ok_or(INVALID)
        };
        let (start, end) = (seconds("asset_start_time")?, seconds("asset_end_time")?);
        let clip = (start.unwrap_or(0.0), end.unwrap_or(f64::MAX));
        if clip.0 >= clip.1 {
            return Err(INVALID);
        }
        let wish = Self {
            tallest: height("max_resolution")?.unwrap_or(u32::MAX),
            smallest: height("min_resolution")?.unwrap_or(0),
            best_first: match text("rendition_order") {
                None => false,
                Some("desc") => true,
                Some(_) => return Err(INVALID),
            },
            subtitles: text("default_subtitles_lang").map(str::to_owned),
            clip: start.or(end).map(|_| clip),
        };
        (wish.smallest <= wish.tallest)
            .then_some(wish)
            .ok_or(INVALID)
    }

    /// Those between the bounds; if there are none, the one that comes nearest.
    fn choose<'a>(&self, all: &'a [Rendition]) -> Vec<&'a Rendition> {
        // The shorter side is what a resolution is called by: an upright 1080p is 1080 wide.
        let side = |it: &Rendition| it.height.min(it.width).unwrap_or(0);
        let within = |it: &&Rendition| (self.smallest..=self.tallest).contains(&side(it));
        let mut chosen: Vec<&Rendition> = all.iter().filter(within).collect();
        if chosen.is_empty() {
            let smallest = all.iter().min_by_key(|it| side(it));
            let tallest = all.iter().max_by_key(|it| side(it));
            let below = smallest.is_some_and(|it| side(it) > self.tallest);
            chosen.extend(if below { smallest } else { tallest });
        }
        if self.best_first {
            chosen.reverse();
        }
        chosen
    }
}

pub(super) async fn multivariant(
    State(sim): State<Sim>,
    Path(name): Path<String>,
    Query(query): Query<Parameters>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let playback = name.strip_suffix(".m3u8").ok_or(UNKNOWN)?;
    let admitted = admit(&sim, playback, "v", &query, &headers)?;
    let wish = Wish::of(&admitted.parameters)?;
    let place = |track: Option<&AddedTrack>, rendition: &str| Place {
        playback: admitted.playback.clone(),
        asset: admitted.asset.id.clone(),
        track: track.map(|it| it.id.clone()),
        rendition: rendition.to_owned(),
        clip: wish.clip,
    };
    let alternatives = alternatives(&sim, &admitted, &wish, &place);
    let has = |kind: AlternativeMediaType, group: &str| {
        let any = alternatives.iter().any(|it| it.media_type == kind);
        any.then(|| group.to_owned())
    };
    let variants = wish.choose(&admitted.media.renditions).into_iter();
    let variants = variants
        .map(|it| VariantStream {
            audio: has(AlternativeMediaType::Audio, "audio"),
            subtitles: has(AlternativeMediaType::Subtitles, "subtitles"),
            ..variant(
                it,
                place(None, &it.name).address(&sim, MANIFEST, "rendition.m3u8"),
            )
        })
        .collect();
    let playlist = MasterPlaylist {
        version: Some(7),
        independent_segments: true,
        variants,
        alternatives,
        ..MasterPlaylist::default()
    };
    written(|to| playlist.write_to(to))
}

fn variant(rendition: &Rendition, uri: String) -> VariantStream {
    let dimensions = rendition.width.zip(rendition.height);
    VariantStream {
        uri,
        bandwidth: rendition.bandwidth,
        codecs: Some(rendition.codecs.clone()),
        resolution: dimensions.map(|(width, height)| Resolution {
            width: width.into(),
            height: height.into(),
        }),
        ..VariantStream::default()
    }
}

/// Subtitles, and further sound beside that of the pictures.
fn alternatives(
    sim: &Sim,
    admitted: &Admitted,
    wish: &Wish,
    place: &impl Fn(Option<&AddedTrack>, &str) -> Place,
) -> Vec<AlternativeMedia> {
    let ready = admitted.asset.added_tracks.iter();
    let ready = ready.filter(|it| it.status == TrackStatus::Ready);
    let mut all: Vec<AlternativeMedia> = ready
        .filter_map(|it| {
            let rendition = match it.kind {
                TrackType::Text => "text".to_owned(),
                TrackType::Audio => it.media.as_ref()?.renditions.first()?.name.clone(),
            };
            let uri = place(Some(it), &rendition).address(sim, MANIFEST, "rendition.m3u8");
            Some(alternative(it, uri, wish))
        })
        .collect();
    if all
        .iter()
        .any(|it| it.media_type == AlternativeMediaType::Audio)
    {
        let own = AlternativeMedia {
            media_type: AlternativeMediaType::Audio,
            group_id: "audio".to_owned(),
            name: "Default".to_owned(),
            default: true,
            autoselect: true,
            ..AlternativeMedia::default()
        };
        all.insert(0, own);
    }
    all
}

fn alternative(track: &AddedTrack, uri: String, wish: &Wish) -> AlternativeMedia {
    let text = track.kind == TrackType::Text;
    let captions = "public.accessibility.transcribes-spoken-dialog,public.accessibility.describes-music-and-sound";
    AlternativeMedia {
        media_type: if text {
            AlternativeMediaType::Subtitles
        } else {
            AlternativeMediaType::Audio
        },
        uri: Some(uri),
        group_id: if text { "subtitles" } else { "audio" }.to_owned(),
        language: Some(track.language_code.clone()),
        name: track.name.clone(),
        default: text && wish.subtitles.as_ref() == Some(&track.language_code),
        autoselect: true,
        characteristics: track.closed_captions.then(|| captions.to_owned()),
        ..AlternativeMedia::default()
    }
}

async fn rendition(
    State(sim): State<Sim>,
    Path((opaque, file)): Path<(String, String)>,
    Query(signed): Query<Signed>,
) -> Result<Response, Refusal> {
    let place = Place::of(&sim, MANIFEST, &opaque, &file, &signed)?;
    let asset: Option<Asset> = super::found(&sim, Kind::Asset, &place.asset)?;
    let asset = asset.ok_or(UNKNOWN)?;
    let map = m3u8_rs::Map {
        uri: place.address(&sim, CHUNK, "init.mp4"),
        ..m3u8_rs::Map::default()
    };
    let text = place.rendition == "text";
    let lengths = if text {
        vec![asset.duration()]
    } else {
        found(&asset, &place)
            .ok_or(UNKNOWN)?
            .segment_seconds
            .clone()
    };
    let mut starts = 0.0;
    let mut segments = Vec::new();
    for (n, seconds) in lengths.iter().enumerate() {
        let (start, end) = (starts, starts + seconds);
        starts = end;
        if place
            .clip
            .is_some_and(|(from, to)| end <= from || start >= to)
        {
            continue;
        }
        let name = if text {
            "all.vtt".to_owned()
        } else {
            format!("{n}.m4s")
        };
        segments.push(MediaSegment {
            uri: place.address(&sim, CHUNK, &name),
            duration: shortened(*seconds),
            map: (segments.is_empty() && !text).then(|| map.clone()),
            ..MediaSegment::default()
        });
    }
    let playlist = MediaPlaylist {
        version: Some(7),
        target_duration: lengths.iter().fold(1, |most, it| most.max(whole(*it))),
        playlist_type: Some(MediaPlaylistType::Vod),
        end_list: true,
        segments,
        ..MediaPlaylist::default()
    };
    written(|to| playlist.write_to(to))
}

/// The rendition that an address means: one of the asset, or of a track of it.
pub(super) fn found<'a>(asset: &'a Asset, place: &Place) -> Option<&'a Rendition> {
    let media = match &place.track {
        Some(track) => {
            let mut tracks = asset.added_tracks.iter();
            tracks.find(|it| &it.id == track)?.media.as_ref()?
        }
        None => asset.media.as_ref()?,
    };
    media
        .renditions
        .iter()
        .find(|it| it.name == place.rendition)
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
