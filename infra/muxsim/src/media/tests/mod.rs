//! Packages the fixtures and takes the result apart again; nothing here needs ffmpeg to pass.

mod damage;
mod edits;
mod images;
mod output;
mod statics;
mod storyboards;
mod transcode;
mod watching;

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{InputFile, MediaError, Options, Packaged, TrackKind, package};
use output::Output;
use serde_json::json;

/// 75 pictures with B-frames in groups of one second, 142 packets of which one is priming, and
/// `moov` at the end.
const CLIP: &str = "video-audio.mp4";
/// 131 packets of mono sound at 44.1 kHz, one of them priming.
const SOUND: &str = "audio-only.m4a";
/// 60 pictures without B-frames in groups of one second, and `moov` in front.
const PICTURES: &str = "video-only.mp4";

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/media")
        .join(name)
}

fn options(segment_seconds: f64) -> Options {
    Options {
        segment_seconds,
        ..Options::default()
    }
}

/// Packages `source` and reads back the rendition of that name.
#[track_caller]
fn packaged(source: &Path, options: &Options, rendition: &str) -> (Packaged, Output) {
    let root = tempfile::tempdir().unwrap();
    let out = root.path().join("asset");
    let packaged = package(source, &out, options).unwrap();
    let output = Output::read(&out.join(rendition));
    output.check();
    assert_eq!(
        fs::read_dir(root.path()).unwrap().count(),
        1,
        "only the asset is left"
    );
    (packaged, output)
}

#[track_caller]
fn refused(bytes: &[u8]) -> MediaError {
    let root = tempfile::tempdir().unwrap();
    let source = root.path().join("upload");
    fs::write(&source, bytes).unwrap();
    let error = package(&source, &root.path().join("asset"), &Options::default()).unwrap_err();
    assert_eq!(
        fs::read_dir(root.path()).unwrap().count(),
        1,
        "only the upload is left"
    );
    error
}

#[track_caller]
fn close(left: f64, right: f64) {
    assert!((left - right).abs() < 0.001, "{left} is not {right}");
}

#[test]
fn pictures_and_sound_stay_together() {
    let (packaged, output) = packaged(&fixture(CLIP), &options(1.0), "source");
    let rendition = &packaged.renditions[0];
    assert_eq!(rendition.segment_seconds.len(), 3);
    assert_eq!((rendition.width, rendition.height), (Some(160), Some(120)));
    assert!(
        rendition.codecs.starts_with("avc1.64"),
        "{}",
        rendition.codecs
    );
    assert!(
        rendition.codecs.ends_with(",mp4a.40.2"),
        "{}",
        rendition.codecs
    );
    assert_eq!(output.tracks[0].samples.len(), 75);
    assert_eq!(output.tracks[1].samples.len(), 141);
    for track in &output.tracks {
        close(track.first_shown(), 0.0);
        close(track.end(), 3.0);
    }
    close(packaged.duration_seconds, 3.0);
    close(rendition.segment_seconds.iter().sum(), 3.0);
    let TrackKind::Video { frame_rate, .. } = packaged.tracks[0].kind else {
        panic!("video comes first")
    };
    close(frame_rate, 25.0);
    let sound = TrackKind::Audio {
        channels: 2,
        sample_rate: 48_000,
    };
    assert_eq!(packaged.tracks[1].kind, sound);
    close(
        packaged.tracks[0].duration_seconds,
        packaged.tracks[1].duration_seconds,
    );
}

#[test]
fn reordered_pictures_keep_their_order() {
    let (_, output) = packaged(&fixture(CLIP), &options(4.0), "source");
    let video = &output.tracks[0];
    assert!(
        video.samples.iter().any(|sample| sample.composition < 0),
        "offsets are signed"
    );
    let mut shown: Vec<_> = video.samples.iter().map(output::Sample::shown).collect();
    shown.sort_unstable();
    let step = shown[1];
    assert!(
        shown
            .iter()
            .zip(0..)
            .all(|(time, index)| *time == index * step)
    );
}

