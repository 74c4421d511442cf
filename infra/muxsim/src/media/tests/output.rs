//! A packaged rendition, read back with nothing but the box library.

use std::{fs, path::Path};

use mp4_atom::{Atom, Decode, Ftyp, Header, Moof, Moov};

/// One rendition's files.
pub(super) struct Output {
    pub(super) tracks: Vec<Track>,
    /// Length of each segment in bytes.
    pub(super) segments: Vec<usize>,
    /// For each segment, the index of each track's first sample in it.
    starts: Vec<Vec<usize>>,
}

pub(super) struct Track {
    timescale: u32,
    is_video: bool,
    pub(super) samples: Vec<Sample>,
}

pub(super) struct Sample {
    pub(super) decode: i64,
    pub(super) duration: u32,
    pub(super) composition: i64,
    pub(super) sync: bool,
    pub(super) bytes: Vec<u8>,
}

impl Sample {
    /// In ticks.
    pub(super) fn shown(&self) -> i64 {
        self.decode + self.composition
    }
}

impl Track {
    /// When the first picture or sound comes, in seconds.
    pub(super) fn first_shown(&self) -> f64 {
        let ticks = self.samples.iter().map(Sample::shown).min().unwrap();
        f64::from(i32::try_from(ticks).unwrap()) / f64::from(self.timescale)
    }

    /// In seconds.
    pub(super) fn end(&self) -> f64 {
        let last = self.samples.last().unwrap();
        let ticks = last.decode + i64::from(last.duration);
        f64::from(i32::try_from(ticks).unwrap()) / f64::from(self.timescale)
    }
}

impl Output {
    #[track_caller]
    pub(super) fn read(folder: &Path) -> Self {
        let init = fs::read(folder.join("init.mp4")).unwrap();
        let boxes = boxes(&init);
        assert_eq!(
            boxes.iter().map(|it| it.0).collect::<Vec<_>>(),
            [*b"ftyp", *b"moov"]
        );
        Ftyp::decode_body(&mut &boxes[0].1[..]).unwrap();
        let moov = Moov::decode_body(&mut &boxes[1].1[..]).unwrap();
        let trex = &moov.mvex.as_ref().unwrap().trex;
        assert_eq!(trex.len(), moov.trak.len());
        let tracks = moov.trak.iter().map(|trak| Track {
            timescale: trak.mdia.mdhd.timescale,
            is_video: trak.mdia.minf.vmhd.is_some(),
            samples: Vec::new(),
        });
        let mut output = Self {
            tracks: tracks.collect(),
            segments: Vec::new(),
            starts: Vec::new(),
        };
        while let Ok(bytes) = fs::read(folder.join(format!("{}.m4s", output.segments.len()))) {
            output.add(&bytes);
        }
        assert_eq!(
            fs::read_dir(folder).unwrap().count(),
            output.segments.len() + 1
        );
        output
    }

    #[track_caller]
    fn add(&mut self, bytes: &[u8]) {
        let boxes = boxes(bytes);
        assert_eq!(
            boxes.iter().map(|it| it.0).collect::<Vec<_>>(),
            [*b"moof", *b"mdat"]
        );
        let moof = Moof::decode_body(&mut &boxes[0].1[..]).unwrap();
        self.segments.push(bytes.len());
        assert_eq!(moof.mfhd.sequence_number as usize, self.segments.len());
        assert_eq!(moof.traf.len(), self.tracks.len(), "one traf per track");
        self.starts.push(
            self.tracks
                .iter()
                .map(|track| track.samples.len())
                .collect(),
        );
        let mut data = bytes.len() - boxes[1].1.len();
        for (track, traf) in self.tracks.iter_mut().zip(&moof.traf) {
            assert!(traf.tfhd.default_base_is_moof);
            let base = traf.tfdt.as_ref().unwrap().base_media_decode_time;
            let mut decode = i64::try_from(base).unwrap();
            for run in &traf.trun {
                assert_eq!(run.data_offset, Some(i32::try_from(data).unwrap()));
                for entry in &run.samples {
                    let size = entry.size.unwrap() as usize;
                    track.samples.push(Sample {
                        decode,
                        duration: entry.duration.unwrap(),
                        composition: entry.cts.unwrap_or(0),
                        sync: entry.flags.is_none_or(|flags| flags & 0x0001_0000 == 0),
                        bytes: bytes[data..data + size].to_vec(),
                    });
                    decode += i64::from(entry.duration.unwrap());
                    data += size;
                }
            }
        }
        assert_eq!(data, bytes.len(), "the samples fill the media data");
    }

    /// What must hold for any rendition.
    #[track_caller]
    pub(super) fn check(&self) {
        assert!(!self.segments.is_empty());
        for track in &self.tracks {
            for pair in track.samples.windows(2) {
                let end = pair[0].decode + i64::from(pair[0].duration);
                assert_eq!(end, pair[1].decode, "decode times are continuous");
            }
            assert!(track.samples.iter().all(|sample| sample.shown() >= 0));
        }
        for starts in &self.starts {
            for (track, start) in self.tracks.iter().zip(starts).filter(|it| it.0.is_video) {
                assert!(track.samples.get(*start).is_none_or(|sample| sample.sync));
            }
        }
    }
}

/// The boxes of a file: type and body.
#[track_caller]
fn boxes(mut bytes: &[u8]) -> Vec<([u8; 4], &[u8])> {
    let mut boxes = Vec::new();
    while !bytes.is_empty() {
        let header = Header::decode(&mut bytes).unwrap();
        let (body, rest) = bytes.split_at(header.size.unwrap());
        boxes.push((header.kind.into(), body));
        bytes = rest;
    }
    boxes
}
