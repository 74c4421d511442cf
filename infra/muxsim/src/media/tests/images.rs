//! Pictures of films, whole and moving; without ffmpeg these tests say so and pass.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

use super::{
    super::{
        MediaError, Watch,
        images::{Animation, Fit, Motion, Picture, Still, animation, still, storyboard},
        statics::{Static, static_rendition},
    },
    CLIP, SOUND, fixture,
    transcode::{ffmpeg, generate},
};

const ALL: [Picture; 3] = [Picture::Jpg, Picture::Png, Picture::Webp];

/// A film, and a folder for its images.
pub(super) struct Studio {
    pub(super) ffmpeg: PathBuf,
    pub(super) root: TempDir,
    pub(super) film: PathBuf,
}

impl Studio {
    pub(super) fn of(name: &str) -> Option<Self> {
        Some(Self {
            ffmpeg: ffmpeg()?,
            root: tempfile::tempdir().unwrap(),
            film: fixture(name),
        })
    }

    /// A studio with a film that ffmpeg's test sources show.
    pub(super) fn showing(arguments: &str, name: &str) -> Option<Self> {
        let studio = Self::of(CLIP)?;
        let film = studio.root.path().join(name);
        generate(&studio.ffmpeg, &format!("-f lavfi -i {arguments}"), &film);
        Some(Self { film, ..studio })
    }

    #[track_caller]
    fn still(&self, wanted: &Still, picture: Picture) -> PathBuf {
        let out = self.root.path().join("images").join(picture.extension());
        let watch = Watch::default();
        still(&self.ffmpeg, &self.film, wanted, picture, &out, &watch).unwrap();
        assert_eq!(watch.percent(), 100);
        only(&out);
        out
    }

    #[track_caller]
    fn animation(&self, wanted: &Animation, motion: Motion) -> PathBuf {
        let out = self.root.path().join("moving").join(motion.extension());
        let watch = Watch::default();
        animation(&self.ffmpeg, &self.film, wanted, motion, &out, &watch).unwrap();
        only(&out);
        out
    }

