//! Static renditions, with ffmpeg and without.

use std::{fs, path::Path};

use super::{
    super::{
        MediaError, Watch,
        statics::{Static, StaticFile, static_rendition},
    },
    CLIP, PICTURES, SOUND, fixture,
    images::Studio,
};

/// Makes a rendition; nothing but it may be left.
#[track_caller]
fn make(
    ffmpeg: Option<&Path>,
    source: &Path,
    wanted: Static,
) -> Result<Option<StaticFile>, MediaError> {
    let root = tempfile::tempdir().unwrap();
    let out = root.path().join(wanted.file_name());
    let watch = Watch::default();
    let made = static_rendition(ffmpeg, source, wanted, &out, &watch);
    let left = fs::read_dir(root.path()).unwrap().count();
    if let Ok(Some(file)) = &made {
        assert_eq!(fs::metadata(&out).unwrap().len(), file.filesize);
        assert_eq!((left, watch.percent()), (1, 100));
    } else {
        assert_eq!(left, 0, "{made:?}");
    }
    made
}

#[track_caller]
fn size(made: Result<Option<StaticFile>, MediaError>) -> (Option<u32>, Option<u32>) {
    let file = made.unwrap().expect("a rendition that is not skipped");
    assert!((file.duration_seconds - 3.0).abs() < 0.1, "{file:?}");
    let bits = f64::from(u32::try_from(file.filesize).unwrap()) * 8.0;
    let rate = f64::from(u32::try_from(file.bitrate).unwrap());
    assert!(
        (bits / file.duration_seconds - rate).abs() < 2.0,
        "{file:?}"
    );
    (file.width, file.height)
}

#[test]
fn resolutions_and_files_are_named_as_at_mux() {
    for (resolution, name) in [
        ("highest", "highest.mp4"),
        ("audio-only", "audio.m4a"),
        ("2160p", "2160p.mp4"),
        ("270p", "270p.mp4"),
        ("capped-1080p", "capped-1080p.mp4"),
    ] {
        assert_eq!(Static::parse(resolution).unwrap().file_name(), name);
    }
    assert_eq!(Static::parse("540p"), Some(Static::Height(540)));
    for unknown in ["", "audio", "p", "1080", "0720p", "719p", "highest.mp4"] {
        assert_eq!(Static::parse(unknown), None, "{unknown}");
    }
}

#[test]
fn without_a_transcoder_there_is_the_upload_itself() {
    for wanted in [Static::Highest, Static::Capped1080, Static::Height(120)] {
        let made = make(None, &fixture(CLIP), wanted);
        assert_eq!(size(made), (Some(160), Some(120)));
    }
    for wanted in [Static::Audio, Static::Height(60)] {
        let error = make(None, &fixture(CLIP), wanted).unwrap_err();
        assert!(matches!(error, MediaError::Unsupported { .. }), "{error}");
        assert!(error.to_string().contains("ffmpeg"), "{error}");
    }
}

#[test]
fn making_it_again_replaces_it() {
    let root = tempfile::tempdir().unwrap();
    let out = root.path().join("new/highest.mp4");
    for name in [PICTURES, CLIP, CLIP] {
        let (source, watch) = (fixture(name), Watch::default());
        static_rendition(None, &source, Static::Highest, &out, &watch).unwrap();
        assert_eq!(fs::read(&out).unwrap(), fs::read(&source).unwrap());
    }
    assert_eq!(fs::read_dir(out.parent().unwrap()).unwrap().count(), 1);
}

#[test]
fn what_the_film_has_not_is_skipped() {
    let studio = Studio::of(CLIP);
    for ffmpeg in [None, studio.as_ref().map(|it| &*it.ffmpeg)] {
        for (name, wanted) in [
            (CLIP, Static::Height(270)),
            (CLIP, Static::Height(2160)),
            (PICTURES, Static::Audio),
            (SOUND, Static::Highest),
            (SOUND, Static::Height(270)),
            (SOUND, Static::Capped1080),
        ] {
            assert_eq!(make(ffmpeg, &fixture(name), wanted).unwrap(), None);
        }
    }
}

#[test]
fn what_is_no_media_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let text = root.path().join("text.mp4");
    fs::write(&text, "hello, this is no film").unwrap();
    let error = make(None, &text, Static::Highest).unwrap_err();
    assert!(matches!(error, MediaError::NotMedia), "{error}");
    fs::write(&text, b"\x1a\x45\xdf\xa3 a matroska file, or so it says").unwrap();
    let error = make(None, &text, Static::Highest).unwrap_err();
    assert!(error.to_string().contains("ffmpeg"), "{error}");
}

#[test]
fn streams_that_are_right_already_are_copied() {
    let Some(studio) = Studio::of(CLIP) else {
        return;
    };
    let out = studio.root.path().join("out");
    let ffmpeg = Some(&*studio.ffmpeg);
    for (wanted, streams) in [(Static::Highest, &["v", "a"][..]), (Static::Audio, &["a"])] {
        let watch = Watch::default();
        static_rendition(ffmpeg, &studio.film, wanted, &out, &watch).unwrap();
        for stream in streams {
            assert_eq!(studio.hash(&out, stream), studio.hash(&studio.film, stream));
        }
        let shape = studio.shape(&out);
        assert_eq!(shape.lines().count(), streams.len(), "{shape}");
        let file = fs::read(&out).unwrap();
        let place = |kind: &[u8]| file.windows(4).position(|it| it == kind).unwrap();
        assert!(
            place(b"moov") < place(b"mdat"),
            "what a player needs first comes first"
        );
    }
}

#[test]
fn foreign_streams_are_transcoded() {
    let film = "testsrc2=s=640x480:r=10:d=3 -f lavfi -i sine=d=3 -c:v mpeg4 -c:a libmp3lame";
    let Some(studio) = Studio::showing(film, "film.mkv") else {
        return;
    };
    let made = |wanted| size(make(Some(&studio.ffmpeg), &studio.film, wanted));
    assert_eq!(made(Static::Highest), (Some(640), Some(480)));
    assert_eq!(made(Static::Capped1080), (Some(640), Some(480)));
    assert_eq!(made(Static::Height(480)), (Some(640), Some(480)));
    assert_eq!(made(Static::Height(270)), (Some(360), Some(270)));
    assert_eq!(made(Static::Audio), (None, None));
}

#[test]
fn a_cap_is_kept() {
    let film = "color=white:s=2160x1200:r=1:d=3 -c:v libx264 -preset ultrafast -pix_fmt yuv420p";
    let Some(studio) = Studio::showing(film, "film.mp4") else {
        return;
    };
    let made = |wanted| size(make(Some(&studio.ffmpeg), &studio.film, wanted));
    assert_eq!(made(Static::Capped1080), (Some(1944), Some(1080)));
    assert_eq!(made(Static::Highest), (Some(2160), Some(1200)));
    let error = make(None, &studio.film, Static::Capped1080).unwrap_err();
    assert!(error.to_string().contains("ffmpeg"), "{error}");
}
