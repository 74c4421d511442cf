//! How far a piece of work is, and whether anyone still wants it.

use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering},
};

use tokio_util::sync::CancellationToken;

use super::error::MediaError;

/// Looks at work from outside, and ends it. Clones look at the same work; one piece of work takes
/// one watch, for its progress never falls. The default is a watch that nobody looks at.
#[derive(Debug, Clone, Default)]
pub(crate) struct Watch {
    token: CancellationToken,
    percent: Arc<AtomicU8>,
}

impl Watch {
    /// How much of the work is done, from 0 to 100. It never falls, and is 100 only after success.
    pub(crate) fn percent(&self) -> u8 {
        self.percent.load(Ordering::Relaxed)
    }

    /// Ends the work: it returns [`MediaError::Cancelled`] soon and leaves nothing behind.
    pub(crate) fn cancel(&self) {
        self.token.cancel();
    }

    /// Whether the work is to end.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.token.is_cancelled()
    }

    /// Waits until the work is to end.
    pub(crate) async fn cancelled(&self) {
        self.token.cancelled().await;
    }

    pub(super) fn check(&self) -> Result<(), MediaError> {
        if self.is_cancelled() {
            return Err(MediaError::Cancelled);
        }
        Ok(())
    }

    pub(super) fn complete(&self) {
        self.percent.store(100, Ordering::Relaxed);
    }
}

/// The whole of a piece of work, in the unit of [`Stage`].
const WHOLE: u64 = 1_000_000;

/// A stretch of the work: as it is done, the watch moves from where the stretch begins to its end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stage<'a> {
    pub(super) watch: &'a Watch,
    /// Millionths of the work that come before.
    from: u64,
    /// Millionths of the work that are done afterwards.
    to: u64,
}

impl<'a> Stage<'a> {
    pub(super) fn whole(watch: &'a Watch) -> Self {
        Self {
            watch,
            from: 0,
            to: WHOLE,
        }
    }

    /// The part of this stretch between two marks on a scale that ends at `total`.
    pub(super) fn part(self, from: u64, to: u64, total: u64) -> Self {
        Self {
            watch: self.watch,
            from: self.at(from, total),
            to: self.at(to, total),
        }
    }

    /// Says that `done` of `total` is done, in any unit.
    pub(super) fn reach(self, done: u64, total: u64) {
        let percent = u8::try_from(self.at(done, total) * 100 / WHOLE).unwrap_or(100);
        // The hundredth percent is the result in its place.
        self.watch
            .percent
            .fetch_max(percent.min(99), Ordering::Relaxed);
    }

    fn at(self, done: u64, total: u64) -> u64 {
        let length = u128::from(self.to - self.from);
        let done = length * u128::from(done.min(total)) / u128::from(total.max(1));
        self.from + u64::try_from(done).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::{MediaError, Stage, Watch};

    #[test]
    fn progress_never_falls_and_ends_with_success() {
        let watch = Watch::default();
        let second = Stage::whole(&watch).part(1, 2, 2);
        second.reach(1, 2);
        assert_eq!(watch.percent(), 75);
        second.reach(0, 2);
        assert_eq!(watch.percent(), 75);
        second.reach(u64::MAX, 2);
        assert_eq!(watch.percent(), 99);
        watch.complete();
        assert_eq!(watch.clone().percent(), 100);
    }

    #[test]
    fn nothing_of_nothing_is_no_progress() {
        let watch = Watch::default();
        Stage::whole(&watch).reach(0, 0);
        assert_eq!(watch.percent(), 0);
    }

    #[test]
    fn a_clone_cancels_the_same_work() {
        let watch = Watch::default();
        assert!(watch.check().is_ok());
        watch.clone().cancel();
        assert!(matches!(watch.check(), Err(MediaError::Cancelled)));
    }
}
