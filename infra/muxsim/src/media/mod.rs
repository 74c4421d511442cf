//! Turns an uploaded file into HLS: fragmented MP4 in folders, one folder per rendition. Beside that,
//! into images ([`images`]) and into files to download ([`statics`]).
//!
//! MP4 and `QuickTime` files with H.264 and AAC are packaged without any other program; all else,
//! and smaller renditions, take ffmpeg. Playlists are written by whoever serves the files.
//! Nothing here reads a whole file, and nothing an upload states is believed unchecked.

mod cutter;
mod draft;
mod entry;
mod error;
mod ffmpeg;
mod fragment;
pub(crate) mod images;
mod input;
mod job;
mod ladder;
mod movie;
mod probe;
mod process;
mod remux;
mod sniff;
mod source;
mod staging;
pub(crate) mod statics;
mod table;
#[cfg(test)]
mod tests;
mod timeline;
mod watch;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};

pub(crate) use error::MediaError;
use ffmpeg::Upload;
pub use ffmpeg::find_ffmpeg;
pub(crate) use input::{InputFile, InputTrack};
use job::Job;
use staging::Staging;
pub(crate) use watch::Watch;

/// Bounds of the segment target in seconds: below, there are too many files; above, too few.
const SEGMENT_RANGE: (f64, f64) = (0.5, 60.0);

/// How to package.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// The transcoder, as [`find_ffmpeg`] gives it; `None` does without.
    pub ffmpeg: Option<PathBuf>,
    /// The tallest picture that is made, in lines: 1080, 1440 and 2160 are the tiers of Mux. Lines
    /// are the shorter side, so an upright film counts like one that lies. Without a transcoder the
    /// copy of a taller source is all there is.
    pub max_height: u32,
    /// Length of a segment to aim for, in seconds. Segments begin at sync samples, so those of a
    /// copied source may be longer.
    pub segment_seconds: f64,
    /// Sees how far the packaging is, and can end it.
    pub watch: Watch,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            ffmpeg: None,
            max_height: 1080,
            segment_seconds: 4.0,
            watch: Watch::default(),
        }
    }
}

impl Options {
    fn segment(&self) -> Duration {
        let (shortest, longest) = SEGMENT_RANGE;
        let seconds = self.segment_seconds.clamp(shortest, longest);
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::from_secs(4))
    }

    fn segment_nanos(&self) -> i64 {
        i64::try_from(self.segment().as_nanos()).unwrap_or(i64::MAX)
    }
}

/// What was made of a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Packaged {
    /// When the last sample of the longest track ends, in seconds.
    pub duration_seconds: f64,
    /// The tracks of the best rendition, video first.
    pub tracks: Vec<Track>,
    /// From the smallest picture to the tallest.
    pub renditions: Vec<Rendition>,
    /// The uploaded file itself.
    #[serde(default)]
    pub input: InputFile,
    /// Why the upload had to be transcoded, as `non_standard_input_reasons` of a Mux asset: the
    /// names of its codecs where they are not H.264 and AAC, and its pixel format if that is not
    /// 4:2:0 of 8 bits. Empty for standard input.
    #[serde(default)]
    pub non_standard: BTreeMap<String, String>,
}

/// One stream of pictures or of sound.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Track {
    /// Pictures or sound, and of what form.
    #[serde(flatten)]
    pub kind: TrackKind,
    /// RFC 6381 name, such as `avc1.64001f` or `mp4a.40.2`.
    pub codec: String,
    /// From the first sample to the end of the last, in seconds.
    pub duration_seconds: f64,
}

/// The two kinds of track.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum TrackKind {
    /// Size in pixels as displayed, and pictures per second on average.
    Video {
        /// Pixels from left to right, after rotation.
        width: u32,
        /// Pixels from top to bottom, after rotation.
        height: u32,
        /// Pictures per second.
        frame_rate: f64,
    },
    /// Sound.
    Audio {
        /// Loudspeakers, not pairs of them.
        channels: u16,
        /// In hertz.
        sample_rate: u32,
    },
}

/// One folder with `init.mp4`, `0.m4s`, `1.m4s` and so on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Rendition {
    /// The folder's name below `out`, such as `source` or `360p`.
    pub name: String,
    /// In pixels as displayed; `None` for sound alone.
    pub width: Option<u32>,
    /// In pixels as displayed; `None` for sound alone.
    pub height: Option<u32>,
    /// Peak by segment in bits per second, as `BANDWIDTH` of RFC 8216 §4.3.4.2.
    pub bandwidth: u64,
    /// RFC 6381 names joined by commas, as `CODECS` of RFC 8216 §4.3.4.2.
    pub codecs: String,
    /// Duration of each segment in seconds, as `EXTINF` of RFC 8216 §4.3.2.1.
    pub segment_seconds: Vec<f64>,
}

/// Packages the file `source` into the folder `out`, which appears complete or not at all and
/// replaces what was there. Takes as long as it takes: call it where blocking is allowed.
pub(crate) fn package(
    source: &Path,
    out: &Path,
    options: &Options,
) -> Result<Packaged, MediaError> {
    options.watch.check()?;
    let (upload, mut file) = Upload::open(source)?;
    let staging = Staging::beside(out)?;
    let packaged = Job::new(upload, staging.path(), options).run(&mut file)?;
    options.watch.check()?;
    staging.commit()?;
    options.watch.complete();
    Ok(packaged)
}
