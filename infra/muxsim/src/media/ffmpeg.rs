//! What this crate cannot do itself, done by ffmpeg: other formats, and smaller pictures.
//!
//! Its output is an ordinary MP4 file, which is packaged like an uploaded one.

use std::{
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use serde::Deserialize;

use super::{
    Options,
    error::{MediaError, absurd},
    process,
    sniff::Container,
};

/// A probe reads headers only.
const PROBE_LIMIT: Duration = Duration::from_mins(1);

/// A transcoder that is not done by then never will be.
const TRANSCODE_LIMIT: Duration = Duration::from_hours(6);

/// Longest media that is transcoded, in seconds: 12 hours, as Mux allows.
const MAX_SECONDS: f64 = 12.0 * 3600.0;

/// Largest picture that is decoded, in pixels: 8K, 7680 by 4320.
const MAX_PIXELS: u64 = 7680 * 4320;

/// Heights of the ladder in pixels, each with its ceiling in bits per second; after the table in
/// Apple's HLS Authoring Specification §1.
const LADDER: [(u32, u64); 3] = [(360, 800_000), (720, 3_000_000), (1080, 6_000_000)];

/// Finds ffmpeg, with ffprobe beside it, in the folders of a `PATH`.
pub fn find_ffmpeg(path_variable: Option<&OsStr>) -> Option<PathBuf> {
    std::env::split_paths(path_variable?)
        // A relative folder would make the answer depend on where the server was started.
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(format!("ffmpeg{}", std::env::consts::EXE_SUFFIX)))
        .find(|ffmpeg| is_program(ffmpeg) && is_program(&ffprobe(ffmpeg)))
}

fn ffprobe(ffmpeg: &Path) -> PathBuf {
    ffmpeg.with_file_name(format!("ffprobe{}", std::env::consts::EXE_SUFFIX))
}

#[cfg(unix)]
fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata()
        .is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_program(path: &Path) -> bool {
    path.is_file()
}

/// One picture size to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rung {
    /// In pixels.
    pub(super) height: u32,
    /// Ceiling of the video's bit rate, in bits per second.
    bits: u64,
}

/// The rungs that go below a copy of a source that is `height` pixels high.
pub(super) fn rungs_below(height: u32, max_height: u32) -> Vec<Rung> {
    let rungs = LADDER.map(|(height, bits)| Rung { height, bits });
    rungs
        .into_iter()
        .filter(|rung| rung.height < height && rung.height <= max_height)
        .collect()
}

/// The rungs that stand for a source of which no copy can be kept, the tallest last.
pub(super) fn rungs_for(height: u32, max_height: u32) -> Vec<Rung> {
    // Encoders take even sizes only.
    let top = height.min(max_height).max(2) & !1;
    // A rung just below the top would be the same picture twice.
    let mut rungs = rungs_below(top - top / 10, max_height);
    let bits = LADDER
        .iter()
        .find(|(height, _)| *height >= top)
        .map_or(12_000_000, |rung| rung.1);
    rungs.push(Rung { height: top, bits });
    rungs
}

/// What a file holds, as far as transcoding it depends on that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Probe {
    /// Height of the picture as displayed, in pixels.
    Video {
        height: u32,
    },
    Audio,
}

#[derive(Deserialize)]
struct Report {
    #[serde(default)]
    streams: Vec<Stream>,
    #[serde(default)]
    format: Format,
}

#[derive(Deserialize)]
struct Stream {
    codec_type: Option<String>,
    #[serde(default)]
    width: u32,
    #[serde(default)]
    height: u32,
    #[serde(default)]
    disposition: Disposition,
    #[serde(default)]
    side_data_list: Vec<SideData>,
}

#[derive(Deserialize, Default)]
struct Disposition {
    #[serde(default)]
    attached_pic: u8,
}

#[derive(Deserialize)]
struct SideData {
    rotation: Option<f64>,
}

#[derive(Deserialize, Default)]
struct Format {
    /// In seconds; live recordings have none.
    duration: Option<String>,
}

/// Asks ffprobe what is in a file.
pub(super) fn probe(
    ffmpeg: &Path,
    source: &Path,
    container: Container,
) -> Result<Probe, MediaError> {
    let mut command = Command::new(ffprobe(ffmpeg));
    command.args([
        "-hide_banner",
        "-loglevel",
        "error",
        "-of",
        "json",
        "-show_entries",
    ]);
    command.arg(
        "stream=codec_type,width,height:stream_disposition=attached_pic:stream_side_data=rotation:format=duration",
    );
    command.args(input(source, container)?);
    let outcome = process::run(&mut command, "ffprobe", PROBE_LIMIT)?;
    let report = Some(outcome.stdout).filter(|_| outcome.succeeded);
    let report = report.and_then(|json| serde_json::from_slice(&json).ok());
    judge(&report.ok_or(MediaError::NotMedia)?)
}

