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
    store::keys,
};

/// How many viewers a process remembers: those that told last.
const REMEMBERED: usize = 4_096;

/// When viewers last told this process something.
#[derive(Default)]
pub struct Players(Mutex<BTreeMap<SessionId, OffsetDateTime>>);

impl Players {
    /// How much of what somebody says they can have played: no more than time went by since they last told,
    /// or else since they came. Another process has not heard of what this one was told, so somebody who
    /// wants to may be counted once by each; Mux's total caps them all.
    fn believed(
        &self,
        session: SessionId,
        came: OffsetDateTime,
        now: OffsetDateTime,
        seconds: u64,
    ) -> u64 {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let last = heard.insert(session, now).map_or(came, |it| it.max(came));
        if heard.len() > REMEMBERED {
            let oldest = heard.iter().min_by_key(|(_, at)| **at).map(|(it, _)| *it);
            oldest.and_then(|it| heard.remove(&it));
        }
        let gone = (now - last).whole_seconds();
        seconds.min(u64::try_from(gone).unwrap_or_default())
    }
}

/// Counts what a viewer played of a video since they last told. They are known by their grant, which costs
/// nothing to check; without one nothing is read.
pub(super) async fn watched(
    app: &Parts,
    asked: &Asked,
    asset: AssetId,
    seconds: u64,
) -> Result<(), ShareError> {
    let (now, token) = (app.clock.now(), &asked.token);
    let grant = asked.grant.as_deref();
    let grant = grant.and_then(|text| app.grants.read(token.share, text, now));
    let grant = grant.filter(|it| it.opened.contains(&asset));
    let grant = grant.ok_or(ShareError::Unknown)?;
    let link: Option<ShareLink> = app.store.get(&keys::share(token.share)).await?;
    let link = link.filter(|link| token.opens(link));
    let link = link.ok_or(ShareError::Unknown)?;
    let believed = app
        .players
        .believed(grant.session, grant.began(), now, seconds);
    let played = Played {
        day: now.date(),
        tenant: link.tenant,
        asset,
        share: link.id,
    };
    app.meter.play(played, believed);
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
            players.believed(
                session(number),
                noon,
                noon + Duration::seconds(after),
                seconds,
            )
        };
        assert_eq!(tell(1, 60, 50), 50);
        assert_eq!(tell(1, 60, 50), 0, "the same again");
        assert_eq!(tell(1, 90, 1_000_000), 30);
        assert_eq!(tell(2, 90, 1_000_000), 90);
        assert_eq!(tell(1, 30, 5), 0, "a clock that went back");
    }

    #[test]
    fn a_process_remembers_so_many_and_no_more() {
        let (players, noon) = (Players::default(), datetime!(2026-01-05 12:00 UTC));
        for number in 0..5_000_u128 {
            let session = Ulid::from(number).into();
            players.believed(session, noon, noon, 1);
        }
        assert_eq!(players.0.lock().unwrap().len(), REMEMBERED);
    }
}
