//! Cuts a movie into segments, one after the other, holding the sample list of only one.

use std::{iter::Peekable, num::NonZeroU32};

use super::{
    entry::Form,
    error::{MediaError, absurd},
    movie::{MAX_DURATION, Movie, SourceTrack},
    table::Sample,
    timeline::{Span, Timeline, nanos},
};

/// Samples of one track in one segment: an hour of video with a single sync sample fits well.
const MAX_SAMPLES: usize = 200_000;

/// Bytes of one segment. Its offsets are signed 32-bit numbers (ISO/IEC 14496-12 §8.8.8).
const MAX_BYTES: u64 = 1 << 30;

/// A sync sample this much before the target, in nanoseconds, is late enough to cut at.
const SLACK: i64 = 50_000_000;

/// A rest of the film shorter than this part of the target joins the segment before it.
const SHORT: i64 = 4;

/// A sample where it goes in the output.
#[derive(Debug, Clone, Copy)]
pub(super) struct Placed {
    /// Position in the source, in bytes.
    pub(super) offset: u64,
    pub(super) size: u32,
    /// In ticks of its track.
    pub(super) duration: u32,
    /// Presentation minus decode time in ticks; sound has none.
    pub(super) composition: Option<i32>,
    pub(super) sync: bool,
}

/// One track's share of a segment.
#[derive(Debug)]
pub(super) struct Part {
    /// Decode time of the first sample, in ticks of the track.
    pub(super) base: u64,
    pub(super) samples: Vec<Placed>,
}

/// What goes into one file.
#[derive(Debug)]
pub(super) struct Segment {
    /// One part per track, in the order of [`Cutter::tracks`].
    pub(super) parts: Vec<Part>,
    /// In nanoseconds.
    pub(super) duration: i64,
}

/// Yields the segments of a movie in order.
pub(super) struct Cutter<'a> {
    video: Option<Lane<'a>>,
    audio: Option<Lane<'a>>,
    /// Wished length of a segment, in nanoseconds.
    target: i64,
    /// Where the next segment begins, in nanoseconds.
    at: i64,
}

impl<'a> Cutter<'a> {
    pub(super) fn new(movie: &'a Movie, target: i64) -> Result<Self, MediaError> {
        let Timeline { video, audio } = Timeline::of(movie)?;
        let lane = |(track, span)| Lane::new(track, span);
        let cutter = Self {
            video: movie.video.as_ref().zip(video).map(lane),
            audio: movie.audio.as_ref().zip(audio).map(lane),
            target,
            at: 0,
        };
        // No track alone is that long, but one may be told to begin late.
        if cutter.end() > MAX_DURATION {
            return Err(absurd("media is longer than 12 hours"));
        }
        Ok(cutter)
    }

    /// The tracks of the output, video first.
    pub(super) fn tracks(&self) -> impl Iterator<Item = (&'a SourceTrack, Span)> {
        self.video
            .iter()
            .chain(&self.audio)
            .map(|lane| (lane.track, lane.span))
    }

    /// When the last sample of any track ends, in nanoseconds.
    pub(super) fn end(&self) -> i64 {
        self.video
            .iter()
            .chain(&self.audio)
            .map(Lane::end)
            .max()
            .unwrap_or(0)
    }

    pub(super) fn next(&mut self) -> Result<Option<Segment>, MediaError> {
        let (at, target) = (self.at, self.target);
        let mut lanes = self.video.iter_mut().chain(&mut self.audio);
        if lanes.all(|lane| lane.samples.peek().is_none()) {
            return Ok(None);
        }
        let mut parts = Vec::with_capacity(2);
        let mut next_group = None;
        if let Some(video) = &mut self.video {
            let mut part = video.part();
            let latest = video.end() - target / SHORT;
            next_group = video.take_groups(&mut part, at + target - SLACK, latest)?;
            parts.push(part);
        }
        let until = next_group.unwrap_or_else(|| self.tail());
        if let Some(audio) = &mut self.audio {
            let mut part = audio.part();
            audio.take_until(&mut part, until)?;
            parts.push(part);
        }
        let size = |part: &Part| {
            part.samples
                .iter()
                .map(|it| u64::from(it.size))
                .sum::<u64>()
        };
        if parts.iter().map(size).sum::<u64>() > MAX_BYTES {
            return Err(MediaError::unsupported("segment of more than a gigabyte"));
        }
        let until = until.min(self.end());
        self.at = until;
        Ok(Some(Segment {
            parts,
            duration: until - at,
        }))
    }

