//! A few seconds of a film as a moving image.

use std::{path::Path, time::Duration};

use super::{
    super::{
        error::MediaError,
        ffmpeg,
        watch::{Stage, Watch},
    },
    Fit, Task,
};

/// Ten seconds of a large film are encoded by then.
const LIMIT: Duration = Duration::from_mins(10);

/// The file formats of an image that moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Motion {
    /// GIF with a palette of its own.
    Gif,
    /// Animated `WebP`, lossy.
    Webp,
}

impl Motion {
    /// How such a file's name ends, without the dot.
    pub(crate) fn extension(self) -> &'static str {
        match self {
            Self::Gif => "gif",
            Self::Webp => "webp",
        }
    }

    /// What HTTP calls such a file.
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Gif => "image/gif",
            Self::Webp => "image/webp",
        }
    }
}

/// The moving image that is wanted, as the parameters of Mux's `animated` say it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Animation {
    /// When it begins in the film, in seconds; after the end it is the last picture.
    pub start: f64,
    /// When it ends in the film, in seconds; it lasts ten seconds at most.
    pub end: f64,
    /// Of the image, in pixels, 640 at most.
    pub width: Option<u32>,
    /// Of the image, in pixels, 640 at most. Where both sides are given, the image is as large as
    /// they allow and keeps its shape.
    pub height: Option<u32>,
    /// Pictures per second, 30 at most.
    pub fps: u32,
}

impl Default for Animation {
    /// What Mux makes if nobody says: the first five seconds at 15 pictures per second.
    fn default() -> Self {
        Self {
            start: 0.0,
            end: 5.0,
            width: None,
            height: None,
            fps: 15,
        }
    }
}

impl Animation {
    /// Longest animation in seconds, as Mux allows (mux.com/docs/guides/get-images-from-a-video).
    pub(crate) const MAX_LENGTH: f64 = 10.0;

    /// Longest side of an animation in pixels, and its width if nobody asks for one, as at Mux (the same page).
    pub(crate) const MAX_SIDE: u32 = 640;

    /// Most pictures per second, as Mux allows.
    pub(crate) const MAX_FPS: u32 = 30;

    fn filters(&self, size: (u32, u32), motion: Motion) -> String {
        let bounded = |asked: Option<u32>| asked.map(|it| it.min(Animation::MAX_SIDE));
        // Never larger than the film unless someone asks for it.
        let width = bounded(self.width).or(self
            .height
            .is_none()
            .then(|| size.0.min(Animation::MAX_SIDE)));
        let height = bounded(self.height).or(width.map(|_| Animation::MAX_SIDE));
        let width = width.or(Some(Animation::MAX_SIDE));
        let fit = Fit::Preserve.filters(size, width, height);
        let fps = self.fps.clamp(1, Animation::MAX_FPS);
        let palette = match motion {
            Motion::Gif => ",split[a][b];[a]palettegen[p];[b][p]paletteuse",
            Motion::Webp => "",
        };
        format!("fps={fps},{fit},setsar=1{palette}")
    }
}

/// Makes the moving image `wanted` of the film `source` into the file `out`; it repeats for ever.
pub(crate) fn animation(
    ffmpeg: &Path,
    source: &Path,
    wanted: &Animation,
    motion: Motion,
    out: &Path,
    watch: &Watch,
) -> Result<(), MediaError> {
    let task = Task::begin(ffmpeg, source, out, watch)?;
    let start = task.clamp(wanted.start);
    // At least one picture is shown for its time.
    let least = 1.0 / f64::from(wanted.fps.clamp(1, Animation::MAX_FPS));
    let length = (wanted.end - start).max(least).min(Animation::MAX_LENGTH);
    let mut command = ffmpeg::begin(ffmpeg);
    command.args(["-ss", &format!("{start:.6}"), "-t", &format!("{length:.6}")]);
    command.args(task.upload.input()?);
    command.args(["-map", "0:V:0", "-an"]);
    command.args(["-vf", &wanted.filters(task.picture.size, motion)]);
    match motion {
        Motion::Gif => command.args(["-loop", "0", "-f", "gif"]),
        Motion::Webp => command.args(["-c:v", "libwebp_anim", "-loop", "0", "-f", "webp"]),
    };
    command.arg(ffmpeg::local(task.draft.path())?);
    ffmpeg::run(&mut command, LIMIT, Stage::whole(watch), Some(length))?;
    task.finish()
}

#[cfg(test)]
mod tests {
    use super::{Animation, Motion};

    #[track_caller]
    fn is(wanted: &Animation, film: (u32, u32), filters: &str) {
        assert_eq!(wanted.filters(film, Motion::Webp), filters);
    }

    #[test]
    fn sizes_keep_the_shape_within_the_bounds() {
        let mut wanted = Animation::default();
        is(&wanted, (1920, 1080), "fps=15,scale=640:360,setsar=1");
        is(&wanted, (320, 180), "fps=15,scale=320:180,setsar=1");
        is(&wanted, (1080, 1920), "fps=15,scale=360:640,setsar=1");
        wanted.height = Some(90);
        is(&wanted, (1920, 1080), "fps=15,scale=160:90,setsar=1");
        (wanted.width, wanted.fps) = (Some(100), 600);
        is(&wanted, (1920, 1080), "fps=30,scale=100:56,setsar=1");
        (wanted.width, wanted.height) = (Some(9000), None);
        is(&wanted, (320, 180), "fps=30,scale=640:360,setsar=1");
    }
}
