//! What a world stands on and no crash takes away: the clock, the table, the queue, the weather.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use dynoxide::Database;
use rand::{Rng, SeedableRng, rngs::StdRng};
use shared::clock::{Clock, ManualClock};
use sqs_lite::Sqs;
use time::macros::datetime;

use super::{chronicle::Chronicle, mutant::Mutant, weather::Weather};
use crate::{aws::millis, permissions::Roles};

/// Everything that outlives a process.
pub(super) struct Ground {
    pub(super) clock: Arc<ManualClock>,
    pub(super) chronicle: Chronicle,
    pub(super) weather: Weather,
    pub(super) database: Database,
    pub(super) sqs: Sqs,
    /// The queue's own HTTP surface.
    pub(super) queue: Router,
    pub(super) mutant: Option<Mutant>,
    /// In which the product acts on the table and the queue.
    pub(super) roles: Roles,
    entropy: Mutex<(u32, StdRng)>,
}

impl Ground {
    pub(super) fn new(seed: u64, mutant: Option<Mutant>, traced: bool) -> anyhow::Result<Self> {
        let clock = Arc::new(ManualClock::new(datetime!(2026-01-05 09:00 UTC)));
        let hand = Arc::clone(&clock);
        let sqs = Sqs::open(None)?.with_clock(move || millis(hand.now()));
        let unusable = |error| anyhow::anyhow!("the table cannot be made: {error}");
        Ok(Self {
            chronicle: Chronicle::new(Arc::clone(&clock), traced),
            clock,
            weather: Weather::new(seed),
            database: Database::memory().map_err(unusable)?,
            queue: sqs.clone().router(),
            sqs,
            mutant,
            roles: Roles::deployed()?,
            entropy: Mutex::new((0, StdRng::seed_from_u64(seed))),
        })
    }

    /// Bytes that begin with a count: ids of one instant stay in the order in which they were minted,
    /// so the events of a video are read in the order in which they were committed.
    pub(super) fn fill(&self, bytes: &mut [u8]) {
        let mut entropy = self.entropy.lock().unwrap_or_else(PoisonError::into_inner);
        let (count, random) = &mut *entropy;
        *count += 1;
        random.fill_bytes(bytes);
        for (byte, counted) in bytes.iter_mut().zip(count.to_be_bytes()) {
            *byte = counted;
        }
    }
}
