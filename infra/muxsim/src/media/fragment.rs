//! Writes the two kinds of file a rendition consists of (RFC 8216 §3.3): the initialization section
//! with everything a decoder must know first, and segments of one `moof` and one `mdat` each.

use std::io::Write;

use mp4_atom::{
    Dinf, Dref, Encode, FixedPoint, FourCC, Ftyp, Hdlr, Header, Mdhd, Mdia, Mfhd, Minf, Moof, Moov,
    Mvex, Mvhd, Smhd, Stbl, StszSamples, Tfdt, Tfhd, Tkhd, Traf, Trak, Trex, Trun, TrunEntry, Url,
    Vmhd,
};

use super::{
    cutter::{Part, Placed, Segment},
    entry::Form,
    error::{MediaError, absurd},
    movie::SourceTrack,
    source::Source,
};

/// Sample flags (ISO/IEC 14496-12 §8.8.3.1): depends on no other sample.
const SYNC: u32 = 0x0200_0000;

/// Sample flags: depends on others, and is no place to start.
const DEPENDENT: u32 = 0x0101_0000;

/// A `mdat` header, in bytes; segments are far below the 4 GiB that would make it longer.
const MDAT_HEADER: usize = 8;

/// The initialization section of a rendition with these tracks, numbered from 1 in their order.
pub(super) fn init<'a>(
    tracks: impl Iterator<Item = &'a SourceTrack>,
) -> Result<Vec<u8>, MediaError> {
    let tracks: Vec<_> = (1..).zip(tracks).collect();
    let brands = [b"iso5", b"iso6", b"mp41"].map(FourCC::new);
    let ftyp = Ftyp {
        major_brand: brands[1],
        minor_version: 0,
        compatible_brands: brands.to_vec(),
    };
    let mvhd = Mvhd {
        rate: FixedPoint::new(1, 0),
        volume: FixedPoint::new(1, 0),
        next_track_id: 3,
        ..Mvhd::default()
    };
    let trex = tracks.iter().map(|(track_id, track)| Trex {
        track_id: *track_id,
        default_sample_description_index: 1,
        default_sample_flags: match track.entry.form {
            Form::Video { .. } => DEPENDENT,
            Form::Audio { .. } => SYNC,
        },
        ..Trex::default()
    });
    let moov = Moov {
        mvhd,
        mvex: Some(Mvex {
            mehd: None,
            trex: trex.collect(),
        }),
        trak: tracks
            .iter()
            .map(|(track_id, track)| trak(*track_id, track))
            .collect(),
        ..Moov::default()
    };
    let mut bytes = Vec::new();
    encode(&ftyp, &mut bytes)?;
    encode(&moov, &mut bytes)?;
    Ok(bytes)
}

fn trak(track_id: u32, track: &SourceTrack) -> Trak {
    let (width, height, handler, name) = match track.entry.form {
        Form::Video { width, height } => (width, height, b"vide", "video"),
        Form::Audio { .. } => (0, 0, b"soun", "sound"),
    };
    let is_video = width > 0;
    let minf = Minf {
        vmhd: is_video.then(Vmhd::default),
        smhd: (!is_video).then(Smhd::default),
        dinf: Dinf {
            dref: Dref {
                entries: vec![Url::default().into()],
            },
        },
        stbl: Stbl {
            stsd: mp4_atom::Stsd {
                codecs: vec![track.entry.codec.clone()],
            },
            stsz: mp4_atom::Stsz {
                samples: StszSamples::Identical { count: 0, size: 0 },
            },
            stco: Some(mp4_atom::Stco::default()),
            ..Stbl::default()
        },
        ..Minf::default()
    };
    Trak {
        tkhd: Tkhd {
            track_id,
            enabled: true,
            in_movie: true,
            volume: FixedPoint::new(u8::from(!is_video), 0),
            matrix: track.matrix.clone(),
            width: width.into(),
            height: height.into(),
            ..Tkhd::default()
        },
        mdia: Mdia {
            mdhd: Mdhd {
                timescale: track.timescale.get(),
                language: track.language.clone(),
                ..Mdhd::default()
            },
            hdlr: Hdlr {
                handler: FourCC::new(handler),
                name: name.into(),
            },
            minf,
        },
        ..Trak::default()
    }
}

/// Writes one segment, its media data straight from the source; returns its length in bytes.
pub(super) fn segment(
    source: &mut Source,
    segment: &Segment,
    sequence_number: u32,
    target: &mut impl Write,
) -> Result<u64, MediaError> {
    // The offsets in `moof` count from its own start, and its length does not depend on them.
    let mut bytes = Vec::new();
    encode(&moof(segment, sequence_number, 0)?, &mut bytes)?;
    let data = bytes.len() + MDAT_HEADER;
    bytes.clear();
    encode(&moof(segment, sequence_number, data)?, &mut bytes)?;
    let media = segment.parts.iter().map(length).sum::<usize>();
    encode(
        &Header {
            kind: FourCC::new(b"mdat"),
            size: Some(media),
        },
        &mut bytes,
    )?;
    target.write_all(&bytes)?;
    for part in &segment.parts {
        for stretch in part.samples.chunk_by(|it, next| end(it) == next.offset) {
            if let [first, .., last] | [first @ last] = stretch {
                source.copy(first.offset, end(last) - first.offset, target)?;
            }
        }
    }
    Ok((data + media) as u64)
}

fn moof(segment: &Segment, sequence_number: u32, data: usize) -> Result<Moof, MediaError> {
    let mut offset = data;
    let mut fragments = Vec::with_capacity(segment.parts.len());
    for (track_id, part) in (1..).zip(&segment.parts) {
        let entries: Vec<_> = part.samples.iter().map(entry).collect();
        let run = Trun {
            data_offset: Some(
                i32::try_from(offset).map_err(|_| absurd("segment is larger than its offsets"))?,
            ),
            samples: entries.into(),
        };
        fragments.push(Traf {
            tfhd: Tfhd {
                track_id,
                default_base_is_moof: true,
                duration_is_empty: part.samples.is_empty(),
                ..Tfhd::default()
            },
            tfdt: Some(Tfdt {
                base_media_decode_time: part.base,
            }),
            trun: Some(run)
                .filter(|_| !part.samples.is_empty())
                .into_iter()
                .collect(),
            ..Traf::default()
        });
        offset += length(part);
    }
    Ok(Moof {
        mfhd: Mfhd { sequence_number },
        traf: fragments,
    })
}

fn entry(sample: &Placed) -> TrunEntry {
    // Sound inherits its flags: every packet is a sync sample.
    let flags = sample
        .composition
        .map(|_| if sample.sync { SYNC } else { DEPENDENT });
    TrunEntry {
        duration: Some(sample.duration),
        size: Some(sample.size),
        flags,
        cts: sample.composition.map(i64::from),
    }
}

fn length(part: &Part) -> usize {
    part.samples
        .iter()
        .map(|sample| usize::try_from(sample.size).unwrap_or(0))
        .sum()
}

fn end(sample: &Placed) -> u64 {
    sample.offset + u64::from(sample.size)
}

fn encode(atom: &impl Encode, bytes: &mut Vec<u8>) -> Result<(), MediaError> {
    atom.encode(bytes)
        .map_err(|_| absurd("description cannot be written in a fragment"))
}
