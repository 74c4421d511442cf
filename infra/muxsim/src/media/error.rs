//! How packaging can fail, and what the asset's owner is told about it.

/// Why an uploaded file did not become HLS.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MediaError {
    /// Text, emptiness or noise: no container this product takes.
    #[error("file is in no known media container")]
    NotMedia,
    /// Boxes or samples point beyond the end of the file, as after an upload cut short.
    #[error("file ends before its boxes do")]
    Truncated,
    /// A proper file that only ffmpeg could turn into H.264 and AAC.
    #[error("{what} cannot be packaged without ffmpeg")]
    Unsupported {
        /// The codec or feature in question.
        what: String,
    },
    /// The container is readable, but what it says cannot be true or is beyond every limit.
    #[error("file contradicts itself: {what}")]
    Absurd {
        /// The statement that cannot be true.
        what: &'static str,
    },
    /// The disk, not the upload, is to blame.
    #[error("media could not be read or written")]
    Io(#[from] std::io::Error),
    /// A child process refused the file, crashed, or ran out of time.
    #[error("{program} failed: {detail}")]
    Ffmpeg {
        /// `ffmpeg` or `ffprobe`.
        program: &'static str,
        /// The end of what it wrote to its standard error.
        detail: String,
    },
    /// Whoever wanted the work does not want it any more.
    #[error("media work was cancelled")]
    Cancelled,
    /// An image was asked for of sound alone.
    #[error("file has no pictures")]
    NoPictures,
}

impl MediaError {
    /// The `errors.type` of an asset that could not be packaged.
    pub(crate) const KIND: &'static str = "invalid_input";

    /// The entry of `errors.messages` for an asset that failed this way.
    pub(crate) fn mux_message(&self) -> &'static str {
        match self {
            Self::NotMedia => "The input file is not a valid video file.",
            Self::Truncated => {
                "The input file is not a valid video file. It ends before its media does."
            }
            Self::Absurd { .. } => {
                "The input file is not a valid video file. Its description of itself is not possible."
            }
            Self::Unsupported { .. } => "The input file uses a format that is not supported.",
            Self::Io(_) => "The input file could not be read.",
            Self::Ffmpeg { .. } => "The input file could not be transcoded.",
            Self::Cancelled => "The processing of the input file was cancelled.",
            Self::NoPictures => "The input file has no video track.",
        }
    }

    pub(super) fn unsupported(what: impl Into<String>) -> Self {
        Self::Unsupported { what: what.into() }
    }
}

/// Shortens the commonest refusal of hostile input.
pub(super) fn absurd(what: &'static str) -> MediaError {
    MediaError::Absurd { what }
}
