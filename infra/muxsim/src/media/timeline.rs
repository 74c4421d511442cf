//! From the file's times to the output's: edit lists resolved, playback beginning at zero.
//!
//! The output has no edit list. Players disagree about those in fragmented files, so the shift is
//! put into `tfdt` and into signed composition offsets, as the `cmf2` brand of ISO/IEC 23000-19
//! has it. Browsers follow that to the tick; ffmpeg, asked for the times of any fragmented file with
//! signed offsets, its own included, adds the largest negative one to the pictures' times.

use std::num::NonZeroU32;

use mp4_atom::{ElstEntry, FixedPoint};

use super::{
    error::{MediaError, absurd},
    movie::{Movie, SourceTrack},
    table::Sample,
};

const NANOS: i128 = 1_000_000_000;

/// Rounding between timescales may not cost a packet: a microsecond, in nanoseconds.
const TOLERANCE: i64 = 1_000;

/// Ticks as nanoseconds, rounded to the nearest.
pub(super) fn nanos(ticks: i64, timescale: NonZeroU32) -> i64 {
    convert(i128::from(ticks) * NANOS, i128::from(timescale.get()))
}

/// Nanoseconds as ticks, rounded to the nearest; what is before zero is zero.
pub(super) fn ticks(nanos: i64, timescale: NonZeroU32) -> u64 {
    let ticks = convert(i128::from(nanos) * i128::from(timescale.get()), NANOS);
    u64::try_from(ticks).unwrap_or(0)
}

fn convert(numerator: i128, denominator: i128) -> i64 {
    let rounded = (numerator + denominator / 2).div_euclid(denominator);
    i64::try_from(rounded).unwrap_or(if rounded < 0 { i64::MIN } else { i64::MAX })
}

/// What an edit list (ISO/IEC 14496-12 §8.6.6) does to a track, as far as it is followed.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Edit {
    /// Silence or darkness before the media, in nanoseconds.
    pub(super) delay: i64,
    /// First presentation time shown, in ticks of the track.
    pub(super) start: i64,
    /// How much is shown from there, in nanoseconds; `None` is all of it.
    pub(super) length: Option<i64>,
}

impl Edit {
    pub(super) fn read(entries: &[ElstEntry], movie: NonZeroU32) -> Result<Self, MediaError> {
        let span = |entry: &ElstEntry| {
            i64::try_from(entry.segment_duration).map_or(i64::MAX, |ticks| nanos(ticks, movie))
        };
        let mut edit = Self::default();
        let mut shown = false;
        for entry in entries {
            match entry.media_time {
                None if !shown => edit.delay = edit.delay.saturating_add(span(entry)),
                None => {}
                Some(_) if shown => {
                    return Err(MediaError::unsupported("edit list with several cuts"));
                }
                Some(_) if entry.media_rate != FixedPoint::new(1, 0) => {
                    return Err(MediaError::unsupported("edit list that changes the speed"));
                }
                Some(start) => {
                    shown = true;
                    edit.start = i64::try_from(start).unwrap_or(i64::MAX);
                    edit.length = Some(span(entry)).filter(|length| *length > 0);
                }
            }
        }
        Ok(edit)
    }
}

/// Which samples of a track are packaged, and where they land.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    /// Index of the first sample.
    pub(super) first: usize,
    pub(super) count: usize,
    /// Decode time of the first sample in the file, in ticks.
    pub(super) source_start: u64,
    /// Decode time of the first sample in the output, in ticks.
    pub(super) base: u64,
    /// Presentation time in the file that becomes `base` in the output, in ticks.
    pub(super) zero: i64,
    /// End of the last sample in the output, in ticks.
    pub(super) end: u64,
}

/// The two spans of a movie; a track of which nothing is shown has none.
pub(super) struct Timeline {
    pub(super) video: Option<Span>,
    pub(super) audio: Option<Span>,
}

impl Timeline {
    pub(super) fn of(movie: &Movie) -> Result<Self, MediaError> {
        let opening = movie.video.as_ref().map(opening).transpose()?;
        let video_start = movie
            .video
            .as_ref()
            .zip(opening.as_ref())
            .map(|(track, opening)| shown_at(track, opening.earliest));
        let audio_start = movie.audio.as_ref().and_then(|track| {
            let times = track
                .table
                .samples()
                .map(|sample| shown_at(track, decoded(&sample)));
            times.into_iter().find(|time| *time >= -TOLERANCE)
        });
        // A cut in the middle of a group of pictures starts before zero: then so does the sound.
        let origin = match (video_start, audio_start) {
            (Some(video), Some(audio)) if video > 0 => video.min(audio),
            (Some(start), _) | (None, Some(start)) => start,
            (None, None) => return Err(absurd("nothing is shown of any track")),
        };
        let video = movie
            .video
            .as_ref()
            .zip(opening)
            .and_then(|(track, opening)| {
                let shown = |sample: &Sample| is_shown(track, sample.presentation());
                span(track, opening.index, opening.earliest, origin, shown)
            });
        let audio = movie.audio.as_ref().and_then(|track| {
            let mut samples = track.table.samples().enumerate();
            let (index, first) = samples
                .find(|(_, sample)| shown_at(track, decoded(sample)) >= origin - TOLERANCE)?;
            let shown = |sample: &Sample| is_shown(track, decoded(sample));
            span(track, index, decoded(&first), origin, shown)
        });
        if video.is_none() && audio.is_none() {
            return Err(absurd("nothing is shown of any track"));
        }
        Ok(Self { video, audio })
    }
}

