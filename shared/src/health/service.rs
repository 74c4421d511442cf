//! Looking at everything that can be unwell, at most every two seconds in each process.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration as StdDuration, Instant},
};

use quick_cache::sync::Cache;
use time::{Duration, OffsetDateTime};

use super::model::{Health, Signs, Table, of_vendor};
use crate::{
    address::ClientAddress,
    alerts::{self, Alert, Raised, Reading},
    app::Parts,
    incidents::{self, Incident},
    limits::{self, Rule},
    reconcile::{self, Census},
    resilience::{self, Breaker, Tally, Vendor},
    store::{Later, Reads, StoreError},
    telemetry,
    vendors::{self, Said},
};

/// How long a look counts.
const VIEW: Duration = Duration::seconds(2);

/// How long the table and the queue have. Whoever asks for health does not wait.
const PATIENCE: StdDuration = StdDuration::from_secs(1);

/// How long it is remembered that the table did not answer.
const UNANSWERED: Duration = Duration::MINUTE;

/// How often one address may ask a process in a minute: a dashboard asks every second. Counted in
/// memory, because counting in the table would cost more than the answer.
const ASKED: u32 = 120;

/// How many addresses are counted at the same time.
const ASKERS: usize = 1_000;

/// What was seen, and when; and who asked.
pub struct LastLook {
    look: Mutex<Option<Arc<Look>>>,
    /// How many calls the table had left unanswered when that was looked at, and when it grew.
    unanswered: Mutex<(u64, Option<OffsetDateTime>)>,
    asked: Cache<String, (i64, u32)>,
}

impl Default for LastLook {
    fn default() -> Self {
        Self {
            look: Mutex::default(),
            unanswered: Mutex::default(),
            asked: Cache::new(ASKERS),
        }
    }
}

impl LastLook {
    /// Whether the table has left calls of this process unanswered of late.
    fn unanswered(&self, count: u64, now: OffsetDateTime) -> bool {
        let seen = self.unanswered.lock();
        let mut seen = seen.unwrap_or_else(PoisonError::into_inner);
        if count > seen.0 {
            *seen = (count, Some(now));
        }
        seen.1.is_some_and(|at| now - at < UNANSWERED)
    }

    /// Whether this address may ask once more; if not, for how many seconds.
    pub(super) fn ask(
        &self,
        address: Option<ClientAddress>,
        now: OffsetDateTime,
    ) -> Result<(), u32> {
        let asker = address.map_or_else(String::new, ClientAddress::client);
        let (minute, second) = (now.unix_timestamp().div_euclid(60), now.second());
        let (last, count) = self.asked.get(&asker).unwrap_or_default();
        let count = if last == minute { count } else { 0 };
        if count >= ASKED {
            return Err(60 - u32::from(second));
        }
        self.asked.insert(asker, (minute, count + 1));
        Ok(())
    }
}

/// What was seen of everything.
pub(super) struct Look {
    pub at: OffsetDateTime,
    /// How long it took, in milliseconds.
    pub took: u64,
    pub health: Health,
    pub vendors: Vec<Seen>,
    /// How long the table took, in milliseconds; nothing, if it did not answer.
    pub table: Option<u64>,
    pub census: Census,
    pub reading: Reading,
    pub alerts: Vec<Alert>,
    /// What went wrong and is not over.
    pub incidents: Vec<Incident>,
    pub warnings: Vec<&'static str>,
}

/// One vendor.
pub(super) struct Seen {
    pub vendor: Vendor,
    pub health: Health,
    pub breaker: Breaker,
    /// Retries of the last minute, by all instances, and how many there may be.
    pub retries: (u16, u16),
    /// By this process.
    pub tally: Tally,
    /// What its status page last said.
    pub page: Option<Said>,
}

impl Seen {
    fn new(
        app: &Parts,
        vendor: Vendor,
        breaker: Breaker,
        retries: (u16, u16),
        page: Option<Said>,
    ) -> Self {
        Self {
            vendor,
            health: of_vendor(&breaker, retries.1.saturating_sub(retries.0)),
            breaker,
            retries,
            tally: resilience::tally(app, vendor),
            page,
        }
    }
}

/// The last look, or a new one.
pub(super) async fn look(app: &Parts) -> Arc<Look> {
    let now = app.clock.now();
    let last = app.last_look.look.lock();
    let last = last.unwrap_or_else(PoisonError::into_inner).clone();
    let recent = |it: &Arc<Look>| (Duration::ZERO..VIEW).contains(&(now - it.at));
    if let Some(look) = last.filter(recent) {
        return look;
    }
    let look = Arc::new(Box::pin(afresh(app, now)).await);
    let mut last = app
        .last_look
        .look
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    *last = Some(Arc::clone(&look));
    look
}