fn judge(report: &Report) -> Result<Probe, MediaError> {
    let duration = report
        .format
        .duration
        .as_ref()
        .and_then(|it| it.parse::<f64>().ok());
    if duration.is_some_and(|seconds| seconds > MAX_SECONDS) {
        return Err(absurd("media is longer than 12 hours"));
    }
    let of_type = |kind: &str| {
        let is_kind = move |stream: &&Stream| stream.codec_type.as_deref() == Some(kind);
        report
            .streams
            .iter()
            .filter(|it| it.disposition.attached_pic == 0)
            .find(is_kind)
    };
    let Some(video) = of_type("video") else {
        return of_type("audio")
            .map(|_| Probe::Audio)
            .ok_or(absurd("there are no tracks"));
    };
    if video.width == 0 || video.height == 0 {
        return Err(absurd("picture has no size"));
    }
    if u64::from(video.width) * u64::from(video.height) > MAX_PIXELS {
        return Err(absurd("picture is larger than 8K"));
    }
    let turned = |side: &SideData| side.rotation.is_some_and(|it| (it.abs() % 180.0) > 45.0);
    if video.side_data_list.iter().any(turned) {
        return Ok(Probe::Video {
            height: video.width,
        });
    }
    Ok(Probe::Video {
        height: video.height,
    })
}

/// Makes an H.264 and AAC file of one rung, or of the sound alone, with a sync sample wherever a
/// segment is to begin.
pub(super) fn transcode(
    ffmpeg: &Path,
    source: &Path,
    container: Container,
    rung: Option<Rung>,
    options: &Options,
    target: &Path,
) -> Result<(), MediaError> {
    let mut command = Command::new(ffmpeg);
    command.args(["-nostdin", "-hide_banner", "-loglevel", "error", "-y"]);
    command.args(input(source, container)?);
    command.args(["-map_metadata", "-1", "-map_chapters", "-1", "-sn", "-dn"]);
    command.args(["-t", &MAX_SECONDS.to_string(), "-map", "0:a:0?"]);
    command.args(["-c:a", "aac", "-b:a", "128k", "-ac", "2", "-ar", "48000"]);
    match rung {
        Some(rung) => video_options(&mut command, rung, options),
        None => command.arg("-vn"),
    };
    command.args(["-f", "mp4"]).arg(local(target)?);
    let outcome = process::run(&mut command, "ffmpeg", TRANSCODE_LIMIT)?;
    if !outcome.succeeded {
        return Err(MediaError::Ffmpeg {
            program: "ffmpeg",
            detail: outcome.detail,
        });
    }
    Ok(())
}

fn video_options<'a>(command: &'a mut Command, rung: Rung, options: &Options) -> &'a mut Command {
    // `V` leaves cover pictures out.
    command.args([
        "-map", "0:V:0", "-c:v", "libx264", "-preset", "veryfast", "-crf", "23",
    ]);
    command.args([
        "-profile:v",
        "high",
        "-pix_fmt",
        "yuv420p",
        "-sc_threshold",
        "0",
    ]);
    command.args([
        "-maxrate",
        &rung.bits.to_string(),
        "-bufsize",
        &(rung.bits * 2).to_string(),
    ]);
    // By time rather than by frames, so that sources with an uneven frame rate keep the distance.
    let seconds = options.segment().as_secs_f64();
    command.args([
        "-g",
        "100000",
        "-force_key_frames",
        &format!("expr:gte(t,n_forced*{seconds})"),
    ]);
    command.args(["-vf", &format!("scale=-2:{},setsar=1", rung.height)])
}

/// Only this file, and only as the container its first bytes say it is.
fn input(source: &Path, container: Container) -> Result<[OsString; 8], MediaError> {
    Ok([
        "-max_pixels".into(),
        MAX_PIXELS.to_string().into(),
        "-protocol_whitelist".into(),
        "file".into(),
        "-format_whitelist".into(),
        container.demuxer().into(),
        "-i".into(),
        local(source)?,
    ])
}

/// A name that can be neither an option nor another protocol.
fn local(path: &Path) -> Result<OsString, MediaError> {
    let mut name = OsString::from("file:");
    name.push(std::path::absolute(path)?);
    Ok(name)
}
