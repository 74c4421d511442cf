//! What ffmpeg adds; without it these tests say so and pass.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use super::{
    super::{MediaError, Options, find_ffmpeg, package},
    CLIP, SOUND, close, fixture, packaged,
};

fn ffmpeg() -> Option<PathBuf> {
    let ffmpeg = find_ffmpeg(std::env::var_os("PATH").as_deref());
    if ffmpeg.is_none() {
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

#[track_caller]
fn generate(ffmpeg: &Path, arguments: &str, target: &Path) {
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
