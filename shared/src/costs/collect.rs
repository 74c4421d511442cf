//! What Mux is asked by the job: what it delivered, day by day, and what it keeps.

use std::{collections::BTreeMap, fmt::Display};

use time::{Date, Duration, OffsetDateTime};

use super::{
    cells::stored,
    model::{Quality, Tier, Unit},
    place::{Place, Walk, Window},
    rows::{self, Amounts, How, Source, What},
};
use crate::{
    app::Parts,
    assets::{Asset, Pointer},
    ids::{AssetId, TenantId},
    mux::{Delivered, Kept, Mux, MuxAssetId, MuxError},
    store::{StoreError, keys},
};

/// The time between two calls: Mux allows five a second (mux.com/docs/core/make-api-requests); others need
/// some.
const PACE: Duration = Duration::milliseconds(250);

/// How long one answer is waited for, with all that is tried again.
const TIME: Duration = Duration::seconds(15);

/// For how many days at the most one walk along Mux's list speaks.
const CAUGHT_UP: Duration = Duration::days(31);

/// Why usage was not learnt.
#[derive(Debug, thiserror::Error)]
pub(super) enum CollectError {
    #[error("mux was not asked, or did not answer")]
    Mux(#[from] MuxError),
    #[error("what was used could not be read or written")]
    Store(#[from] StoreError),
    /// The pages do not fit together: somebody watched in between, or Mux counts.
    #[error("mux listed {listed} assets of {total}")]
    Torn { listed: u64, total: u64 },
}

/// One run's asking.
pub(super) struct Collecting<'a> {
    pub(super) app: &'a Parts,
    pub(super) until: OffsetDateTime,
}

/// What was used, by whom and when, before it is written.
type Told = BTreeMap<(TenantId, Date, Source), Amounts>;

impl Collecting<'_> {
    pub(super) fn may_go_on(&self) -> bool {
        self.app.clock.now() < self.until
    }