async fn afresh(app: &Parts, now: OffsetDateTime) -> Look {
    let began = Instant::now();
    let read = match tokio::time::timeout(PATIENCE, Box::pin(read(app))).await {
        Ok(Ok(read)) => Ok(read),
        Ok(Err(error)) => Err(telemetry::chain(&error)),
        Err(_) => Err("the table did not answer in time".to_owned()),
    };
    if let Err(error) = &read {
        tracing::warn!(error, "health could not be read");
    }
    let table = read.as_ref().ok().map(|it| it.millis);
    let read = read.unwrap_or_else(|_| Read::without_table(app));
    let raised = read.raised.map(|it| it.alerts).unwrap_or_default();
    let warnings = warnings(app);
    let worst = read.vendors.iter().map(|it| it.health).max();
    let unanswered = app.last_look.unanswered(app.store.unanswered(), now);
    let current = |it: &&Incident| it.matter.is_of_now();
    let signs = Signs {
        table: Table::of(table, unanswered),
        vendors: worst.unwrap_or(Health::Healthy),
        alerts: raised.keys().filter(|it| it.is_of_now()).count(),
        incidents: read.incidents.iter().filter(current).count(),
        warnings: warnings.len(),
    };
    Look {
        at: now,
        took: elapsed(began),
        health: signs.health(),
        vendors: read.vendors,
        table,
        census: read.census,
        reading: read.reading,
        alerts: raised.into_keys().collect(),
        incidents: read.incidents,
        warnings,
    }
}

struct Read {
    reading: Reading,
    raised: Option<Raised>,
    census: Census,
    incidents: Vec<Incident>,
    vendors: Vec<Seen>,
    /// How long the table took for what is read by its keys.
    millis: u64,
}

impl Read {
    /// What this process knows by itself.
    fn without_table(app: &Parts) -> Self {
        let rule = Rule::RetriesPerVendor;
        let vendor = |vendor| {
            let retries = (0, app.config.limits.of(rule).most);
            let breaker = resilience::last_known(app, vendor);
            Seen::new(app, vendor, breaker, retries, None)
        };
        Self {
            reading: Reading::default(),
            raised: None,
            census: Census::default(),
            incidents: Vec::new(),
            vendors: Vendor::ALL.map(vendor).into(),
            millis: 0,
        }
    }
}

/// Everything by its key in one round trip, and the list of incidents and the queue meanwhile.
async fn read(app: &Parts) -> Result<Read, StoreError> {
    let mut reads = Reads::default();
    let census = reconcile::census(&mut reads);
    let standing = alerts::standing(app, &mut reads);
    let vendors = Vendor::ALL.map(|it| see(app, &mut reads, it));
    let began = Instant::now();
    let timed = async {
        let found = app.store.read(reads).await?;
        Ok::<_, StoreError>((found, elapsed(began)))
    };
    let (timed, incidents, depth) = tokio::join!(timed, incidents::open(app), alerts::depth(app));
    let (found, millis) = timed?;
    let (reading, raised) = standing.of(&found)?;
    let vendors: Result<_, _> = vendors.into_iter().map(|it| it.of(&found)).collect();
    Ok(Read {
        reading: Reading { depth, ..reading },
        raised,
        census: census.of(&found)?,
        incidents: incidents?,
        vendors: vendors?,
        millis,
    })
}

fn see<'a>(app: &'a Parts, reads: &mut Reads, vendor: Vendor) -> Later<'a, Seen> {
    let rule = Rule::RetriesPerVendor;
    let breaker = resilience::look_among(app, reads, vendor);
    let retries = limits::used(app, reads, rule, vendor.name());
    let known = vendors::known(reads, vendor);
    Later::new(move |found| {
        let (breaker, retries) = (breaker.of(found)?, retries.of(found)?);
        let page = known.of(found)?.page;
        Ok(Seen::new(app, vendor, breaker, retries, page))
    })
}

/// What somebody has switched off, and should not forget.
pub(super) fn warnings(app: &Parts) -> Vec<&'static str> {
    let unsigned = "SIGNED_PLAYBACK_ENFORCED is false: public playback ids are given out";
    let unqueued = "MUX_WEBHOOK_DLQ_ENABLED is false: what cannot be stored is left to Mux";
    let all = [
        (!app.config.signed_playback, unsigned),
        (!app.config.webhook_dlq, unqueued),
    ];
    all.into_iter()
        .filter_map(|(off, warning)| off.then_some(warning))
        .collect()
}

fn elapsed(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