    /// What ffprobe says of an image: codec, width, height and number of pictures.
    #[track_caller]
    pub(super) fn shape(&self, image: &Path) -> String {
        let entries = "stream=codec_name,width,height,nb_read_frames";
        let output = Command::new(self.ffmpeg.with_file_name("ffprobe"))
            .args(["-v", "error", "-count_frames", "-of", "csv=p=0"])
            .args(["-show_entries", entries])
            .arg(image)
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// A checksum of a stream as it is stored.
    #[track_caller]
    pub(super) fn hash(&self, film: &Path, stream: &str) -> Vec<u8> {
        let output = Command::new(&self.ffmpeg)
            .args(["-v", "error", "-i"])
            .arg(film)
            .args([
                "-map",
                &format!("0:{stream}"),
                "-c",
                "copy",
                "-f",
                "md5",
                "-",
            ])
            .output()
            .unwrap();
        assert!(output.status.success());
        output.stdout
    }

    /// How bright an image is at each point of a grid of three by three, from 0 to 9.
    #[track_caller]
    pub(super) fn brightness(&self, image: &Path, filters: &str) -> Vec<u8> {
        let output = Command::new(&self.ffmpeg)
            .args(["-v", "error", "-i"])
            .arg(image)
            .args(["-vf", &format!("{filters}scale=9:9:flags=area,format=gray")])
            .args(["-f", "rawvideo", "-"])
            .output()
            .unwrap();
        let rows = [1, 4, 7].into_iter();
        let points = rows.flat_map(|row| [1, 4, 7].map(|column| row * 9 + column));
        points.map(|at| output.stdout[at] / 26).collect()
    }
}

/// No draft is left beside the image.
#[track_caller]
fn only(image: &Path) {
    let names = fs::read_dir(image.parent().unwrap()).unwrap().flatten();
    let hidden = names.filter(|it| it.file_name().to_string_lossy().starts_with('.'));
    assert_eq!(hidden.count(), 0);
}

#[test]
fn a_picture_has_the_size_of_the_film_or_the_one_asked_for() {
    let Some(studio) = Studio::of(CLIP) else {
        return;
    };
    for (picture, codec) in ALL.into_iter().zip(["mjpeg", "png", "webp"]) {
        let own = studio.still(&Still::default(), picture);
        assert_eq!(studio.shape(&own), format!("{codec},160,120,1"));
        let asked = Still {
            at: 1.5,
            width: Some(81),
            ..Still::default()
        };
        let asked = studio.still(&asked, picture);
        assert_eq!(studio.shape(&asked), format!("{codec},81,61,1"));
    }
}

#[test]
fn a_picture_fits_its_box_as_it_is_told() {
    let white = "color=white:s=160x90:r=5:d=1 -c:v mpeg4";
    let Some(studio) = Studio::showing(white, "film.mkv") else {
        return;
    };
    let boxed = |fit: Fit| {
        let wanted = Still {
            width: Some(90),
            height: Some(90),
            fit,
            ..Still::default()
        };
        let image = studio.still(&wanted, Picture::Png);
        (studio.shape(&image), studio.brightness(&image, ""))
    };
    let bright = vec![9; 9];
    assert_eq!(
        boxed(Fit::Preserve),
        ("png,90,51,1".to_owned(), bright.clone())
    );
    for fit in [Fit::Stretch, Fit::Crop, Fit::SmartCrop] {
        assert_eq!(boxed(fit), ("png,90,90,1".to_owned(), bright.clone()));
    }
    let (shape, points) = boxed(Fit::Pad);
    let is_white: Vec<_> = points.iter().map(|it| *it > 4).collect();
    assert_eq!(shape, "png,90,90,1");
    assert_eq!(is_white, [[false; 3], [true; 3], [false; 3]].concat());
}

#[test]
fn a_picture_is_turned_and_mirrored() {
    // The left half is white.
    let film = "color=black:s=160x120:r=5:d=1,drawbox=w=80:h=120:c=white:t=fill -c:v mpeg4";
    let Some(studio) = Studio::showing(film, "film.avi") else {
        return;
    };
    let seen = |rotate: u16, flip_h: bool, flip_v: bool| {
        let wanted = Still {
            rotate,
            flip_v,
            flip_h,
            ..Still::default()
        };
        let image = studio.still(&wanted, Picture::Png);
        let [_, top, _, left, _, right, _, bottom, _] = studio.brightness(&image, "")[..] else {
            panic!("nine points")
        };
        let bright = [
            (left, "left"),
            (right, "right"),
            (top, "top"),
            (bottom, "bottom"),
        ];
        let brightest = bright.into_iter().max_by_key(|it| it.0).unwrap().1;
        (studio.shape(&image), brightest)
    };
    let (lying, upright) = ("png,160,120,1".to_owned(), "png,120,160,1".to_owned());
    assert_eq!(seen(0, false, false), (lying.clone(), "left"));
    assert_eq!(seen(90, false, false), (upright.clone(), "top"));
    assert_eq!(seen(180, false, false), (lying.clone(), "right"));
    assert_eq!(seen(270, false, false), (upright.clone(), "bottom"));
    assert_eq!(seen(0, true, false), (lying, "right"));
    assert_eq!(seen(90, false, true), (upright, "bottom"));
}

#[test]
fn a_time_that_is_not_in_the_film_is_its_nearest_picture() {
    let Some(studio) = Studio::of(CLIP) else {
        return;
    };
    let at = |at: f64| {
        let wanted = Still {
            at,
            ..Still::default()
        };
        fs::read(studio.still(&wanted, Picture::Png)).unwrap()
    };
    let (first, last) = (at(0.0), at(2.95));
    assert_ne!(first, last);
    for late in [2.97, 3.0, 99.0, f64::INFINITY] {
        assert!(at(late) == last, "{late}");
    }
    for early in [-1.0, f64::NEG_INFINITY] {
        assert!(at(early) == first, "{early}");
    }
    assert!(!at(f64::NAN).is_empty());
}

#[test]
fn sound_that_outlasts_the_pictures_hides_none() {
    let film = "color=white:s=64x64:r=5:d=1 -f lavfi -i sine=d=30 -c:v mpeg4 -c:a mp2";
    let Some(studio) = Studio::showing(film, "film.mkv") else {
        return;
    };
    let late = Still {
        at: 29.0,
        ..Still::default()
    };
    assert_eq!(
        studio.shape(&studio.still(&late, Picture::Jpg)),
        "mjpeg,64,64,1"
    );
}

#[test]
fn a_moving_image_has_its_size_and_its_pictures() {
    let Some(studio) = Studio::of(CLIP) else {
        return;
    };
    let wanted = Animation {
        start: 1.0,
        end: 2.0,
        width: Some(80),
        fps: 10,
        ..Animation::default()
    };
    let gif = studio.animation(&wanted, Motion::Gif);
    assert_eq!(studio.shape(&gif), "gif,80,60,10");
    let webp = fs::read(studio.animation(&wanted, Motion::Webp)).unwrap();
    // ffprobe does not read these; the sides less one are in `VP8X` (RFC 9649 §2.7).
    assert_eq!((&webp[12..16], webp[24], webp[27]), (&b"VP8X"[..], 79, 59));
    let frames = webp.windows(4).filter(|it| it == b"ANMF").count();
    assert!((5..=10).contains(&frames), "{frames}");
}

#[test]
fn a_moving_image_ends_with_the_film() {
    let Some(studio) = Studio::of(CLIP) else {
        return;
    };
    let whole = studio.animation(&Animation::default(), Motion::Gif);
    assert_eq!(studio.shape(&whole), "gif,160,120,45");
    let after = Animation {
        start: 99.0,
        end: 100.0,
        ..Animation::default()
    };
    assert_eq!(
        studio.shape(&studio.animation(&after, Motion::Gif)),
        "gif,160,120,1"
    );
}

#[test]
fn what_has_no_pictures_has_no_images() {
    let Some(studio) = Studio::of(SOUND) else {
        return;
    };
    let text = studio.root.path().join("text.mp4");
    fs::write(&text, "hello, this is no film").unwrap();
    let out = studio.root.path().join("out");
    let (ffmpeg, watch) = (&studio.ffmpeg, &Watch::default());
    let moving = Animation::default();
    for source in [&studio.film, &text] {
        for answer in [
            still(ffmpeg, source, &Still::default(), Picture::Jpg, &out, watch),
            animation(ffmpeg, source, &moving, Motion::Gif, &out, watch),
            storyboard(ffmpeg, source, Picture::Jpg, &out, watch).map(drop),
            static_rendition(Some(ffmpeg), &text, Static::Highest, &out, watch).map(drop),
        ] {
            let is_right = match answer {
                Err(MediaError::NoPictures) => *source == studio.film,
                Err(MediaError::NotMedia) => true,
                _ => false,
            };
            assert!(is_right, "{answer:?}");
            assert!(!out.exists());
        }
    }
}
