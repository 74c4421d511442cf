//! Static renditions: a film as one MP4 file, or its sound as one M4A, to download.
//!
//! Streams that are H.264 and AAC already are copied, not encoded again.

use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    path::Path,
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::{
    draft::Draft,
    error::MediaError,
    ffmpeg::{self, Pictures, Recipe, Sound, Upload},
    ladder::Rung,
    probe::Probe,
    remux::Summary,
    sniff::Container,
    source::Source,
    watch::{Stage, Watch},
};

/// Lines of the named resolutions Mux knows.
pub(crate) const HEIGHTS: [u32; 8] = [2160, 1440, 1080, 720, 540, 480, 360, 270];

/// What `capped-1080p` is capped at, in lines.
const CAP: u32 = 1080;

/// Distance of the sync samples in seconds, as in the renditions to stream.
const STEP: f64 = 4.0;

/// Copied between two looks at the watch, in bytes.
const STRETCH: u64 = 16 << 20;

/// Copied at once, in bytes.
const BUFFER: usize = 256 << 10;

/// Downloads are to play before they are complete.
const MP4: &[&str] = &["-movflags", "+faststart", "-f", "mp4"];

/// ffmpeg's name for an MP4 whose brand is `M4A`.
const M4A: &[&str] = &["-movflags", "+faststart", "-f", "ipod"];

/// A static rendition by its resolution. Lines are the shorter side, as in `1080p`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Static {
    /// As many lines as the upload has.
    Highest,
    /// Sound alone.
    Audio,
    /// So many lines: 2160, 1440, 1080, 720, 540, 480, 360 or 270.
    Height(u32),
    /// As many lines as the upload has, 1080 at most.
    Capped1080,
}

impl Static {
    /// Reads the `resolution` of Mux's API, such as `highest`, `audio-only` or `720p`; nothing if
    /// there is none of that name.
    pub(crate) fn parse(resolution: &str) -> Option<Self> {
        match resolution {
            "highest" => return Some(Self::Highest),
            "audio-only" => return Some(Self::Audio),
            "capped-1080p" => return Some(Self::Capped1080),
            _ => {}
        }
        let is_named = |lines: &u32| format!("{lines}p") == resolution;
        HEIGHTS.into_iter().find(is_named).map(Self::Height)
    }

    /// The rendition's `name` at Mux, which is also the last part of its address.
    pub(crate) fn file_name(self) -> String {
        match self {
            Self::Highest => "highest.mp4".to_owned(),
            Self::Audio => "audio.m4a".to_owned(),
            Self::Height(lines) => format!("{lines}p.mp4"),
            Self::Capped1080 => "capped-1080p.mp4".to_owned(),
        }
    }

    /// The lines to make of a film that has `own`; nothing if it has too few.
    fn lines(self, own: u32) -> Option<u32> {
        match self {
            Self::Highest => Some(own),
            Self::Audio => None,
            Self::Height(lines) => Some(lines).filter(|lines| *lines <= own),
            Self::Capped1080 => Some(own.min(CAP)),
        }
    }
}

/// A static rendition that was made.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct StaticFile {
    /// In pixels as displayed; `None` for sound alone.
    pub width: Option<u32>,
    /// In pixels as displayed; `None` for sound alone.
    pub height: Option<u32>,
    /// On average over the whole file, in bits per second.
    pub bitrate: u64,
    /// In bytes.
    pub filesize: u64,
    /// When the last sample of the longest track ends, in seconds.
    pub duration_seconds: f64,
}

/// Makes a static rendition of the file `source` into the file `out`, which appears complete or not
/// at all. `None` is a rendition Mux skips: taller than the film, or of streams the file has not.
///
/// Without ffmpeg a rendition is a link to the upload or a copy of it, where that is an H.264 and AAC
/// MP4 of the right size.
pub(crate) fn static_rendition(
    ffmpeg: Option<&Path>,
    source: &Path,
    wanted: Static,
    out: &Path,
    watch: &Watch,
) -> Result<Option<StaticFile>, MediaError> {
    watch.check()?;
    let (upload, mut file) = Upload::open(source)?;
    let facts = match ffmpeg {
        Some(ffmpeg) => Facts::of_probe(&Probe::of(ffmpeg, upload, watch)?),
        None => Facts::of_mp4(upload, &mut file)?,
    };
    let Some(work) = facts.work(wanted) else {
        return Ok(None);
    };
    let draft = Draft::of(out)?;
    let Some(ffmpeg) = ffmpeg else {
        if !matches!(work, Work::Whole) {
            return Err(MediaError::unsupported(format!(
                "static rendition {}",
                wanted.file_name()
            )));
        }
        duplicate(source, &mut file, draft.path(), watch)?;
        return finish(draft, watch).map(Some);
    };
    let make = |recipe: Recipe| {
        let stage = Stage::whole(watch);
        let seconds = Some(facts.seconds);
        ffmpeg::transcode(ffmpeg, upload, recipe, draft.path(), stage, seconds)?;
        // What this crate cannot read is not the plain MP4 that was asked for.
        describe(draft.path())
    };
    let (copied, encoded) = (facts.copied(work), facts.encoded(work));
    // Streams without times, for one, cannot be copied.
    if copied == encoded || make(copied).is_err() {
        watch.check()?;
        make(encoded)?;
    }
    finish(draft, watch).map(Some)
}

