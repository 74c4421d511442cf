//! Names as Mux makes them: letters and digits, 32 to 47 of them; events have a UUID.

use std::sync::{Mutex, PoisonError};

use rand::{Rng, RngExt, SeedableRng, distr::Alphanumeric, rngs::StdRng};
use sha2::{Digest, Sha256};

/// Characters of a long name, and of a playback id's.
const LONG: usize = 44;
const PLAYBACK: usize = 32;

/// Mints the names of what an account's own work makes: uploads, assets, playback ids, events.
pub(crate) struct Ids(Option<Mutex<StdRng>>);

impl Ids {
    /// With a seed, the same names in the same order; without one, names that nobody can guess.
    pub(crate) fn new(seed: Option<u64>) -> Self {
        Self(seed.map(|it| Mutex::new(StdRng::seed_from_u64(it))))
    }

    /// The name of an upload or an asset.
    pub(crate) fn long(&self) -> String {
        self.with(|random| text(random, LONG))
    }

    /// The name of a playback id.
    pub(crate) fn playback(&self) -> String {
        self.with(|random| text(random, PLAYBACK))
    }

    /// The name of an event: a UUID, version 4 (RFC 9562, section 5.4).
    pub(crate) fn event(&self) -> String {
        self.with(uuid)
    }

    /// Bytes of a secret.
    pub(crate) fn secret(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        self.with(|random| random.fill_bytes(&mut bytes));
        bytes
    }

    fn with<T>(&self, mint: impl FnOnce(&mut dyn Rng) -> T) -> T {
        match &self.0 {
            Some(random) => mint(&mut *random.lock().unwrap_or_else(PoisonError::into_inner)),
            None => mint(&mut rand::rng()),
        }
    }
}

/// The name of what is asked for beside an upload: a track, an endpoint, a restriction.
pub(crate) fn long() -> String {
    text(&mut rand::rng(), LONG)
}

/// The name of an asset's own track, the same every time.
pub(crate) fn of_track(asset: &str, place: usize) -> String {
    let digest = hex::encode(Sha256::digest(format!("{asset} track {place}")));
    digest[..LONG].to_owned()
}

/// The name of an example's playback id.
pub(crate) fn playback() -> String {
    text(&mut rand::rng(), PLAYBACK)
}

/// The name of a request, which is a UUID like an event's.
pub(crate) fn request() -> String {
    uuid(&mut rand::rng())
}

fn uuid(random: &mut dyn Rng) -> String {
    let mut bytes = [0; 16];
    random.fill_bytes(&mut bytes);
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = hex::encode(bytes);
    [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ]
    .join("-")
}

/// Whether the text can be one of Mux's names at all.
pub(crate) fn is_plausible(text: &str) -> bool {
    (1..=255).contains(&text.len()) && text.bytes().all(|it| it.is_ascii_alphanumeric())
}

fn text(random: &mut dyn Rng, length: usize) -> String {
    (0..length)
        .map(|_| char::from(random.sample(Alphanumeric)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::Ids;

    fn names(seed: Option<u64>) -> [String; 3] {
        let ids = Ids::new(seed);
        [ids.long(), ids.playback(), ids.event()]
    }

    #[test]
    fn a_seed_repeats_the_names_and_nothing_else_does() {
        assert_eq!(names(Some(7)), names(Some(7)));
        assert_ne!(names(Some(7)), names(Some(8)));
        assert_ne!(names(None), names(None));
    }
}
