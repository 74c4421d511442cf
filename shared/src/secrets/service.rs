//! Learning of new secrets while running.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use time::{Duration, OffsetDateTime};

use super::{Fetched, Keys, Source};
use crate::{
    app::Parts,
    metrics::{self, Metric},
    telemetry,
};

/// After how long a process looks again. Whoever replaces a secret waits for longer.
pub const LOOK_AGAIN: Duration = Duration::minutes(5);

/// After how long it tries again where the store did not answer.
const TRY_AGAIN: Duration = Duration::seconds(30);

/// The keys as this process has them.
pub struct Secrets {
    keys: RwLock<Arc<Keys>>,
    kept: Option<Kept>,
}

/// Where they come from, and what is known of that.
struct Kept {
    source: Source,
    known: Mutex<Known>,
}

struct Known {
    version: String,
    look_at: OffsetDateTime,
}

impl Secrets {
    /// Those of the environment, which never change.
    pub fn fixed(keys: Keys) -> Self {
        Self {
            keys: RwLock::new(Arc::new(keys)),
            kept: None,
        }
    }

    /// Those that were just fetched.
    pub fn kept(keys: Keys, source: Source, fetched: &Fetched, now: OffsetDateTime) -> Self {
        let known = Known {
            version: fetched.version.clone(),
            look_at: now + LOOK_AGAIN,
        };
        Self {
            keys: RwLock::new(Arc::new(keys)),
            kept: Some(Kept {
                source,
                known: Mutex::new(known),
            }),
        }
    }

    /// The keys of now.
    pub fn keys(&self) -> Arc<Keys> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&keys)
    }
}

impl Kept {
    /// Whether it is time to look. Only one of those who ask at once is told so.
    fn is_due(&self, now: OffsetDateTime) -> bool {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let due = now >= known.look_at;
        if due {
            known.look_at = now + TRY_AGAIN;
        }
        due
    }

    /// Takes note of a look. `false`: nothing is new.
    fn looked(&self, version: &str, now: OffsetDateTime) -> bool {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.look_at = now + LOOK_AGAIN;
        let new = known.version != version;
        if new {
            version.clone_into(&mut known.version);
        }
        new
    }
}

/// Sees to it that the secrets are not older than five minutes when work begins. Whatever goes wrong, what
/// this process has counts on: a store that is away stops nobody.
pub async fn renew(app: &Parts) {
    let Some(kept) = &app.secrets.kept else {
        return;
    };
    let now = app.clock.now();
    if kept.is_due(now) {
        Box::pin(look(app, kept, now)).await;
    }
}

async fn look(app: &Parts, kept: &Kept, now: OffsetDateTime) {
    let fetched = match kept.source.fetch().await {
        Ok(fetched) => fetched,
        Err(error) => return complain(app, &error, "secrets could not be fetched"),
    };
    if !kept.looked(&fetched.version, now) {
        return;
    }
    let config = kept.source.config(&fetched);
    let keys = config.map_err(Into::into).and_then(|it| Keys::new(&it));
    match keys {
        Ok(keys) => {
            let mut current = app
                .secrets
                .keys
                .write()
                .unwrap_or_else(PoisonError::into_inner);
            *current = Arc::new(keys);
            tracing::info!("secrets renewed");
        }
        // Until somebody puts them right, the earlier ones count.
        Err(error) => complain(app, &error, "the new secrets cannot be used"),
    }
}

fn complain(app: &Parts, error: &(dyn std::error::Error + 'static), what: &'static str) {
    metrics::emit(app.clock.now(), Metric::SecretsNotRenewed, 1);
    let error = telemetry::chain(error);
    tracing::error!(alert = "secrets", error, "{what}");
}