/// What a file holds, as far as static renditions depend on that.
struct Facts {
    /// Width and height in pixels as displayed.
    size: Option<(u32, u32)>,
    has_sound: bool,
    /// Whether the pictures, if any, are H.264 as browsers take it.
    is_h264: bool,
    /// Whether the sound, if any, is AAC.
    is_aac: bool,
    /// In seconds.
    seconds: f64,
}

/// What is to be made of an upload.
#[derive(Clone, Copy)]
enum Work {
    /// All of it, in its own size.
    Whole,
    /// Smaller pictures.
    Smaller { size: (u32, u32), lines: u32 },
    /// Its sound.
    Sound,
}

impl Facts {
    fn of_probe(probe: &Probe) -> Self {
        let reasons = &probe.non_standard;
        let is_standard = |name: &str| !reasons.contains_key(name);
        Self {
            size: probe.picture.map(|picture| picture.size),
            has_sound: probe.sound().is_some(),
            is_h264: is_standard("video_codec") && is_standard("unsupported_pixel_format"),
            is_aac: is_standard("audio_codec"),
            seconds: probe.seconds,
        }
    }

    fn of_mp4(upload: Upload<'_>, file: &mut Source) -> Result<Self, MediaError> {
        if let Container::Other(name) = upload.container {
            return Err(MediaError::unsupported(format!("{name} container")));
        }
        let summary = Summary::read(file)?;
        Ok(Self {
            size: summary.size(),
            has_sound: summary.has_sound(),
            is_h264: true,
            is_aac: true,
            seconds: summary.duration_seconds,
        })
    }

    fn work(&self, wanted: Static) -> Option<Work> {
        if wanted == Static::Audio {
            return self.has_sound.then_some(Work::Sound);
        }
        let size = self.size?;
        let own = size.0.min(size.1);
        let lines = wanted.lines(own)?;
        if lines == own {
            return Some(Work::Whole);
        }
        Some(Work::Smaller { size, lines })
    }

    /// The recipe that encodes only what must be.
    fn copied(&self, work: Work) -> Recipe {
        let encoded = self.encoded(work);
        Recipe {
            pictures: match work {
                Work::Whole if self.is_h264 => Pictures::Copied,
                Work::Whole | Work::Smaller { .. } | Work::Sound => encoded.pictures,
            },
            sound: if self.is_aac {
                Sound::Copied
            } else {
                Sound::Encoded
            },
            ..encoded
        }
    }

    /// The recipe that works for every upload.
    fn encoded(&self, work: Work) -> Recipe {
        let encode = |size: (u32, u32), lines: u32| {
            let rung = Rung::of(lines);
            Pictures::Encoded {
                rung,
                size: rung.size(size),
                step: STEP,
            }
        };
        let (pictures, muxer): (_, &[&str]) = match (work, self.size) {
            (Work::Smaller { size, lines }, _) => (encode(size, lines), MP4),
            (Work::Whole, Some(size)) => (encode(size, size.0.min(size.1)), MP4),
            (Work::Sound | Work::Whole, _) => (Pictures::Omitted, M4A),
        };
        Recipe {
            pictures,
            sound: Sound::Encoded,
            muxer,
        }
    }
}

/// The whole upload under another name: a link where the file system has them, a copy elsewhere.
fn duplicate(
    source: &Path,
    file: &mut Source,
    target: &Path,
    watch: &Watch,
) -> Result<(), MediaError> {
    if fs::hard_link(source, target).is_ok() {
        return Ok(());
    }
    copy(file, target, watch)
}

fn copy(file: &mut Source, target: &Path, watch: &Watch) -> Result<(), MediaError> {
    let mut target = BufWriter::with_capacity(BUFFER, File::create(target)?);
    let stage = Stage::whole(watch);
    let mut done = 0;
    while done < file.len {
        watch.check()?;
        let length = STRETCH.min(file.len - done);
        file.copy(done, length, &mut target)?;
        done += length;
        stage.reach(done, file.len);
    }
    Ok(target.flush()?)
}

fn finish(draft: Draft, watch: &Watch) -> Result<StaticFile, MediaError> {
    watch.check()?;
    let file = describe(draft.path())?;
    draft.commit()?;
    watch.complete();
    Ok(file)
}

fn describe(path: &Path) -> Result<StaticFile, MediaError> {
    let mut file = Source::open(path)?;
    let summary = Summary::read(&mut file)?;
    let length = Duration::try_from_secs_f64(summary.duration_seconds).unwrap_or_default();
    let bits = u128::from(file.len) * 8 * 1_000_000 / length.as_micros().max(1);
    Ok(StaticFile {
        width: summary.size().map(|(width, _)| width),
        height: summary.size().map(|(_, height)| height),
        bitrate: u64::try_from(bits).unwrap_or(u64::MAX),
        filesize: file.len,
        duration_seconds: summary.duration_seconds,
    })
}