/// The group of pictures that playback begins with.
struct Opening {
    index: usize,
    /// Earliest presentation time in the group, in ticks.
    earliest: i64,
}

/// The last group that starts at or before the edit: a decoder cannot enter anywhere else.
fn opening(track: &SourceTrack) -> Result<Opening, MediaError> {
    let mut opening: Option<Opening> = None;
    for (index, sample) in track.table.samples().enumerate() {
        let time = sample.presentation();
        match &mut opening {
            Some(_) if sample.sync && time > track.edit.start => break,
            Some(opening) if !sample.sync => opening.earliest = opening.earliest.min(time),
            None if !sample.sync => {}
            _ => {
                opening = Some(Opening {
                    index,
                    earliest: time,
                });
            }
        }
    }
    opening.ok_or(MediaError::unsupported("video without sync samples"))
}

/// The samples from `first` to the last shown one. Leaving out the rest is always safe, for they are
/// the last to be decoded.
fn span(
    track: &SourceTrack,
    first: usize,
    zero: i64,
    origin: i64,
    shown: impl Fn(&Sample) -> bool,
) -> Option<Span> {
    let base = ticks(
        shown_at(track, zero).saturating_sub(origin),
        track.timescale,
    );
    let mut span: Option<Span> = None;
    let mut source_start = 0;
    for (index, sample) in track.table.samples().enumerate().skip(first) {
        if index == first {
            source_start = sample.decode;
        }
        if shown(&sample) {
            let end = base + (sample.decode - source_start) + u64::from(sample.duration);
            span = Some(Span {
                first,
                count: index - first + 1,
                source_start,
                base,
                zero,
                end,
            });
        }
    }
    span
}

/// Sound has no reordering: its composition offsets, if any, are a muxer's mistake.
fn decoded(sample: &Sample) -> i64 {
    i64::try_from(sample.decode).unwrap_or(i64::MAX)
}

/// When the edit list has a time of the media presented, in nanoseconds of the movie.
fn shown_at(track: &SourceTrack, time: i64) -> i64 {
    nanos(time.saturating_sub(track.edit.start), track.timescale).saturating_add(track.edit.delay)
}

fn is_shown(track: &SourceTrack, time: i64) -> bool {
    let since = nanos(time.saturating_sub(track.edit.start), track.timescale);
    track.edit.length.is_none_or(|length| since < length)
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use mp4_atom::{ElstEntry, FixedPoint};

    use super::{Edit, MediaError, nanos, ticks};

    const THOUSAND: NonZeroU32 = NonZeroU32::new(1000).unwrap();

    fn entry(segment_duration: u64, media_time: Option<u64>) -> ElstEntry {
        ElstEntry {
            segment_duration,
            media_time,
            media_rate: FixedPoint::new(1, 0),
        }
    }

    #[test]
    fn times_round_to_the_nearest_tick() {
        let rate = NonZeroU32::new(44_100).unwrap();
        assert_eq!(nanos(44_100, rate), 1_000_000_000);
        assert_eq!(nanos(-1, rate), -22_676);
        assert_eq!(ticks(nanos(1_234_567, rate), rate), 1_234_567);
        assert_eq!(ticks(-5, rate), 0);
        assert_eq!(nanos(i64::MAX, THOUSAND), i64::MAX);
    }

    #[test]
    fn a_delay_and_a_cut_are_followed() {
        let edit = Edit::read(&[entry(500, None), entry(2000, Some(1024))], THOUSAND).unwrap();
        assert_eq!(edit.delay, 500_000_000);
        assert_eq!(edit.start, 1024);
        assert_eq!(edit.length, Some(2_000_000_000));
    }

    #[test]
    fn several_cuts_need_a_transcoder() {
        let twice = [entry(500, Some(0)), entry(500, Some(9000))];
        assert!(matches!(
            Edit::read(&twice, THOUSAND),
            Err(MediaError::Unsupported { .. })
        ));
        let mut frozen = entry(500, Some(0));
        frozen.media_rate = FixedPoint::new(0, 0);
        assert!(matches!(
            Edit::read(&[frozen], THOUSAND),
            Err(MediaError::Unsupported { .. })
        ));
    }
}
