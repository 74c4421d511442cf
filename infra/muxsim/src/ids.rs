//! Names as Mux makes them: letters and digits, 32 to 47 of them; events have a UUID.

use rand::{RngExt, distr::Alphanumeric};
use sha2::{Digest, Sha256};

/// Characters of a long name.
const LONG: usize = 44;

/// The name of an upload, an asset or a track.
pub(crate) fn long() -> String {
    text(LONG)
}

/// The name of an asset's own track, the same every time.
pub(crate) fn of_track(asset: &str, place: usize) -> String {
    let digest = hex::encode(Sha256::digest(format!("{asset} track {place}")));
    digest[..LONG].to_owned()
}

/// The name of a playback id.
pub(crate) fn playback() -> String {
    text(32)
}

/// The name of an event: a UUID, version 4 (RFC 9562, section 5.4).
pub(crate) fn event() -> String {
    let mut bytes: [u8; 16] = rand::random();
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

fn text(length: usize) -> String {
    let mut random = rand::rng();
    (0..length)
        .map(|_| char::from(random.sample(Alphanumeric)))
        .collect()
}
