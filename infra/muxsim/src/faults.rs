//! What goes wrong on purpose: which faults there are, how often each strikes, and which ones did.
//!
//! A fault strikes by its own die: the n-th time it could strike, it does or does not, whatever else
//! happens meanwhile. The same seed and the same order of calls are the same run.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use time::{Duration, OffsetDateTime};

use crate::{
    error::causes,
    sim::Sim,
    state::{Kind, StateError, Step},
};

/// How many mishaps are remembered.
const MISHAPS: u32 = 10_000;

/// Declares the faults: variant, name, and what it does.
macro_rules! faults {
    ($($variant:ident = $name:literal, $what:literal;)*) => {
        /// One thing that can go wrong.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Fault {
            $(#[doc = $what] #[serde(rename = $name)] $variant,)*
        }

        impl Fault {
            /// Every fault.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// What flags and the API call it.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What it does, in a line.
            pub fn what(self) -> &'static str {
                match self { $(Self::$variant => $what,)* }
            }
        }
    };
}

faults! {
    Duplicate = "duplicate", "An event is sent twice, with the same id.";
    Reorder = "reorder", "An event waits until later ones have overtaken it.";
    Drop = "drop", "An event is never sent.";
    Delay = "delay", "An event is sent `delay_seconds` later.";
    UnknownFields = "unknown-fields", "The body of an attempt has fields that nobody documented.";
    UnknownType = "unknown-type", "An event of a type that nobody documented comes beside the real one.";
    BareTrack = "bare-track", "An event of a track comes without its data (muxinc/mux-node-sdk#540).";
    WrongSecret = "wrong-secret", "An attempt is signed with another secret.";
    StaleTime = "stale-time", "An attempt was signed ten minutes ago.";
    FutureTime = "future-time", "An attempt is signed ten minutes ahead.";
    UppercaseHex = "uppercase-hex", "An attempt's signature is in capital letters.";
    MissingHeader = "missing-header", "An attempt has no signature.";
    TooManyRequests = "too-many-requests", "A call of the API is answered 429.";
    ServerError = "server-error", "A call of the API is answered 500, and nothing is done.";
    Slow = "slow", "A call of the API is done, and answered `pause_seconds` later.";
    LostResponse = "lost-response", "A call of the API is done, and its connection breaks instead of an answer.";
    Stall = "stall", "A part of an upload is taken up to its middle; then nothing is read for `pause_seconds`, and the answer is 503.";
    ShortRange = "short-range", "A part of an upload is kept only up to its middle, and the 308 says so.";
    Unavailable = "unavailable", "A part of an upload is answered 503 in its middle.";
}

impl std::str::FromStr for Fault {
    type Err = UnknownFault;

    fn from_str(text: &str) -> Result<Self, UnknownFault> {
        let found = Self::ALL.iter().find(|it| it.name() == text);
        found.copied().ok_or_else(|| UnknownFault(text.to_owned()))
    }
}

/// There is no such fault.
#[derive(Debug, thiserror::Error)]
#[error("there is no fault {0:?}: `muxsim --help` names them all")]
pub struct UnknownFault(String);

/// How often what goes wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// Another seed is another run; the same one repeats it.
    pub seed: u64,
    /// How often each strikes: 0 is never, 1 is always.
    pub rates: BTreeMap<Fault, f64>,
    /// How far ahead of the rest of the world the stand-in believes to be, in what it signs and
    /// writes; negative is behind.
    pub skew_seconds: i64,
    /// How much later a delayed event is sent.
    pub delay_seconds: u32,
    /// How long what is slow, or stalls, takes.
    pub pause_seconds: u32,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            seed: 0,
            rates: BTreeMap::new(),
            skew_seconds: 0,
            delay_seconds: 60,
            pause_seconds: 2,
        }
    }
}

/// The furthest that the clock may be off, in seconds: ten years.
const SKEW_MAX: i64 = 10 * 365 * 86_400;

/// Faults that cannot be.
#[derive(Debug, thiserror::Error)]
pub enum BadFaults {
    #[error("the rate of {} must be between 0 and 1", .0.name())]
    Rate(Fault),
    #[error("skew_seconds must be at most ten years")]
    Skew,
}

impl Faults {
    /// None yet, from this seed.
    pub fn seeded(seed: u64) -> Self {
        Self {
            seed,
            ..Self::default()
        }
    }

    /// With one more, which strikes that often. A rate beyond 0 and 1 is the nearer of the two.
    #[must_use]
    pub fn with(mut self, fault: Fault, rate: f64) -> Self {
        self.rates.insert(fault, rate.clamp(0.0, 1.0));
        self
    }

    /// Whether every number is one that can be.
    pub fn check(&self) -> Result<(), BadFaults> {
        if let Some((fault, _)) = self.rates.iter().find(|it| !(0.0..=1.0).contains(it.1)) {
            return Err(BadFaults::Rate(*fault));
        }
        if !(-SKEW_MAX..=SKEW_MAX).contains(&self.skew_seconds) {
            return Err(BadFaults::Skew);
        }
        Ok(())
    }

