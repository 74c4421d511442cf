//! How an upload can fail its caller, and what the caller is told.

use crate::{
    assets::AssetError,
    limits::LimitError,
    mux::MuxError,
    problem::{Kind, Problem},
    store::StoreError,
};

#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    #[error("{0}")]
    Field(&'static str),
    #[error("uploads are paused: a budget is spent")]
    Paused,
    #[error("the page is not one of ours")]
    Origin,
    #[error("the idempotency key belongs to another request")]
    KeyReused,
    #[error("the first request with this key is still running")]
    InProgress { seconds: u32 },
    #[error("the upload can no longer be cancelled")]
    NotCancellable,
    #[error("mux did not take the order")]
    Mux(#[from] MuxError),
    #[error("too many uploads are begun")]
    Limit(#[from] LimitError),
    #[error("asset of the upload")]
    Asset(#[from] AssetError),
    #[error("upload could not be read or written")]
    Store(#[from] StoreError),
}

impl From<UploadError> for Problem {
    fn from(error: UploadError) -> Self {
        match error {
            UploadError::Field(what) => Self::new(Kind::InvalidField, what),
            UploadError::Origin => Self::new(Kind::OriginNotAllowed, "open the portal itself"),
            UploadError::KeyReused => Self::new(
                Kind::IdempotencyKeyReused,
                "send a new key with a new request",
            ),
            UploadError::InProgress { seconds } => {
                Self::new(Kind::UploadInProgress, "ask again with the same key")
                    .retry_after(seconds)
            }
            UploadError::Paused => Self::new(
                Kind::UploadsPaused,
                "the month's budget is spent; who operates the portal can lift this",
            ),
            UploadError::NotCancellable => {
                Self::new(Kind::UploadNotCancellable, "delete the video instead")
            }
            UploadError::Mux(MuxError::Refused { .. }) => {
                Self::new(Kind::VideoServiceRefused, "it does not take this upload").because(error)
            }
            UploadError::Mux(ref mux) => {
                let wait = mux.retry_after();
                let detail =
                    "wait, then send the same with the same Idempotency-Key if there was one";
                Self::new(Kind::VideoServiceBusy, detail)
                    .retry_after(wait)
                    .because(error)
            }
            UploadError::Limit(error) => error.into(),
            UploadError::Asset(error) => error.into(),
            UploadError::Store(error) => error.into(),
        }
    }
}
