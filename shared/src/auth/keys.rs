//! The sign-in service's public keys: fetched once for everybody, kept five minutes, and not fetched
//! again for every made-up key id.

use std::{collections::HashMap, sync::Arc, time::Duration as StdDuration};

use jsonwebtoken::{DecodingKey, jwk::JwkSet};
use time::{Duration, OffsetDateTime};
use tokio::sync::RwLock;
use url::Url;

use super::claims::{self, Session, SessionError};
use crate::{config::Config, outgoing::Outgoing};

/// How long a fetched set is used (Clerk's own SDK does the same).
const LIFE: Duration = Duration::minutes(5);

/// How long an unknown key id keeps us from fetching again: anybody can make one up.
const UNKNOWN_PAUSE: Duration = Duration::seconds(10);

/// How long a failed fetch does.
const FAILED_PAUSE: Duration = Duration::seconds(1);

/// How long one fetch may take.
const FETCH: StdDuration = StdDuration::from_secs(3);

/// Checks session tokens.
pub struct Sessions {
    http: Outgoing,
    url: Url,
    /// Held for writing while fetching: whoever comes meanwhile waits for the same answer.
    keys: RwLock<Keys>,
}

#[derive(Default)]
struct Keys {
    by_id: HashMap<String, Arc<DecodingKey>>,
    fetched: Option<OffsetDateTime>,
    /// When the last fetch ended, and how long it keeps us from the next one.
    rested: Option<(OffsetDateTime, Duration)>,
}

impl Keys {
    /// The key, if the set is young enough to be believed.
    fn current(&self, id: &str, now: OffsetDateTime) -> Option<Arc<DecodingKey>> {
        let young = self.fetched.is_some_and(|at| within(at, LIFE, now));
        self.by_id.get(id).filter(|_| young).cloned()
    }
}

/// A clock that was set back makes everything old, rather than young for ever.
fn within(at: OffsetDateTime, life: Duration, now: OffsetDateTime) -> bool {
    at <= now && now - at < life
}

impl Sessions {
    pub fn new(url: Url) -> Self {
        Self {
            http: Outgoing::new(|it| it.timeout(FETCH)),
            url,
            keys: RwLock::default(),
        }
    }

    /// Makes what the first fetch would otherwise have to wait for.
    pub fn prepare(&self) -> Result<(), reqwest::Error> {
        self.http.client().map(|_| ())
    }

    /// Checks a token: its key, its signature, its claims.
    pub(super) async fn verify(
        &self,
        token: &str,
        config: &Config,
        now: OffsetDateTime,
    ) -> Result<Session, SessionError> {
        let id = claims::key_id(token)?;
        let key = self.key(&id, now).await?;
        claims::verify(token, &key, config, now)
    }

    async fn key(&self, id: &str, now: OffsetDateTime) -> Result<Arc<DecodingKey>, SessionError> {
        if let Some(key) = self.keys.read().await.current(id, now) {
            return Ok(key);
        }
        let mut keys = self.keys.write().await;
        if let Some(key) = keys.current(id, now) {
            return Ok(key); // somebody fetched while this one waited
        }
        if keys
            .rested
            .is_some_and(|(at, pause)| within(at, pause, now))
        {
            let known = keys.fetched.is_some_and(|at| within(at, LIFE, now));
            return Err(if known {
                SessionError::UnknownKey
            } else {
                SessionError::Keys(None)
            });
        }
        let set = match self.fetch().await {
            Ok(set) => set,
            Err(error) => {
                keys.rested = Some((now, FAILED_PAUSE));
                return Err(SessionError::Keys(Some(error)));
            }
        };
        keys.by_id = set
            .keys
            .iter()
            .filter_map(|jwk| {
                let id = jwk.common.key_id.clone()?;
                Some((id, Arc::new(DecodingKey::from_jwk(jwk).ok()?)))
            })
            .collect();
        keys.fetched = Some(now);
        keys.rested = Some((now, UNKNOWN_PAUSE));
        keys.current(id, now).ok_or(SessionError::UnknownKey)
    }

    async fn fetch(&self) -> Result<JwkSet, reqwest::Error> {
        let response = self.http.client()?.get(self.url.clone()).send().await?;
        response.error_for_status()?.json().await
    }
}
