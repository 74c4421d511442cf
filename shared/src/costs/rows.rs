//! What was used, as the table has it: a set of entries for each day, tenant and source. To write the same
//! again changes nothing, so every source may tell what it knows as often as it likes.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use time::Date;

use super::model::{Month, Quality, Tier, Unit, iso};
use crate::{
    app::Parts,
    ids::{AssetId, ProjectId, ShareId, TenantId},
    store::{ATTEMPTS, Guard, StoreError, Write, keys, keys::Listing},
};

/// Over how many items a day of one tenant is spread: an item holds 400 KB, which are about three
/// thousand entries. An asset is always in the same one.
const CHUNKS: u8 = 8;

/// How many rows are read at once, and written.
const PAGE: u32 = 200;
const ABREAST: usize = 8;

/// Who tells what was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING-KEBAB-CASE")]
pub enum Source {
    /// Mux: what it delivered.
    Delivered,
    /// Mux's list of what it keeps: what was made playable that day.
    Encoded,
    /// The same list: what was kept that day.
    Stored,
    /// Our players: what they played. Not charged for, and in no sum: it says whose the delivered is.
    Players,
    /// What the portal counted of its own work.
    Platform,
}

impl Source {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Delivered => "DELIVERED",
            Self::Encoded => "ENCODED",
            Self::Stored => "STORED",
            Self::Players => "PLAYERS",
            Self::Platform => "PLATFORM",
        }
    }
}

/// What an entry is of. Its names are short: they are stored with every entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct What {
    #[serde(default, rename = "a", skip_serializing_if = "Option::is_none")]
    pub asset: Option<AssetId>,
    #[serde(default, rename = "s", skip_serializing_if = "Option::is_none")]
    pub share: Option<ShareId>,
    #[serde(default, rename = "p", skip_serializing_if = "Option::is_none")]
    pub project: Option<ProjectId>,
    #[serde(rename = "u")]
    pub unit: Unit,
    #[serde(default, rename = "q", skip_serializing_if = "Option::is_none")]
    pub quality: Option<Quality>,
    #[serde(default, rename = "t", skip_serializing_if = "Option::is_none")]
    pub tier: Option<Tier>,
}

impl What {
    /// Of a unit, and of nobody in particular.
    pub const fn of(unit: Unit) -> Self {
        Self {
            asset: None,
            share: None,
            project: None,
            unit,
            quality: None,
            tier: None,
        }
    }

    /// Of a video that was watched by a link.
    pub const fn played(asset: AssetId, share: ShareId) -> Self {
        Self {
            asset: Some(asset),
            share: Some(share),
            ..Self::of(Unit::DeliveredMinutes)
        }
    }

    fn chunk(&self) -> u8 {
        self.asset.map_or(0, |it| keys::closed_shard(it) % CHUNKS)
    }
}

/// Amounts, in what [`Unit::one`] counts.
pub type Amounts = BTreeMap<What, u64>;

/// An item of the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct UsageRow {
    pub(super) tenant: TenantId,
    #[serde(with = "iso")]
    pub(super) day: Date,
    pub(super) source: Source,
    chunk: u8,
    /// Grows with every write; the guard of the next one.
    version: u64,
    #[serde(with = "entries")]
    pub(super) entries: Amounts,
}

/// A map whose keys are no text is stored as a list.
mod entries {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::{Amounts, What};

    #[derive(Serialize, Deserialize)]
    struct Entry {
        #[serde(flatten)]
        what: What,
        #[serde(rename = "n")]
        amount: u64,
    }

    pub(super) fn serialize<S: Serializer>(amounts: &Amounts, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(amounts.iter().map(|(what, amount)| Entry {
            what: *what,
            amount: *amount,
        }))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Amounts, D::Error> {
        let entries = Vec::<Entry>::deserialize(from)?;
        Ok(entries.into_iter().map(|it| (it.what, it.amount)).collect())
    }
}

/// A row of what players played.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PlayedRow {
    tenant: TenantId,
    day: Date,
    chunk: u8,
}

impl PlayedRow {
    pub fn of(tenant: TenantId, day: Date, what: &What) -> Self {
        let chunk = what.chunk();
        Self { tenant, day, chunk }
    }
}

