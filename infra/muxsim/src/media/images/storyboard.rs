//! Many small pictures of a film in one image, for a player's time line.

use std::{fmt::Write, path::Path, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    super::{
        error::MediaError,
        ffmpeg,
        ladder::scaled,
        watch::{Stage, Watch},
    },
    Picture, Task,
};

/// Twelve hours of sync samples are decoded by then.
const LIMIT: Duration = Duration::from_hours(1);

/// Height of a tile in pixels. Mux's image of a film of 1920 by 800 is 1920 by 1600 with 5 by 10
/// tiles (mux.com/docs/guides/create-timeline-hover-previews), so all are 160 high and as wide as the
/// film's shape makes them: 284 for 16:9.
const TILE_HEIGHT: u32 = 160;

/// Bounds of a tile's width in pixels, for films of an odd shape.
const TILE_WIDTHS: (u32, u32) = (16, 640);

/// Films shorter than this, in milliseconds, have [`FEW`] tiles, the others [`MANY`] (same page).
const LONG: u32 = 15 * 60 * 1000;
const FEW: u32 = 50;
const MANY: u32 = 100;

/// A tile stands for at least so many milliseconds: a film of 24.08 seconds has 25 tiles
/// (docs.imgix.com/apis/video/storyboard-format, whose storyboards are Mux's).
const SHORTEST: u32 = 1000;

/// Above this many milliseconds per tile only sync samples are decoded: they are about as near to
/// each other, and whole films are done in seconds.
const SPARSE: u32 = 4000;

/// What is where in a storyboard, in the JSON form of Mux but for the address of the image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Storyboard {
    /// In pixels.
    pub tile_width: u32,
    /// In pixels.
    pub tile_height: u32,
    /// Of the film, in seconds: when the last tile ends.
    pub duration: f64,
    /// In the order of time; each stands for the film until the next one starts.
    pub tiles: Vec<Tile>,
}

/// One small picture.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Tile {
    /// In seconds of the film.
    pub start: f64,
    /// Of its left edge in the image, in pixels.
    pub x: u32,
    /// Of its upper edge in the image, in pixels.
    pub y: u32,
}

/// Makes a storyboard of the film `source` into the file `out`.
pub(crate) fn storyboard(
    ffmpeg: &Path,
    source: &Path,
    picture: Picture,
    out: &Path,
    watch: &Watch,
) -> Result<Storyboard, MediaError> {
    let task = Task::begin(ffmpeg, source, out, watch)?;
    let grid = Grid::of(task.seconds, task.picture.size);
    let mut command = ffmpeg::begin(ffmpeg);
    if grid.millis / grid.count > SPARSE {
        command.args(["-skip_frame", "nokey"]);
    }
    command.args(task.upload.input()?);
    command.args(["-map", "0:V:0", "-frames:v", "1", "-vf", &grid.filters()]);
    command.args(picture.arguments());
    command.arg(ffmpeg::local(task.draft.path())?);
    ffmpeg::run(&mut command, LIMIT, Stage::whole(watch), None)?;
    let board = grid.board(task.seconds);
    task.finish()?;
    Ok(board)
}

/// How tiles are laid out.
#[derive(Debug, PartialEq)]
struct Grid {
    /// Of one tile, in pixels.
    size: (u32, u32),
    count: u32,
    columns: u32,
    /// Length of the film in milliseconds.
    millis: u32,
}

impl Grid {
    fn of(seconds: f64, size: (u32, u32)) -> Self {
        let millis = millis(seconds).max(1);
        let most = if millis < LONG { FEW } else { MANY };
        let count = millis.div_ceil(SHORTEST).min(most);
        let (least_wide, most_wide) = TILE_WIDTHS;
        let pairs = scaled(TILE_HEIGHT / 2, size.0, size.1);
        let width = pairs.saturating_mul(2).clamp(least_wide, most_wide);
        // As square as it gets: for 16:9 that is Mux's own 5 by 10.
        let slant =
            |columns: &u32| (columns * width).abs_diff(count.div_ceil(*columns) * TILE_HEIGHT);
        Self {
            size: (width, TILE_HEIGHT),
            count,
            columns: (1..=count).min_by_key(slant).unwrap_or(1),
            millis,
        }
    }