    pub(crate) fn skew(&self) -> Duration {
        Duration::seconds(self.skew_seconds)
    }
}

/// The faults of now, and how often each could have struck.
pub(crate) struct Dice(Mutex<(Faults, BTreeMap<Fault, u64>)>);

impl Dice {
    pub(crate) fn new(faults: Faults) -> Self {
        Self(Mutex::new((faults, BTreeMap::new())))
    }

    /// Begins anew.
    pub(crate) fn set(&self, faults: Faults) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = (faults, BTreeMap::new());
    }

    pub(crate) fn faults(&self) -> Faults {
        let dice = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        dice.0.clone()
    }

    /// Whether a fault strikes now.
    pub(crate) fn strikes(&self, fault: Fault) -> bool {
        let mut dice = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (faults, thrown) = &mut *dice;
        let rate = faults.rates.get(&fault).copied().unwrap_or(0.0);
        if rate <= 0.0 {
            return false;
        }
        let count = thrown.entry(fault).or_default();
        *count += 1;
        thrown_by(faults.seed, fault, *count) < rate
    }
}

/// A number from 0 up to 1 that depends on nothing else.
fn thrown_by(seed: u64, fault: Fault, count: u64) -> f64 {
    let digest = Sha256::new()
        .chain_update(seed.to_be_bytes())
        .chain_update(count.to_be_bytes())
        .chain_update(fault.name())
        .finalize();
    let high = digest
        .iter()
        .take(4)
        .fold(0, |high, byte| high << 8 | u32::from(*byte));
    f64::from(high) / (f64::from(u32::MAX) + 1.0)
}

/// What a fault did, for whoever looks later.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Mishap {
    pub fault: Fault,
    /// What it struck: an event and its address, or a call.
    pub struck: String,
    /// When, in the stand-in's own time.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
}

/// Whether a fault strikes now; if so, it is remembered.
pub(crate) fn strikes(sim: &Sim, fault: Fault, struck: &str) -> bool {
    if !sim.dice().strikes(fault) {
        return false;
    }
    let noted = sim.state().step(|step| note(sim, step, fault, struck));
    if let Err(error) = noted {
        tracing::error!(error = causes(&error), "a fault could not be noted");
    }
    true
}

/// Remembers what a fault did.
pub(crate) fn note(
    sim: &Sim,
    step: &Step<'_>,
    fault: Fault,
    struck: impl Into<String>,
) -> Result<(), StateError> {
    let (struck, at) = (struck.into(), sim.now().truncate_to_millisecond());
    tracing::info!(fault = fault.name(), struck, "a fault on purpose");
    step.put(
        Kind::Mishap,
        &sim.ids().event(),
        &Mishap { fault, struck, at },
    )?;
    step.keep(Kind::Mishap, MISHAPS)
}

#[cfg(test)]
mod tests {
    use super::{Dice, Fault, Faults};

    fn story(seed: u64) -> Vec<bool> {
        let faults = Faults::seeded(seed).with(Fault::Drop, 0.3);
        let dice = Dice::new(faults);
        (0..1000).map(|_| dice.strikes(Fault::Drop)).collect()
    }

    #[test]
    fn a_seed_is_a_run() {
        assert_eq!(story(7), story(7));
        assert_ne!(story(7), story(8));
    }

    #[test]
    fn a_rate_is_how_often() {
        let struck = story(7).into_iter().filter(|it| *it).count();
        assert!((250..350).contains(&struck), "{struck}");
    }

    #[test]
    fn one_die_does_not_move_another() {
        let both = Faults::seeded(7)
            .with(Fault::Drop, 0.3)
            .with(Fault::Delay, 0.5);
        let dice = Dice::new(both);
        let drops: Vec<bool> = (0..1000)
            .map(|_| {
                dice.strikes(Fault::Delay);
                dice.strikes(Fault::Drop)
            })
            .collect();
        assert_eq!(drops, story(7));
    }

    #[test]
    fn always_is_always_and_never_is_never() {
        let dice = Dice::new(
            Faults::seeded(1)
                .with(Fault::Stall, 1.0)
                .with(Fault::Slow, 0.0),
        );
        assert!((0..100).all(|_| dice.strikes(Fault::Stall)));
        assert!((0..100).all(|_| !dice.strikes(Fault::Slow)));
        assert!(!dice.strikes(Fault::Drop));
    }

    #[test]
    fn a_rate_beyond_always_is_refused() {
        let of = |rate: f64| Faults {
            rates: [(Fault::Slow, rate)].into(),
            ..Faults::default()
        };
        let faults = of(1.5);
        assert_eq!(
            faults.check().unwrap_err().to_string(),
            "the rate of slow must be between 0 and 1"
        );
        assert!(of(f64::NAN).check().is_err());
        assert_eq!(Faults::default().with(Fault::Slow, 1.5), of(1.0));
    }
}
