//! One call of packaging: what is copied, what is transcoded, and how far that is.

use std::{collections::BTreeMap, fs, path::Path};

use super::{
    Options, Packaged,
    error::MediaError,
    ffmpeg::{self, Pictures, Recipe, Sound, Upload},
    input::InputFile,
    ladder::{self, Rung},
    movie::Movie,
    probe::Probe,
    remux::{Remuxed, remux},
    sniff::Container,
    source::Source,
    staging,
    watch::Stage,
};

/// Name of the rendition that holds the uploaded streams themselves.
const SOURCE: &str = "source";

/// Name of the rendition of a transcoded file without pictures.
const AUDIO: &str = "audio";

/// What a copy weighs beside the rungs, whose weight is their lines.
const COPY: u64 = 40;

/// Of the work on one rung, the hundredths that are transcoding; the rest is packaging.
const TRANSCODING: u64 = 95;

pub(super) struct Job<'a> {
    upload: Upload<'a>,
    folder: &'a Path,
    options: &'a Options,
}

impl<'a> Job<'a> {
    pub(super) fn new(upload: Upload<'a>, folder: &'a Path, options: &'a Options) -> Self {
        Self {
            upload,
            folder,
            options,
        }
    }

    pub(super) fn run(&self, file: &mut Source) -> Result<Packaged, MediaError> {
        match (self.copy(file), &self.options.ffmpeg) {
            (Ok(copied), None) => Ok(standard(vec![copied])),
            (Ok(copied), Some(ffmpeg)) => self.extend(copied, ffmpeg),
            (Err(MediaError::Unsupported { .. }), Some(ffmpeg)) => self.transcode(ffmpeg),
            (Err(error), _) => Err(error),
        }
    }

    fn whole(&self) -> Stage<'a> {
        Stage::whole(&self.options.watch)
    }

    fn copy(&self, file: &mut Source) -> Result<Remuxed, MediaError> {
        if let Container::Other(name) = self.upload.container {
            return Err(MediaError::unsupported(format!("{name} container")));
        }
        let movie = Movie::read(file)?;
        let lines = movie.display_size().map_or(0, |(w, h)| w.min(h));
        let rungs = match self.options.ffmpeg {
            Some(_) if lines > self.options.max_height => {
                return Err(MediaError::unsupported("picture above the limit"));
            }
            Some(_) => ladder::rungs_below(lines, self.options.max_height),
            None => Vec::new(),
        };
        let stage = self.whole().part(0, COPY, COPY + weight(&rungs));
        let target = self.options.segment_nanos();
        remux(file, &movie, self.folder, SOURCE, target, stage)
    }

    /// Adds smaller pictures below a copy.
    fn extend(&self, copied: Remuxed, ffmpeg: &Path) -> Result<Packaged, MediaError> {
        let size = copied.rendition.width.zip(copied.rendition.height);
        let lines = size.map_or(0, |(width, height)| width.min(height));
        let rungs = ladder::rungs_below(lines, self.options.max_height);
        if rungs.is_empty() {
            return Ok(standard(vec![copied]));
        }
        let probe = Probe::of(ffmpeg, self.upload, &self.options.watch)?;
        let total = COPY + weight(&rungs);
        let stage = self.whole().part(COPY, total, total);
        let mut made = self.make_all(ffmpeg, &rungs, &probe, stage)?;
        made.push(copied);
        Ok(standard(made))
    }

    fn transcode(&self, ffmpeg: &Path) -> Result<Packaged, MediaError> {
        staging::remove(&self.folder.join(SOURCE))?;
        let probe = Probe::of(ffmpeg, self.upload, &self.options.watch)?;
        let made = match &probe.picture {
            Some(picture) => {
                let rungs = ladder::rungs_for(picture.lines(), self.options.max_height);
                self.make_all(ffmpeg, &rungs, &probe, self.whole())?
            }
            None => vec![self.make(ffmpeg, AUDIO, Pictures::Omitted, &probe, self.whole())?],
        };
        Ok(Packaged {
            input: probe.input,
            non_standard: probe.non_standard,
            ..standard(made)
        })
    }

    fn make_all(
        &self,
        ffmpeg: &Path,
        rungs: &[Rung],
        probe: &Probe,
        stage: Stage<'_>,
    ) -> Result<Vec<Remuxed>, MediaError> {
        let size = probe.picture.as_ref().map(|picture| picture.size);
        let size = size.ok_or(MediaError::NoPictures)?;
        let total = weight(rungs);
        let mut done = 0;
        let mut made = Vec::with_capacity(rungs.len());
        for rung in rungs {
            let pictures = Pictures::Encoded {
                rung: *rung,
                size: rung.size(size),
                step: self.options.segment().as_secs_f64(),
            };
            let begun = done;
            done += u64::from(rung.lines);
            let stage = stage.part(begun, done, total);
            let name = format!("{}p", rung.lines);
            made.push(self.make(ffmpeg, &name, pictures, probe, stage)?);
        }
        Ok(made)
    }

    /// Transcodes one rendition to a file, packages that, and removes it.
    fn make(
        &self,
        ffmpeg: &Path,
        name: &str,
        pictures: Pictures,
        probe: &Probe,
        stage: Stage<'_>,
    ) -> Result<Remuxed, MediaError> {
        let path = self.folder.join(format!("{name}.mp4"));
        let recipe = Recipe {
            pictures,
            sound: Sound::Encoded,
            muxer: &["-f", "mp4"],
        };
        let transcoding = stage.part(0, TRANSCODING, 100);
        let seconds = Some(probe.seconds);
        ffmpeg::transcode(ffmpeg, self.upload, recipe, &path, transcoding, seconds)?;
        let mut file = Source::open(&path)?;
        let movie = Movie::read(&mut file)?;
        let packaging = stage.part(TRANSCODING, 100, 100);
        let target = self.options.segment_nanos();
        let made = remux(&mut file, &movie, self.folder, name, target, packaging)?;
        fs::remove_file(&path)?;
        Ok(made)
    }
}

fn weight(rungs: &[Rung]) -> u64 {
    rungs.iter().map(|rung| u64::from(rung.lines)).sum()
}

/// The last of the renditions is the best: it speaks for the file.
fn standard(made: Vec<Remuxed>) -> Packaged {
    let best = made.last();
    let tracks = best.map(|it| it.tracks.clone()).unwrap_or_default();
    Packaged {
        duration_seconds: best.map_or(0.0, |it| it.duration_seconds),
        input: InputFile::of_mp4(&tracks),
        tracks,
        renditions: made.into_iter().map(|it| it.rendition).collect(),
        non_standard: BTreeMap::new(),
    }
}
