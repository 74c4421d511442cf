//! What is under way right now: who sends a file, what is being made. Not kept: a restart ends it.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::media::Watch;

/// Uploads that somebody is sending to.
#[derive(Clone, Default)]
pub(crate) struct Receivers(Arc<Mutex<HashSet<String>>>);

impl Receivers {
    /// Keeps a second sender away from an upload while the first one is at it.
    pub(crate) fn begin(&self, upload: &str) -> Option<Receiving> {
        self.lock().insert(upload.to_owned()).then(|| Receiving {
            all: self.clone(),
            upload: upload.to_owned(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to write an upload's file; given back when dropped, also when the sender goes away.
pub(crate) struct Receiving {
    all: Receivers,
    upload: String,
}

impl Drop for Receiving {
    fn drop(&mut self) {
        self.all.lock().remove(&self.upload);
    }
}

/// What is being made: assets, and what an asset is given, called `{asset}/{what}`.
#[derive(Default)]
pub(crate) struct Watches(Mutex<HashMap<String, Watch>>);

impl Watches {
    pub(crate) fn begin(&self, name: &str) -> Watch {
        self.lock().entry(name.to_owned()).or_default().clone()
    }

    pub(crate) fn end(&self, name: &str) {
        self.lock().remove(name);
    }

    /// Ends whatever is made of an asset.
    pub(crate) fn cancel(&self, asset: &str) {
        for (name, watch) in self.lock().iter() {
            if name.split('/').next() == Some(asset) {
                watch.cancel();
            }
        }
    }

    /// Ends one piece of work, if it is under way.
    pub(crate) fn cancel_one(&self, name: &str) {
        if let Some(watch) = self.lock().get(name) {
            watch.cancel();
        }
    }

    pub(crate) fn cancel_all(&self) {
        self.lock().values().for_each(Watch::cancel);
    }

    /// How far it is, in percent.
    pub(crate) fn percent(&self, name: &str) -> Option<u8> {
        self.lock().get(name).map(Watch::percent)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Watch>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
