//! Storyboards; without ffmpeg these tests say so and pass.

use super::{
    super::{
        Watch,
        images::{Picture, Storyboard, storyboard},
    },
    CLIP, close,
    images::Studio,
};

/// Makes a storyboard and holds it against its image, whose last tile must not be black.
#[track_caller]
fn board(studio: &Studio, picture: Picture) -> Storyboard {
    let out = studio.root.path().join("storyboard");
    let watch = Watch::default();
    let board = storyboard(&studio.ffmpeg, &studio.film, picture, &out, &watch).unwrap();
    let right = board.tiles.iter().map(|it| it.x).max().unwrap() + board.tile_width;
    let last = board.tiles.last().unwrap();
    let lower = last.y + board.tile_height;
    let shape = studio.shape(&out);
    assert!(shape.ends_with(&format!(",{right},{lower},1")), "{shape}");
    let (width, height) = (board.tile_width, board.tile_height);
    let crop = format!("crop={width}:{height}:{}:{},", last.x, last.y);
    let points = studio.brightness(&out, &crop);
    assert!(points.iter().any(|it| *it > 1), "{points:?}");
    board
}

#[test]
fn a_storyboard_covers_a_short_film() {
    let Some(studio) = Studio::of(CLIP) else {
        return;
    };
    for picture in [Picture::Jpg, Picture::Png, Picture::Webp] {
        let board = board(&studio, picture);
        assert_eq!((board.tile_width, board.tile_height), (214, 160));
        assert_eq!(board.tiles.len(), 3);
        close(board.duration, 3.0);
        let vtt = board.vtt("https://image/storyboard.jpg");
        assert!(vtt.contains("00:00:02.000 --> 00:00:03.0"), "{vtt}");
        let json = board.json("https://image/storyboard.jpg");
        assert_eq!(json["tiles"].as_array().unwrap().len(), 3);
        let stored = serde_json::to_string(&board).unwrap();
        assert_eq!(serde_json::from_str::<Storyboard>(&stored).unwrap(), board);
    }
}

#[test]
fn a_long_film_is_skimmed() {
    let white = "color=white:s=96x54:r=2:d=301 -c:v libx264 -g 10 -pix_fmt yuv420p";
    let Some(studio) = Studio::showing(white, "film.mp4") else {
        return;
    };
    let board = board(&studio, Picture::Jpg);
    assert_eq!(board.tiles.len(), 50);
    close(board.tiles[49].start, 49.0 * 301.0 / 50.0);
    assert!(
        board
            .vtt("s.jpg")
            .ends_with("--> 00:05:01.000\ns.jpg#xywh=1136,1440,284,160\n")
    );
}

#[test]
fn a_recording_that_does_not_say_how_long_it_is_is_measured() {
    let white = "color=white:s=96x54:r=10:d=4 -c:v libvpx -f webm -live 1";
    let Some(studio) = Studio::showing(white, "film.webm") else {
        return;
    };
    let board = board(&studio, Picture::Jpg);
    assert!((board.duration - 4.0).abs() < 0.2, "{}", board.duration);
    assert_eq!(board.tiles.len(), 4);
}

#[test]
fn tiles_show_their_time() {
    // Black for four seconds, white for four.
    let film = "color=black:s=64x64:r=10:d=8,drawbox=c=white:t=fill:enable=gte(t\\,4) -c:v mpeg4";
    let Some(studio) = Studio::showing(film, "film.mkv") else {
        return;
    };
    let board = board(&studio, Picture::Png);
    let image = studio.root.path().join("storyboard");
    let bright = board.tiles.iter().map(|tile| {
        let (width, height) = (board.tile_width, board.tile_height);
        let crop = format!("crop={width}:{height}:{}:{},", tile.x, tile.y);
        studio.brightness(&image, &crop)[4] > 4
    });
    let bright: Vec<_> = bright.collect();
    let expected: Vec<_> = board.tiles.iter().map(|tile| tile.start >= 3.9).collect();
    assert_eq!(bright, expected);
}
