//! Edit lists: delays, and cuts that begin within a group of pictures.

use std::fs;

use super::{CLIP, Packaged, close, fixture, options, output::Output, packaged};

/// The clip with the edit list of one of its tracks changed: how long it lasts in milliseconds, and
/// where it begins in ticks.
fn edited(track: usize, change: impl Fn(u32, u32) -> (u32, u32)) -> (Packaged, Output) {
    let mut bytes = fs::read(fixture(CLIP)).unwrap();
    let at = (0..bytes.len() - 4)
        .filter(|at| bytes[*at..at + 4] == *b"elst")
        .nth(track)
        .unwrap();
    let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    let (length, start) = change(number(at + 12), number(at + 16));
    bytes[at + 12..at + 16].copy_from_slice(&length.to_be_bytes());
    bytes[at + 16..at + 20].copy_from_slice(&start.to_be_bytes());
    let root = tempfile::tempdir().unwrap();
    let source = root.path().join("edited.mp4");
    fs::write(&source, bytes).unwrap();
    packaged(&source, &options(1.0), "source")
}

#[test]
fn a_cut_within_a_group_begins_with_the_group() {
    // 12800 ticks per second: begin half a second into the second group.
    let (packaged, output) = edited(0, |length, start| (length - 1500, start + 19_200));
    let [video, audio] = &output.tracks[..] else {
        panic!("two tracks")
    };
    assert_eq!(video.samples.len(), 50);
    close(video.first_shown(), 0.0);
    // The sound still belongs to the first picture asked for; its priming packet, with time to be
    // heard now, comes before that.
    close(audio.first_shown(), 0.5 - 1024.0 / 48_000.0);
    close(audio.end(), 3.5);
    close(packaged.duration_seconds, 3.5);
}

#[test]
fn what_lies_after_the_edit_is_left_out() {
    let (packaged, output) = edited(0, |_, start| (1000, start));
    let [video, audio] = &output.tracks[..] else {
        panic!("two tracks")
    };
    assert!(
        (25..=27).contains(&video.samples.len()),
        "{}",
        video.samples.len()
    );
    close(audio.end(), 3.0);
    // The sound goes on alone, cut by time.
    assert_eq!(packaged.renditions[0].segment_seconds.len(), 3);
    close(packaged.renditions[0].segment_seconds.iter().sum(), 3.0);
}

#[test]
fn sound_cut_by_its_edit_stays_in_time() {
    let (_, output) = edited(1, |length, start| (length, start + 24_000));
    let [video, audio] = &output.tracks[..] else {
        panic!("two tracks")
    };
    close(video.first_shown(), 0.0);
    // Packets are whole: the first that begins at or after the cut is 12 milliseconds late.
    close(audio.first_shown(), 0.012);
    close(audio.end(), 2.5);
}
