//! One MP4 file to one rendition: an initialization section and numbered segments in a folder.

use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    path::Path,
    time::Duration,
};

use super::{
    Rendition, Track, TrackKind,
    cutter::Cutter,
    entry::Form,
    error::MediaError,
    fragment,
    movie::{Movie, SourceTrack},
    source::Source,
    timeline::{Span, nanos},
    watch::Stage,
};

/// Copied to a segment at once, in bytes.
const BUFFER: usize = 256 << 10;

/// What one file gave.
#[derive(Debug)]
pub(super) struct Remuxed {
    pub(super) duration_seconds: f64,
    pub(super) tracks: Vec<Track>,
    pub(super) rendition: Rendition,
}

/// Packages `source`, which holds `movie`, into the folder `name` below `parent`, in segments of
/// about `target` nanoseconds.
pub(super) fn remux(
    source: &mut Source,
    movie: &Movie,
    parent: &Path,
    name: &str,
    target: i64,
    stage: Stage<'_>,
) -> Result<Remuxed, MediaError> {
    let mut cutter = Cutter::new(movie, target)?;
    let Summary {
        duration_seconds,
        tracks,
    } = Summary::of(&cutter);
    let folder = parent.join(name);
    fs::create_dir(&folder)?;
    fs::write(
        folder.join("init.mp4"),
        fragment::init(cutter.tracks().map(|(track, _)| track))?,
    )?;
    let mut rates = Rates::default();
    let mut number = 0_u32;
    let end = u64::try_from(cutter.end()).unwrap_or(0);
    let mut written = 0;
    while let Some(segment) = cutter.next()? {
        stage.watch.check()?;
        let file = File::create(folder.join(format!("{number}.m4s")))?;
        let mut file = BufWriter::with_capacity(BUFFER, file);
        number += 1;
        let bytes = fragment::segment(source, &segment, number, &mut file)?;
        file.flush()?;
        rates.add(bytes, segment.duration);
        written += u64::try_from(segment.duration).unwrap_or(0);
        stage.reach(written, end);
    }
    let size = movie.display_size();
    let codecs: Vec<_> = tracks.iter().map(|track| track.codec.as_str()).collect();
    let rendition = Rendition {
        name: name.into(),
        width: size.map(|(width, _)| width),
        height: size.map(|(_, height)| height),
        bandwidth: rates.peak(target),
        codecs: codecs.join(","),
        segment_seconds: rates
            .segments
            .iter()
            .map(|(_, duration)| seconds(*duration))
            .collect(),
    };
    Ok(Remuxed {
        duration_seconds,
        tracks,
        rendition,
    })
}

/// What a file would give, without making it.
#[derive(Debug)]
pub(super) struct Summary {
    pub(super) duration_seconds: f64,
    pub(super) tracks: Vec<Track>,
}

impl Summary {
    /// Reads the tables of a file that could be packaged without transcoding.
    pub(super) fn read(source: &mut Source) -> Result<Self, MediaError> {
        let movie = Movie::read(source)?;
        Ok(Self::of(&Cutter::new(&movie, 0)?))
    }

    /// Size of the pictures in pixels as displayed; nothing without pictures.
    pub(super) fn size(&self) -> Option<(u32, u32)> {
        self.tracks.iter().find_map(|track| match track.kind {
            TrackKind::Video { width, height, .. } => Some((width, height)),
            TrackKind::Audio { .. } => None,
        })
    }

    pub(super) fn has_sound(&self) -> bool {
        let is_sound = |track: &Track| matches!(track.kind, TrackKind::Audio { .. });
        self.tracks.iter().any(is_sound)
    }

    fn of(cutter: &Cutter<'_>) -> Self {
        let tracks = cutter.tracks();
        Self {
            duration_seconds: seconds(cutter.end()),
            tracks: tracks.map(|(track, span)| describe(track, span)).collect(),
        }
    }
}

fn describe(track: &SourceTrack, span: Span) -> Track {
    let length = i64::try_from(span.end - span.base).unwrap_or(i64::MAX);
    let duration_seconds = seconds(nanos(length, track.timescale));
    let kind = match (track.entry.form, track.display_size()) {
        (Form::Audio { channels, rate }, _) => TrackKind::Audio {
            channels,
            sample_rate: rate,
        },
        (Form::Video { .. }, size) => {
            let (width, height) = size.unwrap_or_default();
            let frames = f64::from(u32::try_from(span.count).unwrap_or(u32::MAX));
            // Three decimals tell 29.97 from 30, and hide the rounding of timescales.
            let frame_rate = (frames / duration_seconds.max(0.001) * 1000.0).round() / 1000.0;
            TrackKind::Video {
                width,
                height,
                frame_rate,
            }
        }
    };
    Track {
        kind,
        codec: track.entry.name.clone(),
        duration_seconds,
    }
}

/// Bytes and nanoseconds of each segment.
#[derive(Default)]
struct Rates {
    segments: Vec<(u64, i64)>,
}

impl Rates {
    fn add(&mut self, bytes: u64, duration: i64) {
        self.segments.push((bytes, duration));
    }

    /// The peak bit rate of RFC 8216 §4.3.4.2, where stretches shorter than half the target do not
    /// count by themselves: such a segment is taken together with the one before it.
    fn peak(&self, target: i64) -> u64 {
        let mut peak = 0;
        let mut before = (0, 0);
        for (bytes, duration) in self.segments.iter().copied() {
            let mut stretch = (bytes, duration);
            if duration < target / 2 {
                stretch = (bytes + before.0, duration + before.1);
            }
            let rate = u128::from(stretch.0) * 8 * 1_000_000_000;
            let rate = rate.div_ceil(u128::try_from(stretch.1).unwrap_or(0).max(1));
            peak = peak.max(u64::try_from(rate).unwrap_or(u64::MAX));
            before = (bytes, duration);
        }
        peak
    }
}

fn seconds(nanos: i64) -> f64 {
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(0)).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::Rates;

    #[test]
    fn a_short_last_segment_is_no_peak() {
        let second = 1_000_000_000;
        let rates = Rates {
            segments: vec![(1000, 4 * second), (500, 4 * second), (900, second / 10)],
        };
        assert_eq!(rates.peak(4 * second), 2732);
        assert_eq!(Rates::default().peak(second), 0);
    }
}
