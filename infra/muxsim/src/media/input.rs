//! The uploaded file itself, as `input-info` of Mux describes it.

use serde::{Deserialize, Serialize};

use super::{Track, TrackKind};

/// Name of the MP4 and `QuickTime` family in ffprobe's words.
const MP4: &str = "mov,mp4,m4a,3gp,3g2,mj2";

/// The `file` of Mux's `input-info`, in its own JSON form.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct InputFile {
    /// The container as ffprobe words it, such as `mov,mp4,m4a,3gp,3g2,mj2` or `matroska,webm`;
    /// empty in what was stored before this was kept.
    #[serde(rename = "container_format", default)]
    pub container: String,
    /// The streams of pictures and of sound.
    #[serde(default)]
    pub tracks: Vec<InputTrack>,
}

/// One stream of the uploaded file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct InputTrack {
    /// Pictures or sound, and of what form. A frame rate that cannot be told is −1, as at Mux.
    #[serde(flatten)]
    pub kind: TrackKind,
    /// The codec as ffprobe names it, such as `h264` or `aac`.
    pub encoding: String,
    /// In seconds.
    pub duration: f64,
}

impl InputFile {
    /// A file that was packaged as it is: its tracks are what was found in its tables.
    pub(super) fn of_mp4(tracks: &[Track]) -> Self {
        let input = |track: &Track| InputTrack {
            kind: track.kind,
            // No other codecs are packaged without transcoding.
            encoding: match track.kind {
                TrackKind::Video { .. } => "h264".to_owned(),
                TrackKind::Audio { .. } => "aac".to_owned(),
            },
            duration: track.duration_seconds,
        };
        Self {
            container: MP4.to_owned(),
            tracks: tracks.iter().map(input).collect(),
        }
    }
}
