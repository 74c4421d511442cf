//! What players tell of how long they played: counted in the process, so that a telling costs no write, and
//! used to say by which link a video was watched. Nobody is charged for it: that is Mux's figure.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use time::OffsetDateTime;

use super::{ShareError, model::ShareLink, open::Asked};
use crate::{
    app::Parts,
    ids::{AssetId, SessionId},
    meter::Played,
    slo::{self, Objective},
    store::keys,
};

/// How many viewers a process remembers: those that told last.
const REMEMBERED: usize = 4_096;

/// When viewers last told this process something, and whether their player has failed.
#[derive(Default)]
pub struct Players(Mutex<BTreeMap<SessionId, Heard>>);

#[derive(Clone, Copy)]
struct Heard {
    at: OffsetDateTime,
    failed: bool,
}

/// What is made of what a viewer tells.
#[derive(Debug, PartialEq, Eq)]
struct Believed {
    seconds: u64,
    /// Whether it is news that they play, or that they cannot.
    good: Option<bool>,
}

/// What a player tells.
#[derive(Debug, Clone, Copy)]
pub(super) struct Telling {
    pub asset: AssetId,
    /// How long it played since it last told.
    pub seconds: u64,
    /// It gave up.
    pub failed: bool,
}

impl Players {
    /// How much of what somebody says they can have played: no more than time went by since they last told,
    /// or else since they came. Another process has not heard of what this one was told, so somebody who
    /// wants to may be counted once by each; Mux's total caps them all.
    fn believed(
        &self,
        session: SessionId,
        came: OffsetDateTime,
        now: OffsetDateTime,
        (seconds, failed): (u64, bool),
    ) -> Believed {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = heard.get(&session).copied();
        let failed_before = before.is_some_and(|it| it.failed);
        let told = Heard {
            at: now,
            failed: failed || failed_before,
        };
        heard.insert(session, told);
        if heard.len() > REMEMBERED {
            let oldest = heard.iter().min_by_key(|it| it.1.at).map(|it| *it.0);
            oldest.and_then(|it| heard.remove(&it));
        }
        let last = before.map_or(came, |it| it.at.max(came));
        let gone = (now - last).whole_seconds();
        Believed {
            seconds: seconds.min(u64::try_from(gone).unwrap_or_default()),
            good: match (failed, failed_before, before) {
                (true, false, _) => Some(false),
                (false, _, None) => Some(true),
                (true, true, _) | (false, _, Some(_)) => None,
            },
        }
    }
}

/// Counts what a viewer played of a video since they last told. They are known by their grant, which costs
/// nothing to check; without one nothing is read.
pub(super) async fn watched(
    app: &Parts,
    asked: &Asked,
    telling: Telling,
) -> Result<(), ShareError> {
    let asset = telling.asset;
    let (now, token) = (app.clock.now(), &asked.token);
    let grant = asked.grant.as_deref();
    let grant = grant.and_then(|text| app.keys().grants.read(token.share, text, now));
    let grant = grant.filter(|it| it.opened.contains(&asset));
    let grant = grant.ok_or(ShareError::Unknown)?;
    let link: Option<ShareLink> = app.store.get(&keys::share(token.share)).await?;
    let link = link.filter(|link| token.opens(link));
    let link = link.ok_or(ShareError::Unknown)?;
    let believed = app.players.believed(
        grant.session,
        grant.began(),
        now,
        (telling.seconds, telling.failed),
    );
    if let Some(good) = believed.good {
        slo::count(app, Objective::PlaybackErrors, good);
    }
    let played = Played {
        day: now.date(),
        tenant: link.tenant,
        asset,
        share: link.id,
    };
    app.meter.play(played, believed.seconds);
    Ok(())
}

#[cfg(test)]
mod tests {
    use time::{Duration, macros::datetime};
    use ulid::Ulid;

    use super::*;

    fn session(number: u8) -> SessionId {
        Ulid::from_bytes([number; 16]).into()
    }

    #[test]
    fn nobody_plays_more_than_time_goes_by() {
        let (players, noon) = (Players::default(), datetime!(2026-01-05 12:00 UTC));
        let tell = |number, after: i64, seconds| {
            players
                .believed(
                    session(number),
                    noon,
                    noon + Duration::seconds(after),
                    (seconds, false),
                )
                .seconds
        };
        assert_eq!(tell(1, 60, 50), 50);
        assert_eq!(tell(1, 60, 50), 0, "the same again");
        assert_eq!(tell(1, 90, 1_000_000), 30);
        assert_eq!(tell(2, 90, 1_000_000), 90);
        assert_eq!(tell(1, 30, 5), 0, "a clock that went back");
    }

    #[test]
    fn that_somebody_plays_is_news_once_and_that_they_cannot_is_too() {
        let (players, noon) = (Players::default(), datetime!(2026-01-05 12:00 UTC));
        let tell = |number, failed| {
            let told = players.believed(session(number), noon, noon, (0, failed));
            told.good
        };
        assert_eq!(tell(1, false), Some(true));
        assert_eq!(tell(1, false), None);
        assert_eq!(tell(1, true), Some(false));
        assert_eq!(tell(1, true), None);
        assert_eq!(tell(1, false), None);
        assert_eq!(tell(2, true), Some(false), "it never began");
    }

    #[test]
    fn a_process_remembers_so_many_and_no_more() {
        let (players, noon) = (Players::default(), datetime!(2026-01-05 12:00 UTC));
        for number in 0..5_000_u128 {
            let session = Ulid::from(number).into();
            players.believed(session, noon, noon, (1, false));
        }
        assert_eq!(players.0.lock().unwrap().len(), REMEMBERED);
    }
}
