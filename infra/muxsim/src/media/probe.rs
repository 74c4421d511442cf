//! What ffprobe says of an uploaded file, as far as it is believed.

use std::{collections::BTreeMap, path::Path, process::Command, time::Duration};

use serde::Deserialize;

use super::{
    TrackKind,
    error::{MediaError, absurd},
    ffmpeg::{self, MAX_PIXELS, MAX_SECONDS, Upload},
    input::{InputFile, InputTrack},
    ladder::scaled,
    process,
    watch::Watch,
};

/// A probe reads headers only.
const PROBE_LIMIT: Duration = Duration::from_mins(1);

/// What is asked for: no more than [`Report`] reads.
const ENTRIES: &str = "stream=codec_type,codec_name,pix_fmt,width,height,sample_aspect_ratio,avg_frame_rate,duration,channels,sample_rate:stream_disposition=attached_pic:stream_side_data=rotation:format=format_name,duration";

/// Pixels may be so many times as wide as high, or as high as wide; what says more is not believed.
const MAX_ASPECT: u32 = 8;

/// What a file holds, as far as transcoding it depends on that.
#[derive(Debug)]
pub(super) struct Probe {
    pub(super) input: InputFile,
    /// Why it is not standard input, as Mux words it.
    pub(super) non_standard: BTreeMap<String, String>,
    /// How long it lasts, in seconds.
    pub(super) seconds: f64,
    /// The first stream of pictures that is not a cover.
    pub(super) picture: Option<Picture>,
}

/// A stream of pictures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Picture {
    /// Width and height in pixels as displayed, after rotation, with square pixels.
    pub(super) size: (u32, u32),
    /// When the last picture ends, in seconds.
    pub(super) end: f64,
    /// For how long a picture is shown, in seconds.
    pub(super) step: f64,
}

impl Picture {
    /// Pixels of the shorter side.
    pub(super) fn lines(&self) -> u32 {
        self.size.0.min(self.size.1)
    }
}

impl Probe {
    /// Asks ffprobe what is in a file, and how long it is by reading it if it does not say so.
    pub(super) fn of(ffmpeg: &Path, upload: Upload<'_>, watch: &Watch) -> Result<Self, MediaError> {
        let mut command = Command::new(ffmpeg::ffprobe(ffmpeg));
        command.args(["-hide_banner", "-loglevel", "error", "-of", "json"]);
        command.args(["-show_entries", ENTRIES]);
        command.args(upload.input()?);
        let outcome = process::run(&mut command, "ffprobe", PROBE_LIMIT, watch, &|_| ())?;
        let report = Some(outcome.stdout).filter(|_| outcome.succeeded);
        let report = report.and_then(|json| serde_json::from_slice::<Report>(&json).ok());
        let report = report.ok_or(MediaError::NotMedia)?;
        let seconds = match number(report.format.duration.as_deref()) {
            Some(seconds) => seconds,
            None => ffmpeg::measure(ffmpeg, upload, watch)?,
        };
        report.judge(seconds)
    }

    /// The codec of the first stream of sound, by ffprobe's name.
    pub(super) fn sound(&self) -> Option<&str> {
        let is_sound = |track: &&InputTrack| matches!(track.kind, TrackKind::Audio { .. });
        let track = self.input.tracks.iter().find(is_sound)?;
        Some(&track.encoding)
    }
}

#[derive(Deserialize)]
struct Report {
    #[serde(default)]
    streams: Vec<Stream>,
    #[serde(default)]
    format: Format,
}

#[derive(Deserialize, Default)]
struct Format {
    #[serde(default)]
    format_name: String,
    /// In seconds; live recordings have none.
    duration: Option<String>,
}

#[derive(Deserialize)]
struct Stream {
    codec_type: Option<String>,
    codec_name: Option<String>,
    pix_fmt: Option<String>,
    #[serde(default)]
    width: u32,
    #[serde(default)]
    height: u32,
    sample_aspect_ratio: Option<String>,
    avg_frame_rate: Option<String>,
    duration: Option<String>,
    #[serde(default)]
    channels: u16,
    sample_rate: Option<String>,
    #[serde(default)]
    disposition: Disposition,
    #[serde(default)]
    side_data_list: Vec<SideData>,
}

