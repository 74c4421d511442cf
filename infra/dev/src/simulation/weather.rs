//! What the table and the queue do to a call: a seeded decision for each. Rates differ from history to
//! history and change within one; whole outages come and go.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};

/// Which of the two services is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Service {
    Table,
    Queue,
}

/// Whether a call takes effect although its caller never learns of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    Done,
    NotDone,
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// Carried out and answered.
    Fair,
    /// Refused for its frequency; not carried out.
    Throttled,
    /// Answered with an internal error; not carried out.
    Broken,
    /// Carried out, and the connection breaks instead of an answer.
    Lost,
    /// No answer, until the client gives up.
    Hangs(Effect),
    /// A transaction that met another one on the same item; not carried out.
    Collides,
    /// A batch of which nothing was processed this time.
    Unprocessed,
    /// The process that called dies, right before or right after the call is carried out.
    Dies(Effect),
}

impl Fate {
    /// What the table of a run calls it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Fair => "fair",
            Self::Throttled => "throttled",
            Self::Broken => "internal errors",
            Self::Lost => "done, answer lost",
            Self::Hangs(Effect::Done) => "timed out, done",
            Self::Hangs(Effect::NotDone) => "timed out, not done",
            Self::Collides => "transaction conflicts",
            Self::Unprocessed => "batches unprocessed",
            Self::Dies(Effect::Done) => "crashes after a call",
            Self::Dies(Effect::NotDone) => "crashes before a call",
        }
    }
}

/// How often a call is struck, and how often its caller dies of it.
#[derive(Debug, Clone, Copy, Default)]
struct Climate {
    trouble: f64,
    death: f64,
    down: bool,
}

/// The weather of one history.
pub(super) struct Weather(Mutex<Sky>);

struct Sky {
    random: StdRng,
    table: Climate,
    queue: Climate,
}

/// From calm to terrible: how many of a hundred calls are struck.
const TROUBLE: [f64; 5] = [0.0, 0.02, 0.08, 0.2, 0.4];
const DEATH: [f64; 4] = [0.0, 0.002, 0.01, 0.03];

/// How often a call gives way to others, at the most: so that what happens at once meets in all orders.
const PAUSES: u8 = 3;

impl Weather {
    pub(super) fn new(seed: u64) -> Self {
        Self(Mutex::new(Sky {
            random: StdRng::seed_from_u64(seed),
            table: Climate::default(),
            queue: Climate::default(),
        }))
    }

    /// Other rates from now on, and no outage.
    pub(super) fn change(&self) -> String {
        let mut sky = self.sky();
        let Sky { random, .. } = &mut *sky;
        let mut draw = || Climate {
            trouble: TROUBLE.choose(random).copied().unwrap_or_default(),
            death: DEATH.choose(random).copied().unwrap_or_default(),
            down: false,
        };
        let (table, queue) = (draw(), draw());
        sky.table = table;
        sky.queue = queue;
        format!(
            "table {}, queue {}, deaths {} and {}",
            table.trouble, queue.trouble, table.death, queue.death
        )
    }

    /// Nothing goes wrong any more.
    pub(super) fn calm(&self) {
        let mut sky = self.sky();
        (sky.table, sky.queue) = (Climate::default(), Climate::default());
    }

    /// An outage begins, or ends. Whether there is one now.
    pub(super) fn turn(&self, service: Service) -> bool {
        let mut sky = self.sky();
        let climate = match service {
            Service::Table => &mut sky.table,
            Service::Queue => &mut sky.queue,
        };
        climate.down = !climate.down;
        climate.down
    }

    /// How often this call gives way to others.
    pub(super) fn pauses(&self) -> u8 {
        self.sky().random.random_range(0..=PAUSES)
    }

    /// What becomes of this call.
    pub(super) fn fate(&self, service: Service, operation: &str) -> Fate {
        let mut sky = self.sky();
        let climate = match service {
            Service::Table => sky.table,
            Service::Queue => sky.queue,
        };
        if sky.random.random_bool(climate.death) {
            return Fate::Dies(sky.effect());
        }
        if climate.down {
            let fates = [Fate::Throttled, Fate::Broken, Fate::Hangs(Effect::NotDone)];
            return fates
                .choose(&mut sky.random)
                .copied()
                .unwrap_or(Fate::Broken);
        }
        if !sky.random.random_bool(climate.trouble) {
            return Fate::Fair;
        }
        let hangs = Fate::Hangs(sky.effect());
        let own = match operation {
            "TransactWriteItems" => Fate::Collides,
            "BatchGetItem" => Fate::Unprocessed,
            _ => Fate::Throttled,
        };
        let fates = [Fate::Throttled, Fate::Broken, Fate::Lost, hangs, own];
        fates
            .choose(&mut sky.random)
            .copied()
            .unwrap_or(Fate::Broken)
    }

    /// Whether the process that calls Mux dies of it, and when.
    pub(super) fn dies_at_mux(&self) -> Option<Effect> {
        let mut sky = self.sky();
        let death = sky.table.death;
        sky.random.random_bool(death).then(|| sky.effect())
    }

    fn sky(&self) -> MutexGuard<'_, Sky> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sky {
    fn effect(&mut self) -> Effect {
        if self.random.random_bool(0.5) {
            return Effect::Done;
        }
        Effect::NotDone
    }
}