    /// Where a segment ends after which there is no more video: what is left of the sound is cut by
    /// time, and a short rest is not worth a segment. Past every sample if this is the last.
    fn tail(&mut self) -> i64 {
        let end = self.end();
        let video_end = self.video.as_ref().map_or(0, Lane::end);
        let waiting = self.audio.as_mut().and_then(Lane::next_at).unwrap_or(0);
        let limit = video_end
            .max(self.at + self.target)
            .max(waiting.saturating_add(1));
        if end - limit <= self.target / SHORT {
            return i64::MAX;
        }
        limit
    }
}

/// A track on its way through the segments.
struct Lane<'a> {
    track: &'a SourceTrack,
    span: Span,
    timescale: NonZeroU32,
    samples: Peekable<Box<dyn Iterator<Item = Sample> + 'a>>,
    /// Decode time of the next sample in the output, in ticks.
    decode: u64,
}

impl<'a> Lane<'a> {
    fn new(track: &'a SourceTrack, span: Span) -> Self {
        let samples: Box<dyn Iterator<Item = Sample>> =
            Box::new(track.table.samples().skip(span.first).take(span.count));
        let timescale = track.timescale;
        Self {
            track,
            span,
            timescale,
            samples: samples.peekable(),
            decode: span.base,
        }
    }

    fn end(&self) -> i64 {
        nanos(
            i64::try_from(self.span.end).unwrap_or(i64::MAX),
            self.timescale,
        )
    }

    fn part(&self) -> Part {
        Part {
            base: self.decode,
            samples: Vec::new(),
        }
    }

    /// When the next sample is decoded, in nanoseconds of the output.
    fn next_at(&mut self) -> Option<i64> {
        self.samples.peek()?;
        Some(nanos(
            i64::try_from(self.decode).unwrap_or(i64::MAX),
            self.timescale,
        ))
    }

    /// Takes whole groups of pictures up to the first that begins at `from` or later; says when
    /// that one begins. What begins after `latest` is not worth a segment.
    fn take_groups(
        &mut self,
        part: &mut Part,
        from: i64,
        latest: i64,
    ) -> Result<Option<i64>, MediaError> {
        while let Some((time, sample)) = self.next_at().zip(self.samples.peek()) {
            let is_wanted = time >= from && time <= latest && !part.samples.is_empty();
            if sample.sync && is_wanted {
                return Ok(Some(time));
            }
            self.take(part)?;
        }
        Ok(None)
    }

    fn take_until(&mut self, part: &mut Part, until: i64) -> Result<(), MediaError> {
        while self.next_at().is_some_and(|time| time < until) {
            self.take(part)?;
        }
        Ok(())
    }

    fn take(&mut self, part: &mut Part) -> Result<(), MediaError> {
        let Some(sample) = self.samples.next() else {
            return Ok(());
        };
        if part.samples.len() == MAX_SAMPLES {
            return Err(MediaError::unsupported(
                "segment without an end, for want of sync samples,",
            ));
        }
        let composition = match self.track.entry.form {
            Form::Video { .. } => Some(self.composition(&sample)?),
            Form::Audio { .. } => None,
        };
        let Sample {
            offset,
            size,
            duration,
            sync,
            ..
        } = sample;
        part.samples.push(Placed {
            offset,
            size,
            duration,
            composition,
            sync,
        });
        self.decode = self.decode.saturating_add(duration.into());
        Ok(())
    }

    /// Negative where a picture is shown before its decode time: only the difference to the other
    /// pictures means anything, and it is anchored so that the first one shown is shown at once.
    fn composition(&self, sample: &Sample) -> Result<i32, MediaError> {
        let decode = i64::try_from(sample.decode - self.span.source_start).unwrap_or(i64::MAX);
        let shown = sample.presentation().saturating_sub(self.span.zero);
        i32::try_from(shown.saturating_sub(decode))
            .map_err(|_| absurd("picture is shown hours before or after it is decoded"))
    }
}
