//! Turns an uploaded file into HLS: fragmented MP4 in folders, one folder per rendition.
//!
//! MP4 and `QuickTime` files with H.264 and AAC are packaged without any other program; all else,
//! and smaller renditions, take ffmpeg. Playlists are written by whoever serves the files.
//! Nothing here reads a whole file, and nothing an upload states is believed unchecked.

mod cutter;
mod entry;
mod error;
mod ffmpeg;
mod fragment;
mod movie;
mod process;
mod remux;
mod sniff;
mod source;
mod staging;
mod table;
#[cfg(test)]
mod tests;
mod timeline;

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};

pub use error::MediaError;
pub use ffmpeg::find_ffmpeg;
use ffmpeg::{Probe, Rung};
use remux::{Remuxed, remux};
use sniff::{Container, sniff};
use source::Source;
use staging::Staging;

/// Name of the rendition that holds the uploaded streams themselves.
const SOURCE: &str = "source";

/// Name of the rendition of a transcoded file without pictures.
const AUDIO: &str = "audio";

/// Bounds of the segment target in seconds: below, there are too many files; above, too few.
const SEGMENT_RANGE: (f64, f64) = (0.5, 60.0);

/// How to package.
#[derive(Debug, Clone)]
pub struct Options {
    /// The transcoder, as [`find_ffmpeg`] gives it; `None` does without.
    pub ffmpeg: Option<PathBuf>,
    /// The tallest picture that is made, in pixels. A copied source may be taller.
    pub max_height: u32,
    /// Length of a segment to aim for, in seconds. Segments begin at sync samples, so those of a
    /// copied source may be longer.
    pub segment_seconds: f64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            ffmpeg: None,
            max_height: 1080,
            segment_seconds: 4.0,
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
pub struct Packaged {
    /// When the last sample of the longest track ends, in seconds.
    pub duration_seconds: f64,
    /// The tracks of the best rendition, video first.
    pub tracks: Vec<Track>,
    /// From the smallest picture to the tallest.
    pub renditions: Vec<Rendition>,
}

/// One stream of pictures or of sound.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Track {
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
pub enum TrackKind {
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
pub struct Rendition {
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
pub fn package(source: &Path, out: &Path, options: &Options) -> Result<Packaged, MediaError> {
    let mut file = Source::open(source)?;
    let container = sniff(&file.head()?).ok_or(MediaError::NotMedia)?;
    let staging = Staging::beside(out)?;
    let job = Job {
        source,
        container,
        folder: staging.path(),
        options,
    };
    let packaged = job.run(&mut file)?;
    staging.commit()?;
    Ok(packaged)
}

/// One call of [`package`].
struct Job<'a> {
    source: &'a Path,
    container: Container,
    folder: &'a Path,
    options: &'a Options,
}

impl Job<'_> {
    fn run(&self, file: &mut Source) -> Result<Packaged, MediaError> {
        let copied = match self.container {
            Container::Mp4 => remux(file, self.folder, SOURCE, self.options.segment_nanos()),
            Container::Other(name) => Err(MediaError::unsupported(format!("{name} container"))),
        };
        match (copied, &self.options.ffmpeg) {
            (Ok(copied), None) => Ok(assemble(vec![copied])),
            (Ok(copied), Some(ffmpeg)) => self.extend(copied, ffmpeg),
            (Err(MediaError::Unsupported { .. }), Some(ffmpeg)) => self.transcode(ffmpeg),
            (Err(error), _) => Err(error),
        }
    }

    /// Adds smaller pictures below a copy.
    fn extend(&self, copied: Remuxed, ffmpeg: &Path) -> Result<Packaged, MediaError> {
        let height = copied.rendition.height.unwrap_or(0);
        let rungs = ffmpeg::rungs_below(height, self.options.max_height);
        let mut made = rungs
            .into_iter()
            .map(|rung| self.make(ffmpeg, Some(rung)))
            .collect::<Result<Vec<_>, _>>()?;
        made.push(copied);
        Ok(assemble(made))
    }

    fn transcode(&self, ffmpeg: &Path) -> Result<Packaged, MediaError> {
        staging::remove(&self.folder.join(SOURCE))?;
        let rungs = match ffmpeg::probe(ffmpeg, self.source, self.container)? {
            Probe::Audio => vec![None],
            Probe::Video { height } => ffmpeg::rungs_for(height, self.options.max_height)
                .into_iter()
                .map(Some)
                .collect(),
        };
        let made = rungs.into_iter().map(|rung| self.make(ffmpeg, rung));
        Ok(assemble(made.collect::<Result<_, _>>()?))
    }

    /// Transcodes one rung to a file, packages that, and removes it.
    fn make(&self, ffmpeg: &Path, rung: Option<Rung>) -> Result<Remuxed, MediaError> {
        let name = rung.map_or(AUDIO.into(), |rung| format!("{}p", rung.height));
        let file = self.folder.join(format!("{name}.mp4"));
        ffmpeg::transcode(
            ffmpeg,
            self.source,
            self.container,
            rung,
            self.options,
            &file,
        )?;
        let made = remux(
            &mut Source::open(&file)?,
            self.folder,
            &name,
            self.options.segment_nanos(),
        )?;
        fs::remove_file(&file)?;
        Ok(made)
    }
}

/// The last of the renditions is the best: it speaks for the file.
fn assemble(made: Vec<Remuxed>) -> Packaged {
    let best = made.last();
    Packaged {
        duration_seconds: best.map_or(0.0, |it| it.duration_seconds),
        tracks: best.map(|it| it.tracks.clone()).unwrap_or_default(),
        renditions: made.into_iter().map(|it| it.rendition).collect(),
    }
}