    async fn mux(&self, about: impl Display) -> Mux<'_> {
        self.app.clock.pause(PACE).await;
        self.app.mux(TIME, about)
    }

    /// Sets a day to what Mux says that it delivered. What Mux no longer lists is taken away, so that the
    /// sum is Mux's.
    pub(super) async fn delivered(&self, window: Window) -> Result<(), CollectError> {
        let (mut assets, mut page) = (Vec::new(), 1);
        loop {
            let mux = self.mux(window.day).await;
            let next = mux.delivered(window.from, window.to, page).await?;
            let last = next.assets.is_empty();
            assets.extend(next.assets);
            let listed = u64::try_from(assets.len()).unwrap_or(u64::MAX);
            if listed >= next.total || last {
                if listed != next.total {
                    let total = next.total;
                    return Err(CollectError::Torn { listed, total });
                }
                break;
            }
            page += 1;
        }
        let whose = assets.iter().map(|it| (it.ours, &it.asset));
        let owners = self.owners(whose).await?;
        let mut told: BTreeMap<TenantId, Amounts> = BTreeMap::new();
        for (asset, (tenant, ours)) in assets.iter().zip(owners) {
            let of = told.entry(tenant).or_default();
            for (what, amount) in amounts(asset, ours) {
                *of.entry(what).or_default() += amount;
            }
        }
        for tenant in rows::tenants(self.app, window.day, Source::Delivered).await? {
            told.entry(tenant).or_default();
        }
        for (tenant, amounts) in told {
            let of = (tenant, window.day, Source::Delivered);
            rows::tell(self.app, of, &amounts, How::All).await?;
        }
        Ok(())
    }

    /// Whose assets of Mux these are. What is none of ours is the operators': they pay for it.
    async fn owners<'b>(
        &self,
        assets: impl Iterator<Item = (Option<AssetId>, &'b MuxAssetId)>,
    ) -> Result<Vec<(TenantId, Option<AssetId>)>, StoreError> {
        let store = &self.app.store;
        let (mut ours, mut strangers): (Vec<Option<AssetId>>, Vec<usize>) =
            (Vec::new(), Vec::new());
        let mut pointers = Vec::new();
        for (place, (known, asset)) in assets.enumerate() {
            ours.push(known);
            if known.is_none() {
                strangers.push(place);
                pointers.push(keys::mux_pointer(asset.as_str()));
            }
        }
        let found: Vec<Option<Pointer>> = store.get_many(&pointers).await?;
        for (place, pointer) in strangers.into_iter().zip(found) {
            ours[place] = pointer.map(|it| it.asset);
        }
        let mut wanted: Vec<AssetId> = ours.iter().copied().flatten().collect();
        wanted.sort_unstable();
        wanted.dedup();
        let assets: Vec<_> = wanted.into_iter().map(keys::asset).collect();
        let assets: Vec<Option<Asset>> = store.get_many(&assets).await?;
        let tenants = assets.into_iter().flatten().map(|it| (it.id, it.tenant));
        let tenants: BTreeMap<AssetId, TenantId> = tenants.collect();
        let owner = |id: Option<AssetId>| match id.and_then(|id| Some((*tenants.get(&id)?, id))) {
            Some((tenant, id)) => (tenant, Some(id)),
            None => (self.app.config.operators(), None),
        };
        Ok(ours.into_iter().map(owner).collect())
    }

    /// Walks along what Mux keeps, once a day: what was made playable, and what is kept of each day since
    /// the last walk. Of a day on which nobody walked, what is there now is what was there.
    pub(super) async fn kept(&self, place: &mut Place) -> Result<(), CollectError> {
        let today = self.app.clock.now().date();
        if place.walk.is_none() && place.stored == Some(today) {
            return Ok(());
        }
        let walk = place.walk.take();
        let mut walk = walk.unwrap_or(Walk {
            day: today,
            cursor: None,
        });
        let begun = walk.clone();
        let mut told = Told::new();
        let done = self.walk(place, &mut walk, &mut told).await;
        // What was seen is kept, even if Mux stopped answering on the way.
        for (of, amounts) in &told {
            if let Err(error) = rows::tell(self.app, *of, amounts, How::Some).await {
                // Told again from where this run began.
                place.walk = Some(begun);
                return Err(error.into());
            }
        }
        if matches!(done, Ok(true)) {
            place.stored = Some(walk.day);
        } else {
            place.walk = Some(walk);
        }
        done.map(drop)
    }

    /// Whether it came to the end.
    async fn walk(
        &self,
        place: &Place,
        walk: &mut Walk,
        told: &mut Told,
    ) -> Result<bool, CollectError> {
        // The last day again: what was made after that day's walk.
        let first = place.stored.unwrap_or(walk.day).max(walk.day - CAUGHT_UP);
        while self.may_go_on() {
            let mux = self.mux("all").await;
            let page = match mux.kept(walk.cursor.as_deref()).await {
                // A cursor that Mux does not take is taken no better the next time.
                Err(error @ (MuxError::Refused { .. } | MuxError::Malformed)) => {
                    walk.cursor = None;
                    return Err(error.into());
                }
                page => page?,
            };
            let whose = page.assets.iter().map(|it| (it.ours, &it.asset));
            let owners = self.owners(whose).await?;
            for (asset, (tenant, ours)) in page.assets.iter().zip(owners) {
                note(told, asset, (tenant, ours), (first, walk.day), place);
            }
            match page.next {
                Some(next) => walk.cursor = Some(next),
                None => return Ok(true),
            }
        }
        Ok(false)
    }
}

fn amounts(asset: &Delivered, ours: Option<AssetId>) -> impl Iterator<Item = (What, u64)> {
    let quality = Quality::of_mux(&asset.quality);
    asset.tiers.iter().map(move |(tier, amount)| {
        let what = What {
            asset: ours,
            quality: Some(quality),
            tier: Some(Tier::of_mux(tier)),
            ..What::of(Unit::DeliveredMinutes)
        };
        (what, *amount)
    })
}

/// Notes what one asset was charged for on the days from the first to the last.
fn note(
    told: &mut Told,
    kept: &Kept,
    (tenant, asset): (TenantId, Option<AssetId>),
    (first, last): (Date, Date),
    place: &Place,
) {
    let (quality, made) = (Quality::of_mux(&kept.quality), kept.created.date());
    let what = |unit| What {
        asset,
        quality: Some(quality),
        tier: Some(Tier::of_mux(&kept.tier)),
        ..What::of(unit)
    };
    // What was made before anybody walked is charged from its first day on, as far as months are open.
    let since = if place.stored.is_none() { made } else { first };
    let mut day = since.max(last - CAUGHT_UP).max(made.min(last));
    while day <= last {
        if !place.is_closed(day) {
            let mut add = |source, what, amount: u64| {
                if amount > 0 {
                    let of = told.entry((tenant, day, source)).or_default();
                    *of.entry(what).or_default() += amount;
                }
            };
            let amount = stored(quality, made, day, kept.duration);
            add(Source::Stored, what(Unit::StoredMinutes), amount);
            if day == made {
                add(Source::Encoded, what(Unit::EncodedMinutes), kept.duration);
            }
        }
        day += Duration::DAY;
    }
}