/// The writes that add what players played. They are for one transaction with something that is guarded, and
/// that everybody changes who writes these rows.
pub async fn add_played(
    app: &Parts,
    played: &BTreeMap<PlayedRow, Amounts>,
) -> Result<Vec<Write>, StoreError> {
    let key = |it: &PlayedRow| keys::usage(it.tenant, it.day, Source::Players.name(), it.chunk);
    let wanted: Vec<_> = played.keys().map(key).collect();
    let rows: Vec<Option<UsageRow>> = app.store.get_many(&wanted).await?;
    let writes = played.iter().zip(rows).map(|((place, more), row)| {
        let mut row = row.unwrap_or_else(|| UsageRow {
            tenant: place.tenant,
            day: place.day,
            source: Source::Players,
            chunk: place.chunk,
            version: 0,
            entries: Amounts::new(),
        });
        row.version += 1;
        for (what, amount) in more {
            let sum = row.entries.entry(*what).or_default();
            *sum = sum.saturating_add(*amount);
        }
        // The guard of that something stands for all of them.
        Write::put(key(place), &row, Guard::None)
    });
    writes.collect()
}

/// What becomes of entries that are there and were not told of again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// They go: the source tells everything each time.
    All,
    /// They stay: the source tells some.
    Some,
}

/// Writes what a source tells of a day of a tenant: each entry is set to its amount. What is there already
/// is not written again.
pub async fn tell(
    app: &Parts,
    (tenant, day, source): (TenantId, Date, Source),
    told: &Amounts,
    how: How,
) -> Result<(), StoreError> {
    let mut attempt = 1;
    loop {
        match tell_once(app, (tenant, day, source), told, how).await {
            Err(StoreError::Conflict { .. }) if attempt < ATTEMPTS => attempt += 1,
            done => return done,
        }
    }
}

async fn tell_once(
    app: &Parts,
    (tenant, day, source): (TenantId, Date, Source),
    told: &Amounts,
    how: How,
) -> Result<(), StoreError> {
    let known = all(app, &keys::usage_of_source(tenant, day, source.name())).await?;
    let mut known: BTreeMap<u8, UsageRow> = known.into_iter().map(|it| (it.chunk, it)).collect();
    let chunks: BTreeSet<u8> = told
        .keys()
        .map(What::chunk)
        .chain(known.keys().copied())
        .collect();
    let rows = chunks.into_iter().filter_map(|chunk| {
        let its = told.iter().filter(|(what, _)| what.chunk() == chunk);
        let its = its.map(|(what, amount)| (*what, *amount));
        let before = known.remove(&chunk);
        let mut entries = match (how, &before) {
            (How::Some, Some(before)) => before.entries.clone(),
            (How::Some | How::All, _) => Amounts::new(),
        };
        entries.extend(its);
        let version = before.as_ref().map(|it| it.version);
        let unchanged = before.is_some_and(|it| it.entries == entries);
        let row = UsageRow {
            tenant,
            day,
            source,
            chunk,
            version: version.unwrap_or_default() + 1,
            entries,
        };
        (!unchanged).then_some((row, version.map_or(Guard::Absent, Guard::Version)))
    });
    stream::iter(rows)
        .map(|(row, guard)| async move {
            let key = keys::usage(tenant, day, source.name(), row.chunk);
            app.store.put(&key, &row, guard).await
        })
        .buffer_unordered(ABREAST)
        .try_collect()
        .await
}

/// All rows of a listing.
async fn all(app: &Parts, listing: &Listing) -> Result<Vec<UsageRow>, StoreError> {
    let (mut rows, mut after): (Vec<UsageRow>, _) = (Vec::new(), None);
    loop {
        let page = app.store.list(listing, after.as_ref(), PAGE).await?;
        rows.extend(page.items);
        after = rows
            .last()
            .filter(|_| page.more)
            .map(|it| keys::usage(it.tenant, it.day, it.source.name(), it.chunk));
        if after.is_none() {
            return Ok(rows);
        }
    }
}

/// What a tenant, or everybody, used from one day to another, both included.
pub(super) async fn between(
    app: &Parts,
    tenant: Option<TenantId>,
    from: Date,
    to: Date,
) -> Result<Vec<UsageRow>, StoreError> {
    if let Some(tenant) = tenant {
        return all(app, &keys::usage_between(tenant, from, to)).await;
    }
    // Everybody's are listed by months.
    let (mut rows, mut month) = (Vec::new(), Month::of(from));
    while month.first() <= to {
        let listing = keys::usage_of_all(from.max(month.first()), to.min(month.last()));
        rows.extend(all(app, &listing).await?);
        month = month.after();
    }
    Ok(rows)
}

/// Who has rows of a source on a day.
pub(super) async fn tenants(
    app: &Parts,
    day: Date,
    source: Source,
) -> Result<BTreeSet<TenantId>, StoreError> {
    let rows = all(app, &keys::usage_of_all_by(day, source.name())).await?;
    Ok(rows.into_iter().map(|it| it.tenant).collect())
}
