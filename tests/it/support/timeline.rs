//! Time for many at once: it passes only when everybody waits, and then to the next moment at which
//! somebody wakes. Ten minutes of fifty instances are over in seconds, and nobody sleeps.

use std::{
    collections::{BTreeMap, btree_map::OccupiedEntry},
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use shared::clock::{Clock, ManualClock};
use time::{Duration, OffsetDateTime};
use tokio::sync::{Notify, oneshot};

/// A clock that tasks wait by. Whoever waits is a task that was counted by [`Timeline::join`].
pub(crate) struct Timeline {
    hand: Arc<ManualClock>,
    sleepers: Mutex<BTreeMap<OffsetDateTime, Vec<oneshot::Sender<()>>>>,
    awake: AtomicUsize,
    quiet: Notify,
}

impl Timeline {
    /// Moves this clock.
    pub(crate) fn new(hand: Arc<ManualClock>) -> Arc<Self> {
        Arc::new(Self {
            hand,
            sleepers: Mutex::default(),
            awake: AtomicUsize::new(0),
            quiet: Notify::new(),
        })
    }

    /// A task that time waits for.
    pub(crate) fn join(self: &Arc<Self>) -> Awake {
        self.awake.fetch_add(1, Ordering::SeqCst);
        Awake(Arc::clone(self))
    }

    fn rest(&self) {
        if self.awake.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.quiet.notify_one();
        }
    }

    /// Lets time pass until then.
    pub(crate) async fn run(&self, until: OffsetDateTime) {
        loop {
            while self.awake.load(Ordering::SeqCst) > 0 {
                self.quiet.notified().await;
            }
            let next = {
                let mut sleepers = self.sleepers.lock().unwrap();
                let first = sleepers.first_entry().filter(|it| *it.key() <= until);
                first.map(OccupiedEntry::remove_entry)
            };
            let Some((at, woken)) = next else {
                self.hand.advance(until - self.hand.now());
                return;
            };
            self.hand
                .advance((at - self.hand.now()).max(Duration::ZERO));
            for sleeper in woken {
                self.awake.fetch_add(1, Ordering::SeqCst);
                if sleeper.send(()).is_err() {
                    self.rest();
                }
            }
        }
    }
}

impl Clock for Timeline {
    fn now(&self) -> OffsetDateTime {
        self.hand.now()
    }

    fn pause(&self, by: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let (wake, woken) = oneshot::channel();
        let at = self.now() + by;
        self.sleepers
            .lock()
            .unwrap()
            .entry(at)
            .or_default()
            .push(wake);
        self.rest();
        Box::pin(async move {
            let _ = woken.await;
        })
    }
}

/// While it lives, and does not wait by the clock, time stands still.
pub(crate) struct Awake(Arc<Timeline>);

impl Drop for Awake {
    fn drop(&mut self) {
        self.0.rest();
    }
}
