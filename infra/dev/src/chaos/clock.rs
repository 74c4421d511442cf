//! A clock that can be moved ahead: everybody who waits by it is woken as if the time had passed.

use std::pin::Pin;

use shared::clock::{Clock, SystemClock};
use time::{Duration, OffsetDateTime};
use tokio::sync::watch;

/// The system's time, and how far ahead of it this one is.
pub(crate) struct SkippingClock(watch::Sender<Duration>);

impl Default for SkippingClock {
    fn default() -> Self {
        Self(watch::Sender::new(Duration::ZERO))
    }
}

impl SkippingClock {
    /// Lets so much time have passed.
    pub(crate) fn skip(&self, by: Duration) {
        self.0.send_modify(|ahead| *ahead += by);
    }
}

impl Clock for SkippingClock {
    fn now(&self) -> OffsetDateTime {
        SystemClock.now() + *self.0.borrow()
    }

    fn pause(&self, by: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let (until, mut moved) = (self.now() + by, self.0.subscribe());
        Box::pin(async move {
            loop {
                let left = until - self.now();
                if !left.is_positive() {
                    return;
                }
                tokio::select! {
                    () = SystemClock.pause(left) => {}
                    // The sender lives as long as the clock, which is borrowed here.
                    _ = moved.changed() => {}
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, task::Poll};

    use super::*;

    #[tokio::test]
    async fn who_waits_is_woken_when_enough_time_was_skipped_and_not_before() {
        let clock = SkippingClock::default();
        let mut waiting = clock.pause(Duration::HOUR);
        let mut is_over =
            async || poll_fn(|it| Poll::Ready(waiting.as_mut().poll(it).is_ready())).await;
        assert!(!is_over().await);
        clock.skip(Duration::minutes(59));
        assert!(!is_over().await);
        clock.skip(Duration::MINUTE);
        assert!(is_over().await);
    }
}
