//! How long a check takes: an export is made in memory, of entries as the portal has them.

use std::{io::Write, time::Instant};

use audit_verify::{
    Before, Checkpoint, Clear, End, Heads, KeyRing, Signed, SigningKey, ZEROS, commitment,
    entry_line, leaf, verify,
};
use serde_json::{Map, Value, json};

use super::CliError;

const IN_CHECKPOINT: usize = 1_000;

pub(super) fn run(entries: usize) -> Result<u8, CliError> {
    let key = SigningKey::parse(&SigningKey::generate()?)?;
    let export = export(entries, &key)?;
    let keys = KeyRing::parse(&key.public_pem())?;
    let started = Instant::now();
    let outcome = verify(export.as_slice(), &keys, &Heads::default(), false)?;
    let took = started.elapsed();
    writeln!(
        anstream::stdout(),
        "{entries} entries, {} bytes: {took:?}",
        export.len()
    )?;
    Ok(u8::from(!matches!(
        outcome,
        audit_verify::Outcome::Verified(_)
    )))
}

fn export(entries: usize, key: &SigningKey) -> Result<Vec<u8>, CliError> {
    let (tenant, at) = ("ten_01KE6P4YM00000000000000001", "2026-01-05T09:00:00Z");
    let (mut export, mut number, mut total) = (Vec::new(), 0, 0);
    let (mut head, mut left) = (ZEROS.to_owned(), entries);
    while left > 0 {
        let mut sealed = Vec::new();
        for _ in 0..left.min(IN_CHECKPOINT) {
            let entry = entry(entries - left, tenant, at)?;
            sealed.push((
                entry["id"].as_str().unwrap_or_default().to_owned(),
                leaf(&entry)?,
            ));
            export.extend(entry_line(&entry)?);
            export.push(b'\n');
            left -= 1;
        }
        let before = Before {
            number,
            total,
            digest: &head,
        };
        let checkpoint = Checkpoint::over(tenant.to_owned(), &before, &sealed, at.to_owned(), key);
        let Some(checkpoint) = checkpoint else { break };
        (number, total) = (checkpoint.number, checkpoint.total);
        let signed = Signed::sign(checkpoint, key)?;
        export.extend(signed.line()?);
        export.push(b'\n');
        head = signed.digest()?;
    }
    let end = End {
        tenant: tenant.to_owned(),
        after: 0,
        last: number,
        entries: entries as u64,
        total,
        head,
        latest: number,
        unsealed: 0,
        at: at.to_owned(),
        key_id: key.id().to_owned(),
    };
    export.extend(Signed::sign(end, key)?.line()?);
    export.push(b'\n');
    Ok(export)
}

fn entry(place: usize, tenant: &str, at: &str) -> Result<Map<String, Value>, CliError> {
    let clear = Clear::new([7; 32], "00112233445566778899aabbccddeeff".to_owned());
    let entry = json!({
        "id": format!("evt_01KE6P4YM{place:017}"), "tenant": tenant, "at": at,
        "actor": {"kind": "user", "id": "usr_01KE6P4YM00000000000000001"},
        "request": "req_01KE6P4YM00000000000000001",
        "change": {"before": "0".repeat(64), "after": "1".repeat(64)},
        "personal": {"address": commitment(&clear)}, "clear": {"address": clear},
        "type": "share.revoked",
        "data": {"share": "shr_01KE6P4YM00000000000000001", "asset": "ast_01KE6P4YM00000000000000001"},
    });
    Ok(serde_json::from_value(entry)?)
}
