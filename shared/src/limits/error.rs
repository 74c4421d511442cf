//! How a limit can stand in the way, and what the client is told.

use time::Duration;

use super::model::Rule;
use crate::{
    problem::{Kind, Problem},
    store::StoreError,
};

#[derive(Debug, thiserror::Error)]
pub enum LimitError {
    #[error("the limit `{}` is reached", .rule.name())]
    Limited { rule: Rule, retry_after: Duration },
    #[error("limit could not be read or written")]
    Store(#[from] StoreError),
}

impl From<LimitError> for Problem {
    fn from(error: LimitError) -> Self {
        match error {
            LimitError::Limited { retry_after, .. } => {
                Self::new(Kind::RateLimited, "wait as long as Retry-After says")
                    .retry_after(seconds(retry_after))
                    .because(error)
            }
            // Whatever is wrong with the table: what is not counted is not let through (H6).
            LimitError::Store(_) => Self::unavailable(error),
        }
    }
}

/// Whole seconds, rounded up: who comes back then is not early.
pub fn seconds(wait: Duration) -> u32 {
    let millis = u64::try_from(wait.whole_milliseconds().max(1)).unwrap_or(u64::MAX);
    u32::try_from(millis.div_ceil(1000)).unwrap_or(u32::MAX)
}