#[derive(Deserialize, Default)]
struct Disposition {
    #[serde(default)]
    attached_pic: u8,
}

#[derive(Deserialize)]
struct SideData {
    rotation: Option<f64>,
}

impl Report {
    fn judge(&self, seconds: f64) -> Result<Probe, MediaError> {
        if seconds > MAX_SECONDS {
            return Err(absurd("media is longer than 12 hours"));
        }
        let (video, audio) = (self.first("video"), self.first("audio"));
        if video.is_none() && audio.is_none() {
            return Err(absurd("there are no tracks"));
        }
        let mut non_standard = BTreeMap::new();
        let mut reason = |name: &str, value: Option<&String>, standard: &[&str]| {
            if let Some(value) = value.filter(|it| !standard.contains(&it.as_str())) {
                non_standard.insert(name.to_owned(), value.clone());
            }
        };
        let codec = |it: Option<&'_ Stream>| it.and_then(|stream| stream.codec_name.clone());
        reason("video_codec", codec(video).as_ref(), &["h264"]);
        reason("audio_codec", codec(audio).as_ref(), &["aac"]);
        let pixels = video.and_then(|stream| stream.pix_fmt.as_ref());
        reason("unsupported_pixel_format", pixels, &["yuv420p", "yuvj420p"]);
        let streams = self.streams.iter();
        Ok(Probe {
            input: InputFile {
                container: self.format.format_name.clone(),
                tracks: streams.filter_map(|it| it.describe(seconds)).collect(),
            },
            non_standard,
            seconds,
            picture: video.map(|it| it.picture(seconds)).transpose()?,
        })
    }

    fn first(&self, kind: &str) -> Option<&Stream> {
        self.streams.iter().find(|it| it.kind() == Some(kind))
    }
}

impl Stream {
    fn kind(&self) -> Option<&str> {
        let kind = self.codec_type.as_deref();
        kind.filter(|_| self.disposition.attached_pic == 0)
    }

    fn picture(&self, seconds: f64) -> Result<Picture, MediaError> {
        if self.width == 0 || self.height == 0 {
            return Err(absurd("picture has no size"));
        }
        if u64::from(self.width) * u64::from(self.height) > MAX_PIXELS {
            return Err(absurd("picture is larger than 8K"));
        }
        let aspect = pair(self.sample_aspect_ratio.as_deref(), ':');
        let width = match aspect {
            Some((wide, high)) if wide.max(high) / wide.min(high) < MAX_ASPECT => {
                scaled(self.width, wide, high).max(1)
            }
            _ => self.width,
        };
        let rate = self.frame_rate().filter(|rate| *rate >= 1.0);
        Ok(Picture {
            size: self.turn((width, self.height)),
            end: number(self.duration.as_deref()).unwrap_or(seconds),
            step: 1.0 / rate.unwrap_or(25.0),
        })
    }

    /// A quarter turn swaps the sides. By other angles ffmpeg turns the picture within its frame.
    fn turn(&self, (width, height): (u32, u32)) -> (u32, u32) {
        let is_quarter = |angle: f64| (angle.abs() % 180.0 - 90.0).abs() < 1.0;
        let mut angles = self.side_data_list.iter().filter_map(|it| it.rotation);
        if angles.any(is_quarter) {
            return (height, width);
        }
        (width, height)
    }

    fn describe(&self, seconds: f64) -> Option<InputTrack> {
        let kind = match self.kind()? {
            "video" => {
                let (width, height) = self.turn((self.width, self.height));
                TrackKind::Video {
                    width,
                    height,
                    frame_rate: self.frame_rate().unwrap_or(-1.0),
                }
            }
            "audio" => TrackKind::Audio {
                channels: self.channels,
                sample_rate: self
                    .sample_rate
                    .as_ref()
                    .and_then(|it| it.parse().ok())
                    .unwrap_or(0),
            },
            _ => return None,
        };
        Some(InputTrack {
            kind,
            encoding: self.codec_name.clone().unwrap_or_default(),
            duration: number(self.duration.as_deref()).unwrap_or(seconds),
        })
    }