#[test]
fn media_data_is_copied_byte_for_byte() {
    for name in [CLIP, SOUND, PICTURES] {
        let source = fs::read(fixture(name)).unwrap();
        let (_, output) = packaged(&fixture(name), &options(1.0), "source");
        for sample in output
            .tracks
            .iter()
            .flat_map(|track| &track.samples)
            .step_by(7)
        {
            assert!(
                source
                    .windows(sample.bytes.len())
                    .any(|window| window == sample.bytes)
            );
        }
    }
}

#[test]
fn sound_alone_is_cut_by_time() {
    let (packaged, output) = packaged(&fixture(SOUND), &options(1.0), "source");
    let rendition = &packaged.renditions[0];
    assert_eq!((rendition.width, rendition.height), (None, None));
    assert_eq!(rendition.codecs, "mp4a.40.2");
    assert_eq!(
        rendition.segment_seconds,
        [1.0, 1.0, packaged.duration_seconds - 2.0]
    );
    assert_eq!(output.tracks[0].samples.len(), 130);
    close(output.tracks[0].first_shown(), 0.0);
    close(packaged.duration_seconds, 3.0);
    assert_eq!(
        packaged.tracks[0].kind,
        TrackKind::Audio {
            channels: 1,
            sample_rate: 44_100
        }
    );
}

#[test]
fn pictures_alone_are_cut_at_sync_samples() {
    let (packaged, output) = packaged(&fixture(PICTURES), &options(0.5), "source");
    assert_eq!(packaged.renditions[0].segment_seconds, [1.0, 1.0]);
    assert_eq!(output.tracks[0].samples.len(), 60);
    let bytes: usize = output.segments.iter().copied().max().unwrap();
    assert_eq!(packaged.renditions[0].bandwidth, bytes as u64 * 8);
}

#[test]
fn packaging_again_replaces() {
    let root = tempfile::tempdir().unwrap();
    let out = root.path().join("asset");
    package(&fixture(CLIP), &out, &options(1.0)).unwrap();
    let packaged = package(&fixture(PICTURES), &out, &options(4.0)).unwrap();
    assert!(out.join("source/0.m4s").exists());
    assert!(!out.join("source/1.m4s").exists());
    let json = serde_json::to_string(&packaged).unwrap();
    assert_eq!(serde_json::from_str::<Packaged>(&json).unwrap(), packaged);
    assert!(json.contains(r#""type":"video""#), "{json}");
}

#[test]
fn the_upload_is_described_as_mux_does() {
    let (packaged, _) = packaged(&fixture(CLIP), &options(1.0), "source");
    assert_eq!(
        serde_json::to_value(&packaged.input).unwrap(),
        json!({"container_format": "mov,mp4,m4a,3gp,3g2,mj2", "tracks": [
            {"type": "video", "encoding": "h264", "duration": 3.0, "frame_rate": 25.0,
             "width": 160, "height": 120},
            {"type": "audio", "encoding": "aac", "duration": 3.0, "channels": 2,
             "sample_rate": 48_000},
        ]})
    );
    assert!(packaged.non_standard.is_empty());
}

#[test]
fn what_was_stored_before_there_were_inputs_still_reads() {
    let old = json!({"duration_seconds": 1.0, "tracks": [], "renditions": []});
    let read: Packaged = serde_json::from_value(old).unwrap();
    assert_eq!(read.input, InputFile::default());
    assert!(read.non_standard.is_empty());
}

#[test]
fn a_missing_file_is_the_disks_fault() {
    let root = tempfile::tempdir().unwrap();
    let missing = package(
        &root.path().join("upload"),
        &root.path().join("asset"),
        &options(4.0),
    );
    assert!(matches!(missing, Err(MediaError::Io(_))));
}
