//! Pictures of a video: thumbnails, animations, storyboards. Made by ffmpeg when they are first asked
//! for, and kept.

use std::path::{Path as FilePath, PathBuf};

use axum::{
    extract::{Path, Query, State},
    http::{header, request::Parts},
    response::{IntoResponse, Response},
};
use serde::de::{DeserializeOwned, IntoDeserializer};
use sha2::{Digest, Sha256};

use super::{
    BROKEN, INVALID, NO_FFMPEG, Parameters, Refusal, UNKNOWN, file, files,
    tokens::{Admitted, admit},
};
use crate::{
    cors,
    media::{
        MediaError, Watch,
        images::{self, Animation, Fit, Motion, Picture, Still, Storyboard},
    },
    sim::Sim,
};

/// Pixels of a side of a picture, at the most.
const SIDE_MAX: u32 = 4096;

/// At the root, where one address is for all of Mux's hosts, the name of the file decides.
pub(super) async fn or_rendition(
    sim: State<Sim>,
    path: Path<(String, String)>,
    query: Query<Parameters>,
    parts: Parts,
) -> Result<Response, Refusal> {
    let picture = ["thumbnail.", "animated.", "storyboard."];
    if picture.iter().any(|it| path.1.starts_with(it)) {
        return show(sim, path, query, parts).await;
    }
    files::rendition(sim, path, query, parts).await
}

pub(super) async fn show(
    State(sim): State<Sim>,
    Path((playback, name)): Path<(String, String)>,
    Query(query): Query<Parameters>,
    parts: Parts,
) -> Result<Response, Refusal> {
    let (kind, form) = name.split_once('.').ok_or(UNKNOWN)?;
    let audience = match kind {
        "thumbnail" => "t",
        "animated" => "g",
        "storyboard" => "s",
        _ => return Err(UNKNOWN),
    };
    let admitted = admit(&sim, &playback, audience, &query, &parts.headers)?;
    if admitted.asset.size().is_none() {
        return Err(UNKNOWN); // there is nothing to see
    }
    let asked = Asked(&admitted.parameters);
    let wanted = match (kind, form) {
        ("thumbnail", _) => Wanted::Still(asked.still(&admitted)?, picture(form)?),
        ("animated", "gif") => Wanted::Animation(asked.animation()?, Motion::Gif),
        ("animated", "webp") => Wanted::Animation(asked.animation()?, Motion::Webp),
        ("storyboard", "vtt" | "json") => {
            asked.only(&["format"])?;
            let format = asked.0.get("format").map_or("jpg", String::as_str);
            Wanted::Storyboard(picture(format)?)
        }
        ("storyboard", _) => {
            asked.only(&[])?;
            Wanted::Storyboard(picture(form)?)
        }
        _ => return Err(UNKNOWN),
    };
    let made = wanted.make(&sim, &admitted).await?;
    if form == "vtt" || form == "json" {
        return described(&sim, &admitted, &wanted, &made, form, &query).await;
    }
    file(&made, &parts, wanted.content_type()).await
}

fn picture(form: &str) -> Result<Picture, Refusal> {
    match form {
        "jpg" => Ok(Picture::Jpg),
        "png" => Ok(Picture::Png),
        "webp" => Ok(Picture::Webp),
        _ => Err(UNKNOWN),
    }
}

/// Where the tiles of a storyboard are. Its address has the same token.
async fn described(
    sim: &Sim,
    admitted: &Admitted,
    wanted: &Wanted,
    made: &FilePath,
    form: &str,
    query: &Parameters,
) -> Result<Response, Refusal> {
    let text = tokio::fs::read(beside(made)).await.map_err(|_| BROKEN)?;
    let board: Storyboard = serde_json::from_slice(&text).map_err(|_| BROKEN)?;
    let base = &sim.options().public_url;
    let token = query.get("token").map(|it| format!("?token={it}"));
    let address = format!(
        "{base}/image/{}/storyboard.{}{}",
        admitted.playback,
        wanted.extension(),
        token.unwrap_or_default()
    );
    let (kind, text) = match form {
        "vtt" => ("text/vtt", board.vtt(&address)),
        _ => ("application/json", board.json(&address).to_string()),
    };
    Ok(([cors::of_stream()], [(header::CONTENT_TYPE, kind)], text).into_response())
}

fn beside(picture: &FilePath) -> PathBuf {
    picture.with_extension("tiles.json")
}

/// What was asked for, name by name; a name that nobody knows is refused.
struct Asked<'a>(&'a Parameters);