    /// Pictures per second, with three decimals.
    fn frame_rate(&self) -> Option<f64> {
        let (pictures, seconds) = pair(self.avg_frame_rate.as_deref(), '/')?;
        Some((f64::from(pictures) / f64::from(seconds) * 1000.0).round() / 1000.0)
    }
}

/// Two whole numbers, neither of which is zero.
fn pair(text: Option<&str>, between: char) -> Option<(u32, u32)> {
    let (left, right) = text?.split_once(between)?;
    let pair = (left.parse().ok()?, right.parse().ok()?);
    Some(pair).filter(|(left, right)| *left > 0 && *right > 0)
}

/// Seconds that time can have.
fn number(text: Option<&str>) -> Option<f64> {
    let number: f64 = text?.parse().ok()?;
    Some(number).filter(|it| it.is_finite() && *it > 0.0)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{MediaError, Picture, Probe, Report};

    fn judge(streams: &Value) -> Result<Probe, MediaError> {
        let report = json!({"streams": streams, "format": {"format_name": "matroska,webm"}});
        serde_json::from_value::<Report>(report).unwrap().judge(8.0)
    }

    fn picture(fields: &Value) -> Picture {
        let mut stream = json!({"codec_type": "video", "width": 720, "height": 576});
        let fields = fields.as_object().unwrap().clone();
        stream.as_object_mut().unwrap().extend(fields);
        judge(&json!([stream])).unwrap().picture.unwrap()
    }

    #[test]
    fn a_picture_has_the_size_it_is_shown_with() {
        let wide = json!({"sample_aspect_ratio": "64:45", "avg_frame_rate": "50/1"});
        assert_eq!(picture(&wide).size, (1024, 576));
        let turned = json!({"side_data_list": [{"rotation": -90}], "duration": "3.5"});
        assert_eq!(picture(&turned).size, (576, 720));
        assert_eq!(picture(&turned).lines(), 576);
        for odd in ["0:1", "1:0", "1:4000000000", "one"] {
            let odd = json!({"sample_aspect_ratio": odd, "avg_frame_rate": "0/0"});
            assert_eq!(picture(&odd).size, (720, 576));
        }
    }

    #[test]
    fn what_is_not_standard_is_named() {
        let film = judge(&json!([
            {"codec_type": "audio", "codec_name": "opus", "channels": 2, "sample_rate": "48000"},
            {"codec_type": "video", "codec_name": "vp9", "pix_fmt": "yuv420p10le",
             "width": 64, "height": 64, "avg_frame_rate": "30000/1001"},
            {"codec_type": "subtitle", "codec_name": "webvtt"},
        ]));
        let film = film.unwrap();
        assert_eq!(film.sound(), Some("opus"));
        assert_eq!(
            json!(film.non_standard),
            json!({"video_codec": "vp9", "audio_codec": "opus", "unsupported_pixel_format": "yuv420p10le"})
        );
        assert_eq!(
            json!(film.input),
            json!({"container_format": "matroska,webm", "tracks": [
                {"type": "audio", "encoding": "opus", "duration": 8.0, "channels": 2, "sample_rate": 48000},
                {"type": "video", "encoding": "vp9", "duration": 8.0, "frame_rate": 29.97,
                 "width": 64, "height": 64},
            ]})
        );
    }

    #[test]
    fn a_cover_is_no_film() {
        let cover = json!({"codec_type": "video", "width": 64, "height": 64, "disposition": {"attached_pic": 1}});
        let sound = json!({"codec_type": "audio", "codec_name": "aac"});
        let song = judge(&json!([cover.clone(), sound])).unwrap();
        assert_eq!((song.picture, song.input.tracks.len()), (None, 1));
        assert!(song.non_standard.is_empty());
        assert!(matches!(
            judge(&json!([cover])),
            Err(MediaError::Absurd { .. })
        ));
    }

    #[test]
    fn sizes_that_cannot_be_are_refused() {
        for (width, height) in [(0, 10), (100_000, 100_000)] {
            let stream = json!([{"codec_type": "video", "width": width, "height": height}]);
            assert!(matches!(judge(&stream), Err(MediaError::Absurd { .. })));
        }
    }
}
