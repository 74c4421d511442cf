//! Reading an export from a file, and guessing at lines that are not what they should be.

use std::io::{self, BufRead, Read};

use crate::{
    heads::Heads,
    keys::KeyRing,
    outcome::Outcome,
    verify::{LINE_MAX, Verifier},
};

/// What the first line of an export begins with.
const BEGINNINGS: [&[u8]; 3] = [b"{\"entry\":{", b"{\"checkpoint\":{", b"{\"end\":{"];

/// Checks an export. With `part`, it may begin after the first checkpoint and end before the last.
pub fn verify(
    mut export: impl BufRead,
    keys: &KeyRing,
    heads: &Heads,
    part: bool,
) -> io::Result<Outcome> {
    let mut verifier = Verifier::new(keys, heads, part);
    let mut line = Vec::with_capacity(4096);
    loop {
        line.clear();
        let read = export
            .by_ref()
            .take(LINE_MAX as u64)
            .read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(verifier.finish());
        }
        if let Err(finding) = verifier.push(&line) {
            return Ok(Outcome::Damaged(finding));
        }
    }
}

/// Whether it may have been the first line of one.
pub(crate) fn begins_as_export(text: &[u8]) -> bool {
    BEGINNINGS.iter().any(|it| begin_alike(it, text))
}

fn begin_alike(a: &[u8], b: &[u8]) -> bool {
    let shorter = a.len().min(b.len());
    shorter > 0 && a[..shorter] == b[..shorter]
}

/// An id that a damaged line seems to be about.
pub(crate) fn id_in(text: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(text);
    let start = text.find("\"evt_")? + 1;
    let id = text[start..].split('"').next()?;
    Some(id.to_owned())
}