impl Asked<'_> {
    fn only(&self, names: &[&str]) -> Result<(), Refusal> {
        let known = self.0.keys().all(|it| names.contains(&it.as_str()));
        known.then_some(()).ok_or(INVALID)
    }

    /// A number, or a word of a list, or nothing.
    fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Refusal> {
        let Some(text) = self.0.get(name) else {
            return Ok(None);
        };
        let number = serde_json::from_str(text).ok();
        let word = || {
            let text =
                IntoDeserializer::<serde::de::value::Error>::into_deserializer(text.as_str());
            T::deserialize(text).ok()
        };
        number.or_else(word).map(Some).ok_or(INVALID)
    }

    fn side(&self, name: &str, most: u32) -> Result<Option<u32>, Refusal> {
        let side: Option<u32> = self.read(name)?;
        if side.is_some_and(|it| !(1..=most).contains(&it)) {
            return Err(INVALID);
        }
        Ok(side)
    }

    fn second(&self, name: &str) -> Result<Option<f64>, Refusal> {
        let second: Option<f64> = self.read(name)?;
        if second.is_some_and(|it| !(it >= 0.0 && it.is_finite())) {
            return Err(INVALID);
        }
        Ok(second)
    }

    /// Of the asset's own time, or of the middle, if nobody says when.
    fn still(&self, admitted: &Admitted) -> Result<Still, Refusal> {
        self.only(&[
            "latest",
            "program_time",
            "time",
            "width",
            "height",
            "rotate",
            "fit_mode",
            "flip_v",
            "flip_h",
        ])?;
        let rotate = self.read("rotate")?.unwrap_or(0);
        if ![0, 90, 180, 270].contains(&rotate) {
            return Err(INVALID);
        }
        let own = admitted.asset.setting("thumbnail_time");
        let own = own.and_then(|it| it.as_f64());
        Ok(Still {
            at: match self.second("time")? {
                Some(at) => at,
                None => own.unwrap_or(admitted.asset.duration() / 2.0),
            },
            width: self.side("width", SIDE_MAX)?,
            height: self.side("height", SIDE_MAX)?,
            fit: self.read("fit_mode")?.unwrap_or(Fit::Preserve),
            rotate,
            flip_v: self.read("flip_v")?.unwrap_or(false),
            flip_h: self.read("flip_h")?.unwrap_or(false),
        })
    }

    fn animation(&self) -> Result<Animation, Refusal> {
        self.only(&["start", "end", "width", "height", "fps"])?;
        let usual = Animation::default();
        let start = self.second("start")?.unwrap_or(usual.start);
        let end = self.second("end")?.unwrap_or(start + usual.end);
        let fps = self.read("fps")?.unwrap_or(usual.fps);
        let good = start < end
            && end - start <= Animation::MAX_LENGTH
            && (1..=Animation::MAX_FPS).contains(&fps);
        let height = self.side("height", Animation::MAX_SIDE)?;
        let width = self.side("width", Animation::MAX_SIDE)?;
        let animation = Animation {
            start,
            end,
            width,
            height,
            fps,
        };
        good.then_some(animation).ok_or(INVALID)
    }
}

/// One picture.
#[derive(Debug, Clone)]
enum Wanted {
    Still(Still, Picture),
    Animation(Animation, Motion),
    Storyboard(Picture),
}

impl Wanted {
    fn extension(&self) -> &'static str {
        match self {
            Self::Still(_, picture) | Self::Storyboard(picture) => picture.extension(),
            Self::Animation(_, motion) => motion.extension(),
        }
    }

    fn content_type(&self) -> &'static str {
        match self {
            Self::Still(_, picture) | Self::Storyboard(picture) => picture.content_type(),
            Self::Animation(_, motion) => motion.content_type(),
        }
    }

    /// Its file: the one from before, or a new one.
    async fn make(&self, sim: &Sim, admitted: &Admitted) -> Result<PathBuf, Refusal> {
        let folder = sim.extras_folder(&admitted.asset.id);
        let name = hex::encode(Sha256::digest(format!("{self:?}")));
        let out = folder.join(format!("{name}.{}", self.extension()));
        if self.is_made(&out) {
            return Ok(out);
        }
        let ffmpeg = sim.options().ffmpeg.clone().ok_or(NO_FFMPEG)?;
        let source = sim.upload_file(admitted.asset.source());
        let _turn = sim.pictures().acquire().await.map_err(|_| BROKEN)?;
        if self.is_made(&out) {
            return Ok(out); // by somebody who was before
        }
        std::fs::create_dir_all(folder).map_err(|_| BROKEN)?;
        let (wanted, to) = (self.clone(), out.clone());
        let made = tokio::task::spawn_blocking(move || wanted.write(&ffmpeg, &source, &to)).await;
        made.map_err(|_| BROKEN)?.map_err(|error| {
            tracing::warn!(%error, "no picture");
            BROKEN
        })?;
        Ok(out)
    }

    fn is_made(&self, out: &FilePath) -> bool {
        let described = !matches!(self, Self::Storyboard(_)) || beside(out).exists();
        out.exists() && described
    }

    fn write(
        &self,
        ffmpeg: &FilePath,
        source: &FilePath,
        out: &FilePath,
    ) -> Result<(), MediaError> {
        let watch = Watch::default();
        match self {
            Self::Still(still, picture) => {
                images::still(ffmpeg, source, still, *picture, out, &watch)
            }
            Self::Animation(animation, motion) => {
                images::animation(ffmpeg, source, animation, *motion, out, &watch)
            }
            Self::Storyboard(picture) => {
                let board = images::storyboard(ffmpeg, source, *picture, out, &watch)?;
                let text = serde_json::to_vec(&board).unwrap_or_default();
                // Whole or not at all, as the picture is.
                let draft = beside(out).with_extension("draft");
                std::fs::write(&draft, text)?;
                Ok(std::fs::rename(draft, beside(out))?)
            }
        }
    }
}
