//! What every handler may use. Built once per process, cheap to clone.

use std::sync::Arc;

use crate::{
    auth::Sessions,
    clock::Clock,
    config::Config,
    costs::Explorer,
    dlq::DeadLetters,
    federation::Federation,
    guardrails::Acting,
    health::LastLook,
    ids::IdSource,
    limits::Refusing,
    meter::Meter,
    resilience::Known,
    secrets::{Keys, Secrets},
    shares::Players,
    store::Store,
    traces::Traces,
    vendors::StatusPage,
    webhooks::Counting,
};

/// The handle that handlers are given.
pub type App = Arc<Parts>;

/// Everything a use case may need; its first parameter is `&Parts`.
pub struct Parts {
    pub config: Config,
    pub clock: Arc<dyn Clock>,
    pub ids: IdSource,
    pub store: Store,
    pub dead_letters: DeadLetters,
    /// Nothing, where it is switched off.
    pub mux_status: Option<StatusPage>,
    pub sessions: Sessions,
    pub counting: Counting,
    /// When viewers last told this process how long they played.
    pub players: Players,
    pub refusing: Refusing,
    /// What was last seen of everybody's health.
    pub last_look: LastLook,
    /// What this process knows of those whom it calls.
    pub known: Known,
    /// What this process knows of what acts for a budget.
    pub acting: Acting,
    /// Counts what happens in this process.
    pub meter: Meter,
    pub traces: Traces,
    /// Only of the function that asks.
    pub explorer: Option<Explorer>,
    /// Where the platform vouches for a function.
    pub federation: Option<Federation>,
    /// What is made of secrets, as this process knows them.
    pub secrets: Secrets,
}

impl Parts {
    /// What is made of secrets, as it is now. Within one piece of work it is asked for once.
    pub fn keys(&self) -> Arc<Keys> {
        self.secrets.keys()
    }
}