    /// Takes from each tile's time the picture nearest to its middle, and the last one again where
    /// the pictures end too early.
    fn filters(&self) -> String {
        let Self {
            size: (width, height),
            count,
            columns,
            millis,
        } = self;
        let rate = format!("{}/{millis}", u64::from(*count) * 1000);
        let rows = count.div_ceil(*columns);
        format!(
            "scale={width}:{height},setsar=1,fps=fps={rate}:start_time=0,\
             tpad=stop={count}:stop_mode=clone,tile={columns}x{rows}:nb_frames={count}"
        )
    }

    fn board(&self, seconds: f64) -> Storyboard {
        let (tile_width, tile_height) = self.size;
        let tile = |index: u32| Tile {
            start: f64::from(scaled(index, self.millis, self.count)) / 1000.0,
            x: index % self.columns * tile_width,
            y: index / self.columns * tile_height,
        };
        Storyboard {
            tile_width,
            tile_height,
            duration: seconds,
            tiles: (0..self.count).map(tile).collect(),
        }
    }
}

impl Storyboard {
    /// The storyboard as WebVTT, whose cues name parts of the image at `image_url`
    /// (Media Fragments URI 1.0 §4.2.2).
    pub(crate) fn vtt(&self, image_url: &str) -> String {
        let mut vtt = String::from("WEBVTT\n");
        let ends = self.tiles.iter().skip(1).map(|tile| tile.start);
        for (tile, end) in self.tiles.iter().zip(ends.chain([self.duration])) {
            let (start, end) = (clock(tile.start), clock(end));
            let (x, y) = (tile.x, tile.y);
            let (width, height) = (self.tile_width, self.tile_height);
            // Writing to a string cannot fail.
            let _ = write!(
                vtt,
                "\n{start} --> {end}\n{image_url}#xywh={x},{y},{width},{height}\n"
            );
        }
        vtt
    }

    /// The storyboard as Mux's JSON, which names the image at `image_url`.
    pub(crate) fn json(&self, image_url: &str) -> Value {
        json!({
            "url": image_url,
            "tile_width": self.tile_width,
            "tile_height": self.tile_height,
            "duration": self.duration,
            "tiles": self.tiles,
        })
    }
}

fn clock(seconds: f64) -> String {
    let millis = millis(seconds);
    let (seconds, millis) = (millis / 1000, millis % 1000);
    let (minutes, seconds) = (seconds / 60, seconds % 60);
    format!(
        "{:02}:{:02}:{seconds:02}.{millis:03}",
        minutes / 60,
        minutes % 60
    )
}

/// Rounded to the nearest.
fn millis(seconds: f64) -> u32 {
    let time = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    let time = time.saturating_add(Duration::from_micros(500));
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::Grid;

    #[test]
    fn there_are_as_many_tiles_as_at_mux() {
        let count = |seconds: f64| Grid::of(seconds, (1920, 1080)).count;
        assert_eq!([count(0.0), count(0.04), count(24.08)], [1, 1, 25]);
        assert_eq!([count(50.0), count(899.9)], [50, 50]);
        assert_eq!([count(900.0), count(12.0 * 3600.0)], [100, 100]);
    }

    #[test]
    fn tiles_lie_as_at_mux() {
        let wide = Grid::of(734.0, (1920, 800));
        assert_eq!((wide.size, wide.columns), ((384, 160), 5));
        let usual = Grid::of(734.0, (1920, 1080));
        assert_eq!((usual.size, usual.columns), ((284, 160), 5));
        let upright = Grid::of(734.0, (1080, 1920));
        assert_eq!(upright.size, (90, 160));
        assert_eq!(Grid::of(1.0, (8000, 2)).size, (640, 160));
    }

    #[test]
    fn cues_follow_each_other_to_the_end() {
        let board = Grid::of(2.5, (320, 160)).board(2.5);
        assert_eq!(
            board.vtt("s.jpg"),
            "WEBVTT\n\n\
             00:00:00.000 --> 00:00:00.833\ns.jpg#xywh=0,0,320,160\n\n\
             00:00:00.833 --> 00:00:01.667\ns.jpg#xywh=0,160,320,160\n\n\
             00:00:01.667 --> 00:00:02.500\ns.jpg#xywh=0,320,320,160\n"
        );
        let json = board.json("https://x/s.jpg");
        assert_eq!(json["url"], "https://x/s.jpg");
        assert_eq!(
            json["tiles"][1].to_string(),
            r#"{"start":0.833,"x":0,"y":160}"#
        );
        let hours = Grid::of(36_000.0, (320, 160)).board(36_000.0);
        assert!(hours.vtt("s").contains("09:54:00.000 --> 10:00:00.000"));
    }
}
