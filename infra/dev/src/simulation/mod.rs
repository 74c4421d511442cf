//! A simulation of the whole product: seeded histories of people, Mux, faults and crashes on a virtual
//! clock, each of which has to end as it should.
//!
//! The product is the real one, from its router down to the AWS SDK; Mux, the table and the queue are
//! the stand-ins. Between them sit faults and crashes. Read in this order: `history` (what happens),
//! `invariants` (what must hold), `portal` and `wire` (how a process dies).

mod chronicle;
mod command;
mod ground;
mod history;
mod invariants;
mod mutant;
mod people;
mod portal;
mod table;
mod truth;
mod weather;
mod wire;
mod world;

use std::{sync::Arc, time::Duration};

use muxsim::SigningKey;
use tokio::runtime::Builder;

pub use self::{
    chronicle::{Breach, Counts},
    command::{Simulate, run},
    mutant::Mutant,
};
use self::{ground::Ground, world::World};

/// How long a history may take by the clock of its runtime, which moves only while somebody waits: what
/// waits for ever is a fault, too.
const STUCK: Duration = Duration::from_hours(6);

/// What all histories of a run have in common.
pub struct Simulation {
    key: SigningKey,
    mutant: Option<Mutant>,
    traced: bool,
}

/// One history, as it went.
#[derive(Debug)]
pub struct History {
    pub seed: u64,
    /// What did not hold, if anything.
    pub breach: Option<Breach>,
    pub counts: Counts,
    /// What happened, line by line; empty unless it was asked for.
    pub trace: Vec<String>,
    pub virtual_seconds: f64,
}

impl Simulation {
    /// Of the product as it is, or with a mistake made around it.
    pub fn new(mutant: Option<Mutant>, traced: bool) -> anyhow::Result<Self> {
        Ok(Self {
            key: SigningKey::generate("simulated")?,
            mutant,
            traced,
        })
    }

    /// Lives through the history of a seed: the same seed, the same history.
    pub fn history(&self, seed: u64) -> anyhow::Result<History> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()?;
        runtime.block_on(self.live(seed))
    }

    async fn live(&self, seed: u64) -> anyhow::Result<History> {
        let ground = Arc::new(Ground::new(seed, self.mutant, self.traced)?);
        let world = World::new(Arc::clone(&ground), &self.key, seed).await?;
        match tokio::time::timeout(STUCK, history::live(&world, seed)).await {
            Ok(lived) => lived?,
            Err(_) => ground.chronicle.broke("goes-on", "somebody waits for ever"),
        }
        let crashes = u64::try_from(world.portal.crashes()).unwrap_or(u64::MAX);
        ground.chronicle.add("crashes", crashes);
        let (trace, counts) = ground.chronicle.read();
        Ok(History {
            seed,
            breach: ground.chronicle.breach(),
            counts,
            trace,
            virtual_seconds: ground.chronicle.seconds(),
        })
    }
}
