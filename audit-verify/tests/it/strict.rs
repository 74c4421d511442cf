//! What the portal's own key may have signed and is wrong all the same, and which of two damages is
//! named: the first.

use audit_verify::{Clear, Damage, Finding, Outcome, Signed, Verified, canonical, commitment};
use serde_json::{Map, Value, json};

use crate::export::{Export, end, entry, history, key, page};

#[track_caller]
fn found(outcome: Outcome) -> Finding {
    match outcome {
        Outcome::Damaged(finding) => finding,
        other @ (Outcome::Verified(_) | Outcome::Unusable | Outcome::Uncompared) => {
            panic!("{other:?}")
        }
    }
}

#[track_caller]
fn verified(outcome: Outcome) -> Verified {
    match outcome {
        Outcome::Verified(verified) => *verified,
        other @ (Outcome::Damaged(_) | Outcome::Unusable | Outcome::Uncompared) => {
            panic!("{other:?}")
        }
    }
}

fn id(entry: &Map<String, Value>) -> Option<String> {
    Some(entry["id"].as_str()?.to_owned())
}

/// Edits an entry of an export that is sound.
fn edit(export: &mut Export, line: usize, field: &str, value: Value) -> String {
    let id = export.id(line);
    let mut read: Value = serde_json::from_slice(&export.lines[line]).unwrap();
    *read.pointer_mut(field).unwrap() = value;
    export.lines[line] = canonical(&read).unwrap();
    id
}

#[test]
fn an_entry_that_was_sealed_twice_is_found() {
    let signer = key(1);
    let twice = || vec![entry(1, false), entry(2, false), entry(1, false)];
    let apart = [
        vec![entry(1, false), entry(2, false)],
        vec![entry(4, false), entry(1, true)],
    ];
    for (checkpoints, line) in [(vec![twice()], 3), (apart.to_vec(), 5)] {
        let finding = found(page(&signer, &checkpoints).check());
        assert_eq!(
            (finding.damage, finding.line, finding.id),
            (Damage::Inserted, line, id(&entry(1, false)))
        );
    }
}

#[test]
fn an_entry_of_another_organisation_is_found() {
    let mut foreign = entry(2, false);
    foreign["tenant"] = "ten_01KE6P4YM00000000000000002".into();
    let finding = found(page(&key(1), &[vec![entry(1, false), foreign.clone()]]).check());
    assert_eq!((finding.damage, finding.line), (Damage::Inserted, 2));
    assert_eq!(finding.id, id(&foreign));
}

#[test]
fn a_salt_that_is_too_short_hides_nothing() {
    let clear = Clear {
        salt: "07".to_owned(),
        value: "x".to_owned(),
    };
    let mut short = entry(1, false);
    short["personal"]["address"] = commitment(&clear).into();
    short["clear"]["address"] = json!(clear);
    let finding = found(page(&key(1), &[vec![short]]).check());
    assert_eq!((finding.damage, finding.line), (Damage::Commitment, 1));
}

#[test]
fn the_first_entry_that_is_wrong_is_named_whatever_is_wrong_after_it() {
    for later in ["unreadable", "commitment", "signature", "checkpoint"] {
        let mut export = history(&key(1), None);
        match later {
            "unreadable" => export.lines[10] = b"{}".to_vec(),
            "commitment" => {
                edit(&mut export, 10, "/entry/clear/address/value", "x".into());
            }
            "signature" => *export.lines[13].iter_mut().rev().nth(4).unwrap() ^= 1,
            _ => export.lines[13] = b"{}".to_vec(),
        }
        let alone = found(export.check());
        let first = edit(&mut export, 8, "/entry/type", "x".into());
        let finding = found(export.check());
        if later == "checkpoint" {
            // Nothing is left to compare it with.
            assert_eq!((finding.line, alone.line), (14, 14));
            continue;
        }
        assert_eq!(
            (finding.damage, finding.line),
            (Damage::Edited, 9),
            "{later}"
        );
        assert_eq!(finding.id, Some(first), "{later}");
        assert!(alone.line > 9, "{later}: {alone:?}");
    }
}

#[test]
fn heads_that_are_not_of_this_export_prove_nothing() {
    let mut export = history(&key(1), None);
    for head in &mut export.heads {
        head.tenant = "ten_01KE6P4YM00000000000000002".to_owned();
    }
    assert_eq!(export.check_with_heads(), Outcome::Uncompared);
    let mut export = history(&key(1), None);
    export.heads.drain(..3);
    assert_eq!(verified(export.check_with_heads()).heads, 1);
    export.heads[0].total += 1;
    let finding = found(export.check_with_heads());
    assert_eq!(finding.damage, Damage::Forked);
}

#[test]
fn a_page_does_not_know_of_less_than_the_one_before() {
    let signer = key(1);
    let history = history(&signer, None);
    let (total, head) = (history.heads[3].total, history.heads[3].digest.clone());
    for (latest, at) in [(5, "2026-01-05T09:00:00Z"), (4, "2026-01-05T09:10:00Z")] {
        let mut export = history.clone();
        let before = &history.heads[1];
        // Nothing but what the first page says is newer than the second.
        let mut first = end(&signer, 2, before.total, &before.digest, latest).body;
        first.at = at.to_owned();
        export.lines[14] = Signed::sign(first, &signer).unwrap().line().unwrap();
        export.lines[29] = end(&signer, 4, total, &head, 4).line().unwrap();
        let finding = found(export.check());
        assert_eq!((finding.damage, finding.line), (Damage::Reordered, 30));
    }
}

#[test]
fn fields_that_somebody_took_away_are_told_apart_from_those_that_were_erased() {
    let bare = |number| {
        let mut entry = entry(number, false);
        entry.remove("clear");
        entry
    };
    let erased = |number, data: Value| {
        let mut entry = bare(number);
        entry.remove("personal");
        (entry["type"], entry["data"]) = ("audit.erased".into(), data);
        entry
    };
    let one = erased(7, json!({"entry": bare(1)["id"], "entries": 1}));
    let own = json!({"actor": "usr_01KE6P4YM00000000000000001", "entries": 2});
    let entries = |erasure| {
        vec![
            vec![bare(1), bare(2)],
            vec![erasure, bare(10), entry(11, false)],
        ]
    };
    let said = |erasure| verified(page(&key(1), &entries(erasure)).check()).erased;
    let of_one = said(one);
    assert_eq!((of_one.fields, of_one.unexplained), (3, 2));
    assert_eq!(of_one.ids, [id(&bare(2)).unwrap(), id(&bare(10)).unwrap()]);
    let of_actor = said(erased(7, own));
    assert_eq!(of_actor.ids, [id(&bare(10)).unwrap()], "it came later");
}

#[test]
fn a_line_without_an_end_is_not_taken_for_the_end_of_the_file() {
    let export = history(&key(1), None);
    let mut bytes = export.bytes();
    bytes.extend(vec![b'x'; 17 * 1024 * 1024]);
    let finding = found(export.check_bytes(&bytes, false));
    assert_eq!((finding.damage, finding.line), (Damage::Edited, 31));
}
