//! What ffmpeg adds; without it these tests say so and pass.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::json;

use super::{
    super::{MediaError, Options, TrackKind, find_ffmpeg, package},
    CLIP, SOUND, close, fixture, packaged,
};

pub(super) fn ffmpeg() -> Option<PathBuf> {
    let ffmpeg = find_ffmpeg(std::env::var_os("PATH").as_deref());
    if ffmpeg.is_none() {
        assert!(
            std::env::var_os("MUXSIM_NEEDS_FFMPEG").is_none(),
            "there is no ffmpeg on the PATH"
        );
        skip();
    }
    ffmpeg
}

#[expect(
    clippy::print_stderr,
    reason = "a test that was skipped must not look like one that ran"
)]
fn skip() {
    eprintln!("skipped: there is no ffmpeg on the PATH");
}

/// Has ffmpeg make a film of its own test sources.
#[track_caller]
pub(super) fn generate(ffmpeg: &Path, arguments: &str, target: &Path) {
    let mut command = Command::new(ffmpeg);
    command
        .args(["-v", "error", "-y"])
        .args(arguments.split_whitespace())
        .arg(target);
    assert!(command.status().unwrap().success());
}

#[test]
fn a_foreign_format_becomes_a_ladder() {
    let Some(ffmpeg) = ffmpeg() else { return };
    let root = tempfile::tempdir().unwrap();
    let source = root.path().join("film.mkv");
    let pictures = "-f lavfi -i testsrc2=s=640x480:r=25:d=5";
    let sound = "-f lavfi -i sine=d=5 -c:v mpeg4 -c:a libmp3lame";
    generate(&ffmpeg, &format!("{pictures} {sound}"), &source);
    let options = Options {
        ffmpeg: Some(ffmpeg),
        segment_seconds: 2.0,
        ..Options::default()
    };
    let out = root.path().join("asset");
    let made = package(&source, &out, &options).unwrap();
    let names: Vec<_> = made.renditions.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["360p", "480p"]);
    for rendition in &made.renditions {
        assert_eq!(rendition.segment_seconds.len(), 3, "{rendition:?}");
        let output = super::Output::read(&out.join(&rendition.name));
        output.check();
        for track in &output.tracks {
            close(track.first_shown(), 0.0);
            assert!((track.end() - 5.0).abs() < 0.05, "{}", track.end());
        }
    }
    assert_eq!(
        std::fs::read_dir(&out).unwrap().count(),
        2,
        "no temporary file is left"
    );
    assert_eq!(
        json!(made.non_standard),
        json!({"video_codec": "mpeg4", "audio_codec": "mp3"})
    );
    assert_eq!(made.input.container, "matroska,webm");
    let encodings: Vec<_> = made
        .input
        .tracks
        .iter()
        .map(|it| &it.encoding[..])
        .collect();
    assert_eq!(encodings, ["mpeg4", "mp3"]);
    let pictures = TrackKind::Video {
        width: 640,
        height: 480,
        frame_rate: 25.0,
    };
    assert_eq!(made.input.tracks[0].kind, pictures);
}

#[test]
fn a_copy_gets_smaller_companions() {
    let Some(ffmpeg) = ffmpeg() else { return };
    let root = tempfile::tempdir().unwrap();
    let source = root.path().join("film.mp4");
    let pictures = "-f lavfi -i testsrc2=s=1280x720:r=25:d=3 -c:v libx264 -pix_fmt yuv420p";
    generate(&ffmpeg, &format!("{pictures} -preset ultrafast"), &source);
    let options = Options {
        ffmpeg: Some(ffmpeg),
        ..Options::default()
    };
    let (made, _) = packaged(&source, &options, "360p");
    let names: Vec<_> = made.renditions.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["360p", "source"]);
    assert_eq!(made.renditions[0].width, Some(640));
    assert_eq!(made.tracks.len(), 1);
}

#[test]
fn small_pictures_and_sound_alone_are_only_copied() {
    let Some(ffmpeg) = ffmpeg() else { return };
    let options = Options {
        ffmpeg: Some(ffmpeg),
        ..Options::default()
    };
    for name in [CLIP, SOUND] {
        let (made, _) = packaged(&fixture(name), &options, "source");
        assert_eq!(made.renditions.len(), 1);
    }
}

