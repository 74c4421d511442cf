//! What this crate cannot do itself, done by ffmpeg: how it is found, called and followed.
//!
//! Its output is an ordinary MP4 file, which is packaged like an uploaded one.

use std::{
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use super::{
    error::MediaError,
    ladder::Rung,
    process,
    sniff::{Container, sniff},
    source::Source,
    watch::{Stage, Watch},
};

/// A transcoder that is not done by then never will be.
const TRANSCODE_LIMIT: Duration = Duration::from_hours(6);

/// Reading a file once from end to end takes no longer.
const MEASURE_LIMIT: Duration = Duration::from_mins(10);

/// Longest media that is transcoded, in seconds: 12 hours, as Mux allows.
pub(super) const MAX_SECONDS: f64 = 12.0 * 3600.0;

/// Largest picture that is decoded, in pixels: 8K, 7680 by 4320.
pub(super) const MAX_PIXELS: u64 = 7680 * 4320;

/// Finds ffmpeg, with ffprobe beside it, in the folders of a `PATH`.
pub fn find_ffmpeg(path_variable: Option<&OsStr>) -> Option<PathBuf> {
    std::env::split_paths(path_variable?)
        // A relative folder would make the answer depend on where the server was started.
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(format!("ffmpeg{}", std::env::consts::EXE_SUFFIX)))
        .find(|ffmpeg| is_program(ffmpeg) && is_program(&ffprobe(ffmpeg)))
}

pub(super) fn ffprobe(ffmpeg: &Path) -> PathBuf {
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

/// An uploaded file as ffmpeg may open it: only this file, and only as the container its first bytes
/// say it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Upload<'a> {
    pub(super) path: &'a Path,
    pub(super) container: Container,
}

impl<'a> Upload<'a> {
    /// Looks at the first bytes of a file, and hands it back open.
    pub(super) fn open(path: &'a Path) -> Result<(Self, Source), MediaError> {
        let mut file = Source::open(path)?;
        let container = sniff(&file.head()?).ok_or(MediaError::NotMedia)?;
        Ok((Self { path, container }, file))
    }

    pub(super) fn input(self) -> Result<[OsString; 8], MediaError> {
        Ok([
            "-max_pixels".into(),
            MAX_PIXELS.to_string().into(),
            "-protocol_whitelist".into(),
            "file".into(),
            "-format_whitelist".into(),
            self.container.demuxer().into(),
            "-i".into(),
            local(self.path)?,
        ])
    }
}

/// A name that can be neither an option nor another protocol.
pub(super) fn local(path: &Path) -> Result<OsString, MediaError> {
    let mut name = OsString::from("file:");
    name.push(std::path::absolute(path)?);
    Ok(name)
}

/// A call of ffmpeg, as far as all of them are alike.
pub(super) fn begin(ffmpeg: &Path) -> Command {
    let mut command = Command::new(ffmpeg);
    command.args(["-nostdin", "-hide_banner", "-loglevel", "error", "-y"]);
    command.args(["-progress", "pipe:1", "-nostats"]);
    command
}

/// Runs a call for at most `limit`; `seconds` is how much it will write, if that is known.
pub(super) fn run(
    command: &mut Command,
    limit: Duration,
    stage: Stage<'_>,
    seconds: Option<f64>,
) -> Result<(), MediaError> {
    let total = seconds.map_or(0, micros);
    let outcome = process::run(command, "ffmpeg", limit, stage.watch, &|line| {
        if let Some(written) = written(line).filter(|_| total > 0) {
            stage.reach(written, total);
        }
    })?;
    if !outcome.succeeded {
        return Err(MediaError::Ffmpeg {
            program: "ffmpeg",
            detail: outcome.detail,
        });
    }
    Ok(())
}

/// How much was written so far in microseconds, if that is what a line of `-progress` says.
fn written(line: &str) -> Option<u64> {
    line.strip_prefix("out_time_us=")?.parse().ok()
}

