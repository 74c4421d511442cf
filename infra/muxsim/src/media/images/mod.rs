//! Images of a film, as `image.mux.com` serves them: one picture, a few that move, or a storyboard.
//!
//! All of them take ffmpeg and the uploaded file. Each appears complete or not at all and replaces
//! what was there; where no image can be, the answer is [`MediaError::NoPictures`].

mod animation;
mod fit;
mod still;
mod storyboard;

use std::path::Path;

pub(crate) use self::{
    animation::{Animation, Motion, animation},
    fit::Fit,
    still::{Picture, Still, still},
    storyboard::{Storyboard, storyboard},
};
use super::{
    draft::Draft,
    error::MediaError,
    ffmpeg::Upload,
    probe::{self, Probe},
    watch::Watch,
};

/// A file that has pictures, and where its image goes.
struct Task<'a> {
    upload: Upload<'a>,
    picture: probe::Picture,
    /// How long the file lasts, in seconds; its pictures may end before.
    seconds: f64,
    draft: Draft,
    watch: &'a Watch,
}

impl<'a> Task<'a> {
    fn begin(
        ffmpeg: &Path,
        source: &'a Path,
        out: &Path,
        watch: &'a Watch,
    ) -> Result<Self, MediaError> {
        watch.check()?;
        let (upload, _) = Upload::open(source)?;
        let probe = Probe::of(ffmpeg, upload, watch)?;
        Ok(Self {
            upload,
            picture: probe.picture.ok_or(MediaError::NoPictures)?,
            seconds: probe.seconds,
            draft: Draft::of(out)?,
            watch,
        })
    }

    /// A time that is in the film: the last picture is as late as it gets, in seconds.
    fn clamp(&self, time: f64) -> f64 {
        // A millisecond before the picture, lest rounding lets the seek begin after it.
        let last = self.picture.end - self.picture.step - 0.001;
        // NaN is neither: it becomes the beginning.
        time.min(last).max(0.0)
    }

    fn finish(self) -> Result<(), MediaError> {
        self.watch.check()?;
        if !self.draft.has_content() {
            return Err(MediaError::Ffmpeg {
                program: "ffmpeg",
                detail: "wrote no image".to_owned(),
            });
        }
        self.draft.commit()?;
        self.watch.complete();
        Ok(())
    }
}