#[test]
fn a_transcoder_keeps_no_copy_above_the_limit() {
    let Some(ffmpeg) = ffmpeg() else { return };
    let mut options = Options {
        ffmpeg: Some(ffmpeg),
        max_height: 90,
        ..Options::default()
    };
    let (made, _) = packaged(&fixture(CLIP), &options, "90p");
    let sizes: Vec<_> = made
        .renditions
        .iter()
        .map(|it| (it.width, it.height))
        .collect();
    assert_eq!(sizes, [(Some(120), Some(90))]);
    assert_eq!(made.input.tracks.len(), 2, "{:?}", made.input);
    assert!(made.non_standard.is_empty(), "{:?}", made.non_standard);
    options.ffmpeg = None;
    let (made, _) = packaged(&fixture(CLIP), &options, "source");
    assert_eq!(made.renditions[0].height, Some(120));
}

#[test]
fn an_upright_film_counts_by_its_shorter_side() {
    let Some(ffmpeg) = ffmpeg() else { return };
    let root = tempfile::tempdir().unwrap();
    let source = root.path().join("film.mp4");
    let pictures = "-f lavfi -i testsrc2=s=400x720:r=5:d=2 -c:v libx264 -pix_fmt yuv420p";
    generate(&ffmpeg, pictures, &source);
    let options = Options {
        ffmpeg: Some(ffmpeg),
        max_height: 400,
        ..Options::default()
    };
    let (made, _) = packaged(&source, &options, "360p");
    let sizes: Vec<_> = made
        .renditions
        .iter()
        .map(|it| (it.width, it.height))
        .collect();
    assert_eq!(sizes, [(Some(360), Some(648)), (Some(400), Some(720))]);
}

#[test]
fn deep_colours_are_no_standard_input() {
    let Some(ffmpeg) = ffmpeg() else { return };
    let root = tempfile::tempdir().unwrap();
    let source = root.path().join("film.mp4");
    let pictures = "-f lavfi -i testsrc2=s=64x64:r=5:d=2 -c:v libx264 -pix_fmt yuv444p";
    generate(&ffmpeg, pictures, &source);
    let options = Options {
        ffmpeg: Some(ffmpeg),
        ..Options::default()
    };
    let (made, _) = packaged(&source, &options, "64p");
    assert_eq!(
        json!(made.non_standard),
        json!({"unsupported_pixel_format": "yuv444p"})
    );
}

#[test]
fn foreign_sound_becomes_one_rendition() {
    let Some(ffmpeg) = ffmpeg() else { return };
    let root = tempfile::tempdir().unwrap();
    let source = root.path().join("sound.ogg");
    generate(&ffmpeg, "-f lavfi -i sine=d=3 -c:a libvorbis", &source);
    let options = Options {
        ffmpeg: Some(ffmpeg),
        ..Options::default()
    };
    let (made, _) = packaged(&source, &options, "audio");
    assert_eq!(made.renditions[0].codecs, "mp4a.40.2");
    assert!((made.duration_seconds - 3.0).abs() < 0.05);
}

#[test]
fn a_playlist_in_disguise_reads_no_other_file() {
    let Some(ffmpeg) = ffmpeg() else { return };
    let root = tempfile::tempdir().unwrap();
    let source = root.path().join("film.mp4");
    let options = Options {
        ffmpeg: Some(ffmpeg),
        ..Options::default()
    };
    let clip = fixture(CLIP);
    // What begins like a container is opened as that container and as nothing else.
    for head in ["", "ID3\n", "\0\0\0\u{8}free\n"] {
        let playlist = format!("{head}#EXTM3U\n#EXTINF:3,\nfile:{}\n", clip.display());
        std::fs::write(&source, playlist).unwrap();
        let answer = package(&source, &root.path().join("asset"), &options);
        assert!(
            matches!(
                answer,
                Err(MediaError::NotMedia
                    | MediaError::Truncated
                    | MediaError::Absurd { .. }
                    | MediaError::Ffmpeg { .. })
            ),
            "{answer:?}"
        );
    }
}

#[test]
fn ffmpeg_is_found_in_absolute_folders_only() {
    assert_eq!(find_ffmpeg(None), None);
    assert_eq!(find_ffmpeg(Some("".as_ref())), None);
    assert_eq!(find_ffmpeg(Some(".:bin:/nonexistent".as_ref())), None);
}