fn micros(seconds: f64) -> u64 {
    let micros = Duration::try_from_secs_f64(seconds).map(|it| it.as_micros());
    u64::try_from(micros.unwrap_or(0)).unwrap_or(u64::MAX)
}

/// How long a file lasts that does not say so, in seconds, as browsers record them: by reading it.
pub(super) fn measure(ffmpeg: &Path, upload: Upload<'_>, watch: &Watch) -> Result<f64, MediaError> {
    let mut command = begin(ffmpeg);
    command.args(upload.input()?);
    command.args(["-map", "0:V:0?", "-map", "0:a:0?", "-c", "copy"]);
    command.args(["-f", "null", "-"]);
    let longest = AtomicU64::new(0);
    let outcome = process::run(&mut command, "ffmpeg", MEASURE_LIMIT, watch, &|line| {
        longest.fetch_max(written(line).unwrap_or(0), Ordering::Relaxed);
    })?;
    if !outcome.succeeded {
        return Err(MediaError::NotMedia);
    }
    Ok(Duration::from_micros(longest.into_inner()).as_secs_f64())
}

/// What becomes of the first stream of pictures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Pictures {
    Omitted,
    Copied,
    Encoded {
        rung: Rung,
        /// Width and height in pixels.
        size: (u32, u32),
        /// Distance of the sync samples, in seconds.
        step: f64,
    },
}

/// What becomes of the first stream of sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sound {
    Copied,
    Encoded,
}

/// An H.264 and AAC file to make.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Recipe {
    pub(super) pictures: Pictures,
    pub(super) sound: Sound,
    /// The muxer's name, with its options.
    pub(super) muxer: &'static [&'static str],
}

/// Makes a file by its recipe, of an upload that lasts so many seconds.
pub(super) fn transcode(
    ffmpeg: &Path,
    upload: Upload<'_>,
    recipe: Recipe,
    target: &Path,
    stage: Stage<'_>,
    seconds: Option<f64>,
) -> Result<(), MediaError> {
    let mut command = begin(ffmpeg);
    command.args(upload.input()?);
    command.args(["-map_metadata", "-1", "-map_chapters", "-1", "-sn", "-dn"]);
    command.args(["-t", &MAX_SECONDS.to_string()]);
    // `V` leaves cover pictures out.
    match recipe.pictures {
        Pictures::Omitted => command.arg("-vn"),
        Pictures::Copied => command.args(["-map", "0:V:0", "-c:v", "copy"]),
        Pictures::Encoded { rung, size, step } => {
            encoder(command.args(["-map", "0:V:0"]), rung, size, step)
        }
    };
    command.args(["-map", "0:a:0?"]);
    match recipe.sound {
        Sound::Copied => command.args(["-c:a", "copy"]),
        Sound::Encoded => command.args(["-c:a", "aac", "-b:a", "128k", "-ac", "2", "-ar", "48000"]),
    };
    command.args(recipe.muxer).arg(local(target)?);
    run(&mut command, TRANSCODE_LIMIT, stage, seconds)
}

fn encoder(
    command: &mut Command,
    rung: Rung,
    (width, height): (u32, u32),
    step: f64,
) -> &mut Command {
    command.args(["-c:v", "libx264", "-preset", "veryfast", "-crf", "23"]);
    command.args(["-profile:v", "high", "-pix_fmt", "yuv420p"]);
    command.args(["-maxrate", &rung.bits.to_string()]);
    command.args(["-bufsize", &(rung.bits * 2).to_string()]);
    // By time rather than by frames, so that sources with an uneven frame rate keep the distance.
    let times = format!("expr:gte(t,n_forced*{step})");
    command.args(["-sc_threshold", "0", "-g", "100000"]);
    command.args(["-force_key_frames", &times]);
    command.args(["-vf", &format!("scale={width}:{height},setsar=1")])
}
