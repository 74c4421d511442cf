//! Files that are cut short, damaged, or made to do harm.

use std::{fs, time::Instant};

use super::{CLIP, MediaError, PICTURES, SOUND, fixture, options, package, refused};

/// Packages `bytes` as they are: any answer will do, if only there is one.
fn survives(bytes: &[u8]) -> Result<(), MediaError> {
    let root = tempfile::tempdir().unwrap();
    let source = root.path().join("upload");
    fs::write(&source, bytes).unwrap();
    let answer = package(&source, &root.path().join("asset"), &options(1.0));
    let left = fs::read_dir(root.path()).unwrap().count();
    assert_eq!(left, if answer.is_ok() { 2 } else { 1 });
    answer.map(|_| ())
}

/// The same numbers on every run (Marsaglia's xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).unwrap()
    }
}

#[test]
fn every_truncation_is_refused_or_survived() {
    for name in [CLIP, SOUND, PICTURES] {
        let bytes = fs::read(fixture(name)).unwrap();
        for step in 0..200 {
            let answer = survives(&bytes[..bytes.len() * step / 200]);
            assert!(answer.is_err(), "{name} cut at {step}/200 has lost samples");
        }
    }
}

#[test]
fn flipped_bits_never_panic() {
    for (name, seed) in [(CLIP, 1), (SOUND, 2), (PICTURES, 3)] {
        let bytes = fs::read(fixture(name)).unwrap();
        let movie = bytes.windows(4).position(|it| it == b"moov").unwrap();
        let mut dice = Dice(seed);
        for round in 0..500 {
            let mut damaged = bytes.clone();
            for _ in 0..=dice.below(3) {
                // Media data is only copied: most of the damage goes where something is read.
                let at = match round % 4 {
                    0 => dice.below(bytes.len()),
                    _ => (movie + dice.below(3000)).min(bytes.len() - 1),
                };
                damaged[at] ^= 1 << dice.below(8);
            }
            let _ = survives(&damaged);
        }
    }
}

#[test]
fn bytes_that_are_no_media_are_called_so() {
    let noise: Vec<u8> = (0..4096_u32)
        .map(|it| it.wrapping_mul(2_654_435_761).to_be_bytes()[0])
        .collect();
    for bytes in [
        b"".as_slice(),
        b"\0",
        b"hello, this is no film",
        &[0; 4096],
        &noise,
    ] {
        let error = refused(bytes);
        assert!(matches!(error, MediaError::NotMedia), "{error}");
        assert_eq!(
            error.mux_message(),
            "The input file is not a valid video file."
        );
    }
}

#[test]
fn a_film_cut_short_is_called_so() {
    for name in [CLIP, PICTURES] {
        let bytes = fs::read(fixture(name)).unwrap();
        let error = refused(&bytes[..bytes.len() - 100]);
        assert!(matches!(error, MediaError::Truncated), "{error}");
    }
    let sizeless = [
        b"\0\0\0\x01mdat\xff\xff\xff\xff\xff\xff\xff\xff".as_slice(),
        &[0; 100],
    ]
    .concat();
    assert!(matches!(refused(&sizeless), MediaError::Truncated));
}

#[test]
fn a_foreign_container_needs_a_transcoder() {
    let error = refused(b"\x1a\x45\xdf\xa3 a matroska file, or so it says");
    assert!(matches!(error, MediaError::Unsupported { .. }), "{error}");
}

#[test]
fn a_foreign_codec_needs_a_transcoder() {
    let mut bytes = fs::read(fixture(PICTURES)).unwrap();
    let at = bytes.windows(4).position(|it| it == b"avc1").unwrap();
    let at = at
        + bytes[at + 4..]
            .windows(4)
            .position(|it| it == b"avc1")
            .map_or(0, |it| it + 4);
    bytes[at..at + 4].copy_from_slice(b"hvc1");
    let error = refused(&bytes);
    assert!(
        matches!(&error, MediaError::Unsupported { what } if what == "codec hvc1"),
        "{error}"
    );
}

#[test]
fn boxes_within_boxes_end_somewhere() {
    let start = Instant::now();
    let mut nested = Vec::new();
    let depth = 200_000;
    for level in 0..depth {
        let size: u32 = 8 * (depth - level);
        nested.extend_from_slice(&size.to_be_bytes());
        nested.extend_from_slice(b"moov");
    }
    assert!(matches!(refused(&nested), MediaError::Absurd { .. }));
    let side_by_side = b"\0\0\0\x08free".repeat(200_000);
    assert!(matches!(refused(&side_by_side), MediaError::Absurd { .. }));
    assert!(start.elapsed().as_secs() < 30);
}

/// Overwrites the big-endian number `after` bytes behind the start of every such box type.
fn patched(name: &str, kind: [u8; 4], after: usize, value: u32) -> Vec<u8> {
    let mut bytes = fs::read(fixture(name)).unwrap();
    // What comes first is a list of brands, in which `avc1` is not a box.
    let movie = bytes.windows(4).position(|it| it == b"moov").unwrap();
    for at in movie..bytes.len() - 4 {
        if bytes[at..at + 4] == kind {
            bytes[at + after..at + after + 4].copy_from_slice(&value.to_be_bytes());
        }
    }
    bytes
}

#[track_caller]
fn is_absurd(bytes: &[u8], reason: &str) {
    let error = refused(bytes);
    assert!(
        matches!(error, MediaError::Absurd { what } if what == reason),
        "{error}, not {reason}"
    );
}

#[test]
fn statements_that_cannot_be_true_are_refused() {
    let disagree = "sample tables disagree about the number of samples";
    for (kind, after, value, reason) in [
        (*b"mdhd", 16, 0, "time has no scale"),
        (*b"stts", 16, 0, "track lasts no time"),
        (*b"stts", 16, 1 << 24, "track is longer than 12 hours"),
        (*b"stts", 12, 1, disagree),
        (*b"stco", 8, 0, disagree),
        (*b"stsz", 12, u32::MAX, "box contradicts its own length"),
        (*b"stsc", 8, u32::MAX, "box contradicts its own length"),
        (*b"stsz", 12, 0, "there are no tracks with samples"),
        (*b"avc1", 28, 0, "picture has no size"),
        (
            *b"elst",
            16,
            0x7fff_0000,
            "edit list points beyond the media",
        ),
        (*b"hdlr", 12, 0, "there are no tracks with samples"),
        (*b"mdia", 0, 0, "required box is missing"),
        (*b"stbl", 4, u32::MAX, "box is larger than its parent"),
        (*b"stsd", 8, 0, "track has no sample description"),
    ] {
        is_absurd(&patched(PICTURES, kind, after, value), reason);
    }
}

#[test]
fn one_size_for_all_samples_makes_no_count_true() {
    let mut bytes = patched(PICTURES, *b"stsz", 8, 1);
    let at = bytes.windows(4).position(|it| it == b"stsz").unwrap();
    for (count, reason) in [
        (u32::MAX, "there are too many samples"),
        (61, "sample tables disagree about the number of samples"),
    ] {
        bytes[at + 12..at + 16].copy_from_slice(&count.to_be_bytes());
        is_absurd(&bytes, reason);
    }
}
