//! How pages follow what changes by itself: whether and when to ask again. `web/polling.ts` does what
//! is said here, and the rest: it spreads, backs off, and ends.

use serde::Serialize;

use crate::{
    app::Parts,
    resilience::{self, State, Vendor},
};

/// How fast pages may ask, by how well the service is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Pace {
    /// All is well.
    Healthy,
    /// Something is slow or fails now and then: whoever asks less helps.
    Degraded,
    /// Mux is not being called, so nothing is likely to change soon (S1-085).
    Paused,
}

impl Pace {
    /// When to ask again, in seconds: S1-040 for the first two. A page that is told to pause waits up to
    /// twice as long as it is told, so that all do not come back at once; a breaker stays open for 30
    /// seconds (S1-031), so it finds out within that time that the pause is over.
    pub const fn after_seconds(self) -> u32 {
        match self {
            Self::Healthy => 2,
            Self::Degraded => 5,
            Self::Paused => 15,
        }
    }
}

/// How fast pages may ask now: as Mux's breaker stands, since what they wait for is Mux's to do.
pub async fn pace(app: &Parts) -> Pace {
    match resilience::glance(app, Vendor::Mux).await.state {
        State::Closed { failures: 0, .. } => Pace::Healthy,
        State::Closed { .. } | State::HalfOpen { .. } => Pace::Degraded,
        State::Open { .. } => Pace::Paused,
    }
}

/// When and where to ask again. A status without it is final.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PollBody {
    after_seconds: u32,
    pace: Pace,
    url: String,
}

impl PollBody {
    pub const fn new(pace: Pace, url: String) -> Self {
        Self {
            after_seconds: pace.after_seconds(),
            pace,
            url,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_worse_the_service_is_the_later_pages_ask_and_each_hint_says_how_it_is() {
        let hint = |pace| serde_json::to_value(PollBody::new(pace, "/api/assets".to_owned()));
        for (pace, seconds, name) in [
            (Pace::Healthy, 2, "healthy"),
            (Pace::Degraded, 5, "degraded"),
            (Pace::Paused, 15, "paused"),
        ] {
            let expected = json!({"afterSeconds": seconds, "pace": name, "url": "/api/assets"});
            assert_eq!(hint(pace).ok(), Some(expected));
        }
    }
}
