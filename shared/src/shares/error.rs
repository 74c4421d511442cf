//! How a share link can fail, and what the client is told.

use crate::{
    assets::AssetError,
    limits::LimitError,
    mux::SigningError,
    problem::{Kind, Problem},
    store::StoreError,
};

#[derive(Debug, thiserror::Error)]
pub enum ShareError {
    #[error("share link is unknown")]
    Unknown,
    #[error("share link has expired")]
    Expired,
    #[error("share link is revoked")]
    Revoked,
    #[error("the video of the share link is not ready")]
    NotReady,
    #[error("the video of the share link is deleted")]
    Deleted,
    #[error("{0}")]
    Field(&'static str),
    #[error("share link is opened too often")]
    Limit(#[from] LimitError),
    #[error("asset of the share link")]
    Asset(#[from] AssetError),
    #[error("playback address could not be made")]
    Signing(#[from] SigningError),
    #[error("share link could not be read or written")]
    Store(#[from] StoreError),
}

/// Seconds until a viewer's page looks again for a video that is still in the making.
const NOT_READY_PAUSE: u32 = 5;

impl From<ShareError> for Problem {
    fn from(error: ShareError) -> Self {
        match error {
            ShareError::Unknown => Self::new(Kind::NotFound, "no such share link"),
            ShareError::Expired => Self::new(Kind::ShareExpired, "ask its owner for a new one"),
            ShareError::Revoked => Self::new(Kind::ShareRevoked, "ask its owner for a new one"),
            ShareError::NotReady => Self::new(Kind::AssetNotReady, "it is still being made")
                .retry_after(NOT_READY_PAUSE),
            ShareError::Deleted => Self::new(Kind::AssetDeleted, "ask its owner"),
            ShareError::Field(what) => Self::new(Kind::InvalidField, what),
            ShareError::Limit(error) => error.into(),
            ShareError::Asset(error) => error.into(),
            ShareError::Signing(_) => Self::internal(error),
            ShareError::Store(error) => error.into(),
        }
    }
}
