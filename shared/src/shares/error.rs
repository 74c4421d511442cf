//! How a share link can fail, and what the client is told.

use super::gate::Lock;
use crate::{
    assets::AssetError,
    limits::LimitError,
    mail::MailError,
    mux::{MuxError, SigningError},
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
    #[error("share link is paused: it costs too much")]
    Paused,
    #[error("share link is held: the table was restored, and it may have been taken back since")]
    Held,
    #[error("the video of the share link is not ready")]
    NotReady,
    #[error("the video of the share link is deleted")]
    Deleted,
    #[error("{0}")]
    Field(&'static str),
    #[error("the organisation's policy: {0}")]
    Policy(&'static str),
    #[error("the viewer has something to show first")]
    Locked(Lock),
    #[error("the password is wrong")]
    WrongPassword,
    #[error("the code is wrong, too old, or used")]
    WrongCode,
    #[error("a password could not be hashed")]
    Password,
    #[error("the code could not be sent")]
    Mail(#[from] MailError),
    #[error("a grant could not be signed")]
    Grant,
    #[error("share link is opened too often")]
    Limit(#[from] LimitError),
    #[error("asset of the share link")]
    Asset(#[from] AssetError),
    #[error("mux did not do its part")]
    Mux(#[from] MuxError),
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
            ShareError::Paused => Self::new(
                Kind::SharePaused,
                "it was watched far more than expected; ask its owner",
            ),
            ShareError::Held => Self::new(
                Kind::SharePaused,
                "the portal was restored, and this link is being checked; ask its owner for a new one",
            ),
            ShareError::Revoked => Self::new(Kind::ShareRevoked, "ask its owner for a new one"),
            ShareError::NotReady => Self::new(Kind::AssetNotReady, "it is still being made")
                .retry_after(NOT_READY_PAUSE),
            ShareError::Deleted => Self::new(Kind::AssetDeleted, "ask its owner"),
            ShareError::Field(what) => Self::new(Kind::InvalidField, what),
            ShareError::Policy(what) => Self::new(Kind::SharingPolicy, what),
            ShareError::Locked(Lock::SignIn) => {
                Self::new(Kind::ShareSignInRequired, "send a session token")
            }
            ShareError::Locked(Lock::Password) => {
                Self::new(Kind::SharePasswordRequired, "its owner knows it")
            }
            ShareError::Locked(Lock::Code) => Self::new(
                Kind::ShareCodeRequired,
                "ask for one with an address that the owner allows",
            ),
            ShareError::WrongPassword => Self::new(Kind::SharePasswordWrong, "its owner knows it"),
            ShareError::WrongCode => Self::new(Kind::ShareCodeWrong, "ask for a new one"),
            ShareError::Limit(error) => error.into(),
            ShareError::Asset(error) => error.into(),
            ShareError::Mux(MuxError::Refused { .. } | MuxError::Malformed) => {
                Self::new(Kind::VideoServiceRefused, "nothing was changed").because(error)
            }
            ShareError::Mux(ref mux) => {
                let wait = mux.retry_after();
                Self::new(Kind::VideoServiceBusy, "nothing was changed")
                    .retry_after(wait)
                    .because(error)
            }
            ShareError::Mail(_) => Self::unavailable(error),
            ShareError::Password | ShareError::Grant | ShareError::Signing(_) => {
                Self::internal(error)
            }
            ShareError::Store(error) => error.into(),
        }
    }
}
