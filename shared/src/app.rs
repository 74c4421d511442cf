//! What every handler may use. Built once per process, cheap to clone.

use std::sync::Arc;

use audit_verify::SigningKey;

use crate::{
    auth::Sessions,
    clock::Clock,
    config::Config,
    dlq::DeadLetters,
    ids::IdSource,
    mux::{MuxClient, PlaybackSigner, WebhookVerifier},
    store::Store,
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
    pub mux: MuxClient,
    pub playback: PlaybackSigner,
    pub webhooks: WebhookVerifier,
    pub sessions: Sessions,
    pub counting: Counting,
    /// Seals the audit log.
    pub seal: SigningKey,
}
