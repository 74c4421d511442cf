//! Progress, and work that is cancelled.

use std::{fs, path::Path, thread, time::Duration};

use super::{
    super::{
        MediaError, Options, Watch,
        images::{Animation, Motion, Picture, Still, animation, still, storyboard},
        movie::Movie,
        package,
        remux::remux,
        source::Source,
        statics::{Static, static_rendition},
        watch::Stage,
    },
    CLIP, fixture, options,
    transcode::{ffmpeg, generate},
};

/// Looks at the watch until the work ends, and says what was seen.
fn watched<T: Send>(watch: &Watch, work: impl FnOnce() -> T + Send) -> (T, Vec<u8>) {
    thread::scope(|scope| {
        let work = scope.spawn(work);
        let mut seen = vec![watch.percent()];
        while !work.is_finished() {
            seen.push(watch.percent());
            thread::sleep(Duration::from_millis(1));
        }
        seen.push(watch.percent());
        (work.join().unwrap(), seen)
    })
}

/// Cancels the work as soon as it has begun.
fn interrupted<T: Send>(
    watch: &Watch,
    has_begun: impl Fn() -> bool,
    work: impl FnOnce() -> T + Send,
) -> T {
    thread::scope(|scope| {
        let work = scope.spawn(work);
        while !work.is_finished() && !has_begun() {
            thread::sleep(Duration::from_millis(1));
        }
        watch.cancel();
        work.join().unwrap()
    })
}

#[track_caller]
fn rises(seen: &[u8]) {
    assert!(seen.is_sorted(), "{seen:?}");
    assert_eq!((seen.first(), seen.last()), (Some(&0), Some(&100)));
}

#[track_caller]
fn leaves_only(folder: &Path, count: usize) {
    let left: Vec<_> = fs::read_dir(folder).unwrap().flatten().collect();
    assert_eq!(left.len(), count, "{left:?}");
}

fn long_film(ffmpeg: &Path, folder: &Path) -> std::path::PathBuf {
    let source = folder.join("film.mkv");
    let pictures = "-f lavfi -i testsrc2=s=1280x720:r=25:d=12 -c:v mpeg4";
    generate(ffmpeg, pictures, &source);
    source
}

#[test]
fn a_copy_reaches_a_hundred() {
    let root = tempfile::tempdir().unwrap();
    let options = options(1.0);
    let out = root.path().join("asset");
    let (made, seen) = watched(&options.watch, || package(&fixture(CLIP), &out, &options));
    made.unwrap();
    rises(&seen);
}

#[test]
fn transcoding_rises_to_a_hundred() {
    let Some(ffmpeg) = ffmpeg() else { return };
    let root = tempfile::tempdir().unwrap();
    let source = long_film(&ffmpeg, root.path());
    let options = Options {
        ffmpeg: Some(ffmpeg),
        ..Options::default()
    };
    let out = root.path().join("asset");
    let (made, seen) = watched(&options.watch, || package(&source, &out, &options));
    assert_eq!(made.unwrap().renditions.len(), 2);
    rises(&seen);
    let between = seen.iter().filter(|it| (5..95).contains(*it)).count();
    assert_ne!(between, 0, "{seen:?}");
}

#[test]
fn transcoding_that_is_cancelled_leaves_nothing() {
    let Some(ffmpeg) = ffmpeg() else { return };
    let root = tempfile::tempdir().unwrap();
    let source = long_film(&ffmpeg, root.path());
    let options = Options {
        ffmpeg: Some(ffmpeg),
        ..Options::default()
    };
    let out = root.path().join("asset");
    let has_begun = || options.watch.percent() > 0;
    let answer = interrupted(&options.watch, has_begun, || {
        package(&source, &out, &options)
    });
    assert!(matches!(answer, Err(MediaError::Cancelled)), "{answer:?}");
    assert!((1..100).contains(&options.watch.percent()));
    leaves_only(root.path(), 1);
}

#[test]
fn a_static_rendition_that_is_cancelled_leaves_nothing() {
    let Some(ffmpeg) = ffmpeg() else { return };
    let root = tempfile::tempdir().unwrap();
    let source = long_film(&ffmpeg, root.path());
    let watch = Watch::default();
    let out = root.path().join("highest.mp4");
    let wanted = Static::Highest;
    let make = || static_rendition(Some(&ffmpeg), &source, wanted, &out, &watch);
    let has_begun = || fs::read_dir(root.path()).unwrap().count() > 1;
    let answer = interrupted(&watch, has_begun, make);
    assert!(matches!(answer, Err(MediaError::Cancelled)), "{answer:?}");
    leaves_only(root.path(), 1);
}

#[test]
fn a_cancelled_copy_ends_between_two_segments() {
    let root = tempfile::tempdir().unwrap();
    let mut source = Source::open(&fixture(CLIP)).unwrap();
    let movie = Movie::read(&mut source).unwrap();
    let watch = Watch::default();
    watch.cancel();
    let second = 1_000_000_000;
    let stage = Stage::whole(&watch);
    let answer = remux(&mut source, &movie, root.path(), "source", second, stage);
    assert!(matches!(answer, Err(MediaError::Cancelled)), "{answer:?}");
    leaves_only(&root.path().join("source"), 1);
}

#[test]
fn work_that_was_cancelled_before_it_began_does_not_begin() {
    let root = tempfile::tempdir().unwrap();
    let out = root.path().join("out");
    let source = fixture(CLIP);
    let options = options(1.0);
    let (watch, nowhere) = (&options.watch, Path::new("/nonexistent/ffmpeg"));
    watch.cancel();
    let moving = Animation::default();
    for answer in [
        package(&source, &out, &options).map(drop),
        static_rendition(None, &source, Static::Highest, &out, watch).map(drop),
        still(
            nowhere,
            &source,
            &Still::default(),
            Picture::Jpg,
            &out,
            watch,
        ),
        animation(nowhere, &source, &moving, Motion::Gif, &out, watch),
        storyboard(nowhere, &source, Picture::Jpg, &out, watch).map(drop),
    ] {
        assert!(matches!(answer, Err(MediaError::Cancelled)), "{answer:?}");
    }
    leaves_only(root.path(), 0);
    assert_eq!(watch.percent(), 0);
}
