//! One picture of a film.

use std::{path::Path, time::Duration};

use super::{
    super::{
        error::MediaError,
        ffmpeg::{self, MAX_SECONDS},
        watch::{Stage, Watch},
    },
    Fit, Task,
};

/// One group of pictures is decoded at most.
const LIMIT: Duration = Duration::from_mins(2);

/// How much earlier to look, in seconds, when there is no picture at a time after all.
const EARLIER: [f64; 4] = [0.0, 1.0, 10.0, MAX_SECONDS];

/// The file formats of an image that does not move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Picture {
    /// JPEG.
    Jpg,
    /// PNG.
    Png,
    /// `WebP`, lossy.
    Webp,
}

impl Picture {
    /// How such a file's name ends, without the dot.
    pub(crate) fn extension(self) -> &'static str {
        match self {
            Self::Jpg => "jpg",
            Self::Png => "png",
            Self::Webp => "webp",
        }
    }

    /// What HTTP calls such a file.
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Jpg => "image/jpeg",
            Self::Png => "image/png",
            Self::Webp => "image/webp",
        }
    }

    /// The encoder; and a muxer that takes the name of the file as it is.
    pub(super) fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Jpg => &["-c:v", "mjpeg", "-q:v", "3", "-f", "image2pipe"],
            Self::Png => &["-c:v", "png", "-f", "image2pipe"],
            Self::Webp => &["-c:v", "libwebp", "-q:v", "80", "-f", "image2pipe"],
        }
    }
}

/// The picture that is wanted, as the parameters of Mux's `thumbnail` say it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Still {
    /// When it is shown, in seconds; after the end it is the last one. Mux takes the middle of the
    /// film if nobody says.
    pub at: f64,
    /// Of the image, in pixels, after any rotation.
    pub width: Option<u32>,
    /// Of the image, in pixels, after any rotation.
    pub height: Option<u32>,
    /// What becomes of a picture of another shape.
    pub fit: Fit,
    /// Degrees clockwise: 90, 180 or 270; anything else is not turned.
    pub rotate: u16,
    /// Upside down, after any rotation.
    pub flip_v: bool,
    /// Left and right changed, after any rotation.
    pub flip_h: bool,
}

impl Still {
    fn filters(&self, (width, height): (u32, u32)) -> String {
        let (turn, size) = match self.rotate {
            90 => ("transpose=clock,", (height, width)),
            180 => ("hflip,vflip,", (width, height)),
            270 => ("transpose=cclock,", (height, width)),
            _ => ("", (width, height)),
        };
        let fit = self.fit.filters(size, self.width, self.height);
        let upside = if self.flip_v { ",vflip" } else { "" };
        let mirror = if self.flip_h { ",hflip" } else { "" };
        format!("{turn}{fit}{upside}{mirror},setsar=1")
    }
}

/// Makes the picture `wanted` of the film `source` into the file `out`.
pub(crate) fn still(
    ffmpeg: &Path,
    source: &Path,
    wanted: &Still,
    picture: Picture,
    out: &Path,
    watch: &Watch,
) -> Result<(), MediaError> {
    let task = Task::begin(ffmpeg, source, out, watch)?;
    let at = task.clamp(wanted.at);
    // Files do not always know when their last picture is.
    for earlier in EARLIER {
        let at = (at - earlier).max(0.0);
        let mut command = ffmpeg::begin(ffmpeg);
        command.args(["-ss", &format!("{at:.6}")]);
        command.args(task.upload.input()?);
        command.args(["-map", "0:V:0", "-frames:v", "1"]);
        command.args(["-vf", &wanted.filters(task.picture.size)]);
        command.args(picture.arguments());
        command.arg(ffmpeg::local(task.draft.path())?);
        ffmpeg::run(&mut command, LIMIT, Stage::whole(watch), None)?;
        if at == 0.0 || task.draft.has_content() {
            break;
        }
    }
    task.finish()
}

#[cfg(test)]
mod tests {
    use super::{Fit, Still};

    #[test]
    fn the_box_is_meant_for_the_turned_picture() {
        let mut still = Still {
            width: Some(90),
            rotate: 90,
            ..Still::default()
        };
        let film = (1920, 1080);
        assert_eq!(still.filters(film), "transpose=clock,scale=90:160,setsar=1");
        still = Still {
            rotate: 180,
            flip_v: true,
            flip_h: true,
            fit: Fit::Pad,
            ..still
        };
        assert_eq!(
            still.filters(film),
            "hflip,vflip,scale=90:51,vflip,hflip,setsar=1"
        );
    }
}
