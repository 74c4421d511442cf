//! The movie box: which of a file's tracks are packaged, and whether what they say can be true.

use std::num::NonZeroU32;

use mp4_atom::{
    Atom, Edts, Elst, FourCC, Hdlr, Matrix, Mdhd, Mdia, Minf, Mvex, Mvhd, Stbl, Stsd, Tkhd, Trak,
};

use super::{
    entry::{self, Entry, Form},
    error::{MediaError, absurd},
    source::{Region, Source, find},
    table::{SampleTable, Totals},
    timeline::{Edit, nanos},
};

/// Longest media that is packaged, in nanoseconds: 12 hours, as Mux allows.
pub(super) const MAX_DURATION: i64 = 12 * 3600 * 1_000_000_000;

/// Largest sample description that is read, in bytes; a colour profile may be in it.
const MAX_STSD: u64 = 1 << 20;

/// Largest handler box that is read, in bytes.
const MAX_HDLR: u64 = 4 << 10;

/// The tracks that go into the segments: the first of each kind that can be packaged.
#[derive(Debug)]
pub(super) struct Movie {
    pub(super) video: Option<SourceTrack>,
    pub(super) audio: Option<SourceTrack>,
}

/// One track as it is in the file.
#[derive(Debug)]
pub(super) struct SourceTrack {
    pub(super) entry: Entry,
    /// Ticks per second.
    pub(super) timescale: NonZeroU32,
    pub(super) table: SampleTable,
    pub(super) totals: Totals,
    pub(super) edit: Edit,
    /// How the picture is turned for display (ISO/IEC 14496-12 §8.3.2).
    pub(super) matrix: Matrix,
    pub(super) language: String,
}

impl Movie {
    pub(super) fn read(source: &mut Source) -> Result<Self, MediaError> {
        let movie = source.movie()?;
        let boxes = source.children(movie)?;
        if find(&boxes, Mvex::KIND).is_some() {
            return Err(MediaError::unsupported("fragmented MP4"));
        }
        let mvhd: Mvhd = source.required(&boxes)?;
        let timescale = scale(mvhd.timescale)?;
        let (mut video, mut audio) = (Choice::default(), Choice::default());
        for trak in boxes.into_iter().filter(|region| region.kind == Trak::KIND) {
            let trak = source.children(trak)?;
            let mdia = inside(source, &trak, Mdia::KIND)?;
            let choice = match &handler(source, &mdia)? {
                b"vide" => &mut video,
                b"soun" => &mut audio,
                _ => continue,
            };
            if choice.track.is_none() {
                choice.offer(read_track(source, &trak, &mdia, timescale))?;
            }
        }
        let movie = Self {
            video: video.settle()?,
            audio: audio.settle()?,
        };
        movie.check(source.len)?;
        Ok(movie)
    }

    /// Size in pixels as displayed; nothing without pictures.
    pub(super) fn display_size(&self) -> Option<(u32, u32)> {
        self.video.as_ref().and_then(SourceTrack::display_size)
    }

    fn check(&self, file_len: u64) -> Result<(), MediaError> {
        let tracks = || self.video.iter().chain(&self.audio);
        if tracks().next().is_none() {
            return Err(absurd("there are no tracks with samples"));
        }
        if tracks().map(|track| track.totals.bytes).sum::<u64>() > file_len {
            return Err(absurd("samples are larger than the file"));
        }
        Ok(())
    }
}

/// The first usable track of a kind, and why the first unusable one was not taken.
#[derive(Default)]
struct Choice {
    track: Option<SourceTrack>,
    refusal: Option<MediaError>,
}

impl Choice {
    fn offer(
        &mut self,
        offered: Result<Option<SourceTrack>, MediaError>,
    ) -> Result<(), MediaError> {
        match offered {
            Ok(track) => self.track = track,
            Err(error @ MediaError::Unsupported { .. }) => {
                self.refusal.get_or_insert(error);
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// A track that was refused is an error only if no other of its kind could stand in.
    fn settle(self) -> Result<Option<SourceTrack>, MediaError> {
        match (self.track, self.refusal) {
            (None, Some(refusal)) => Err(refusal),
            (track, _) => Ok(track),
        }
    }
}

/// `None` is a track without samples, which recorders leave behind when a microphone is off.
fn read_track(
    source: &mut Source,
    trak: &[Region],
    mdia: &[Region],
    movie_timescale: NonZeroU32,
) -> Result<Option<SourceTrack>, MediaError> {
    let mdhd: Mdhd = source.required(mdia)?;
    let timescale = scale(mdhd.timescale)?;
    let minf = inside(source, mdia, Minf::KIND)?;
    let stbl = inside(source, &minf, Stbl::KIND)?;
    let stsd = find(&stbl, Stsd::KIND).ok_or(absurd("required box is missing"))?;
    let entry = entry::parse(&source.body(stsd, MAX_STSD)?)?;
    let table = SampleTable::read(source, &stbl)?;
    if table.len() == 0 {
        return Ok(None);
    }
    let totals = table.check(source.len)?;
    let duration = i64::try_from(totals.ticks).map_or(i64::MAX, |ticks| nanos(ticks, timescale));
    if duration == 0 {
        return Err(absurd("track lasts no time"));
    }
    if duration > MAX_DURATION {
        return Err(absurd("track is longer than 12 hours"));
    }
    let edits = match find(trak, Edts::KIND) {
        Some(edts) => {
            let boxes = source.children(edts)?;
            source.leaf::<Elst>(&boxes)?.unwrap_or_default().entries
        }
        None => Vec::new(),
    };
    let edit = Edit::read(&edits, movie_timescale)?;
    if edit.delay > MAX_DURATION || nanos(edit.start, timescale) >= duration {
        return Err(absurd("edit list points beyond the media"));
    }
    let Tkhd { matrix, .. } = source.required(trak)?;
    let language = mdhd.language;
    Ok(Some(SourceTrack {
        entry,
        timescale,
        table,
        totals,
        edit,
        matrix,
        language,
    }))
}

/// The handler type, read by hand: `QuickTime` stores the name after it in an encoding of its own.
fn handler(source: &mut Source, mdia: &[Region]) -> Result<[u8; 4], MediaError> {
    let hdlr = find(mdia, Hdlr::KIND).ok_or(absurd("required box is missing"))?;
    let body = source.body(hdlr, MAX_HDLR)?;
    let handler = body.get(8..12).and_then(|bytes| bytes.try_into().ok());
    handler.ok_or(absurd("handler is too short"))
}

fn inside(source: &mut Source, boxes: &[Region], kind: FourCC) -> Result<Vec<Region>, MediaError> {
    source.children(find(boxes, kind).ok_or(absurd("required box is missing"))?)
}

fn scale(timescale: u32) -> Result<NonZeroU32, MediaError> {
    NonZeroU32::new(timescale).ok_or(absurd("time has no scale"))
}

impl SourceTrack {
    /// Size in pixels as displayed: a quarter turn swaps the sides. Nothing for sound.
    pub(super) fn display_size(&self) -> Option<(u32, u32)> {
        let Form::Video { width, height } = self.entry.form else {
            return None;
        };
        if self.matrix.a == 0 && self.matrix.b != 0 {
            return Some((height.into(), width.into()));
        }
        Some((width.into(), height.into()))
    }
}
