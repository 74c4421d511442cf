//! A thousand places for every kind of damage, from seeds that a failure names.

use audit_verify::{Damage, Finding, Outcome};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::Value;

use crate::export::{Export, end, history, key};

const TRIES: u64 = 1_000;

#[track_caller]
fn found(outcome: Outcome, about: &str) -> Finding {
    match outcome {
        Outcome::Damaged(finding) => finding,
        Outcome::Verified(_) => panic!("{about}: nothing was found"),
        Outcome::Unusable | Outcome::Uncompared => panic!("{about}: not checked"),
    }
}

#[track_caller]
fn verified(outcome: Outcome) -> audit_verify::Verified {
    match outcome {
        Outcome::Verified(verified) => *verified,
        other @ (Outcome::Damaged(_) | Outcome::Unusable | Outcome::Uncompared) => {
            panic!("{other:?}")
        }
    }
}

/// Does something at a thousand random places to an export that is sound.
fn tries(mut each: impl FnMut(&mut StdRng, Export, &str)) {
    let export = history(&key(1), None);
    for seed in 0..TRIES {
        let mut random = StdRng::seed_from_u64(seed);
        each(&mut random, export.clone(), &format!("seed {seed}"));
    }
}

fn pick(random: &mut StdRng, from: &[usize]) -> usize {
    from[random.random_range(0..from.len())]
}

#[test]
fn what_nobody_touched_holds() {
    let export = history(&key(1), None);
    let verified = verified(export.check_with_heads());
    assert_eq!((verified.entries, verified.lines), (24, 30));
    assert_eq!(
        (verified.first_checkpoint, verified.last_checkpoint),
        (1, 4)
    );
    assert_eq!((verified.erased.fields, verified.heads), (0, 4));
    assert_eq!(verified.head, export.heads[3].digest);
}

#[test]
fn an_edited_byte_is_found_on_its_line() {
    tries(|random, mut export, about| {
        let line = random.random_range(0..export.lines.len());
        let at = random.random_range(0..export.lines[line].len());
        let before = export.lines[line][at];
        let after = random.random_range(32..127_u8);
        export.lines[line][at] = if after == before { after ^ 1 } else { after };
        let about = format!("{about}: line {} byte {at}: {before} → {after}", line + 1);
        let finding = found(export.check(), &about);
        assert_eq!(finding.line, line as u64 + 1, "{about}: {finding:?}");
        let expected = match finding.damage {
            Damage::Edited => true,
            Damage::Commitment => export.lines[line].starts_with(b"{\"entry\""),
            Damage::BadSignature => !export.lines[line].starts_with(b"{\"entry\""),
            Damage::Deleted
            | Damage::Inserted
            | Damage::Reordered
            | Damage::Truncated
            | Damage::Forked
            | Damage::Gap => false,
        };
        assert!(expected, "{about}: {finding:?}");
    });
}

#[test]
fn an_edited_value_is_found_with_the_id_of_its_entry() {
    tries(|random, mut export, about| {
        let line = pick(random, &export.entries());
        let id = export.id(line);
        let mut value: Value = serde_json::from_slice(&export.lines[line]).unwrap();
        let names = [
            "/entry/at",
            "/entry/type",
            "/entry/actor/id",
            "/entry/data/title",
            "/entry/change/after",
        ];
        let field = names[random.random_range(0..names.len())];
        *value.pointer_mut(field).unwrap() = "another".into();
        export.lines[line] = audit_verify::canonical(&value).unwrap();
        let finding = found(export.check(), about);
        assert_eq!(
            (finding.damage, finding.line, finding.id),
            (Damage::Edited, line as u64 + 1, Some(id)),
            "{about}"
        );
    });
}

#[test]
fn an_entry_under_another_id_is_edited_and_named_as_it_was() {
    let mut export = history(&key(1), None);
    let line = export.entries()[8];
    let id = export.id(line);
    let text = String::from_utf8(export.lines[line].clone()).unwrap();
    export.lines[line] = text
        .replace(&id, "evt_01KE6P4YM99999999999999999")
        .into_bytes();
    let finding = found(export.check(), "id");
    assert_eq!((finding.damage, finding.id), (Damage::Edited, Some(id)));
}

#[test]
fn a_deleted_entry_is_found_and_named() {
    tries(|random, mut export, about| {
        let line = pick(random, &export.entries());
        let id = export.id(line);
        export.lines.remove(line);
        let finding = found(export.check(), about);
        // Where it was, the next line stands now.
        assert_eq!(
            (finding.damage, finding.line, finding.id),
            (Damage::Deleted, line as u64 + 1, Some(id)),
            "{about}"
        );
    });
}

#[test]
fn a_deleted_checkpoint_or_end_is_found() {
    let export = history(&key(1), None);
    for line in 0..export.lines.len() {
        if export.entries().contains(&line) {
            continue;
        }
        let mut export = export.clone();
        export.lines.remove(line);
        let finding = found(export.check(), &format!("line {}", line + 1));
        // The end of the last page has no line after it.
        assert!(finding.line >= line as u64, "{finding:?}");
        let kinds = [Damage::Gap, Damage::Deleted, Damage::Truncated];
        assert!(kinds.contains(&finding.damage), "{finding:?}");
    }
}

#[test]
fn a_deleted_checkpoint_with_its_entries_is_a_gap() {
    for (first, damage) in [
        (0, Damage::Gap),
        (7, Damage::Truncated),
        (15, Damage::Gap),
        (22, Damage::Truncated),
    ] {
        let mut export = history(&key(1), None);
        export.lines.drain(first..first + 7);
        let finding = found(export.check(), &format!("line {first}"));
        assert_eq!(finding.damage, damage, "{finding:?}");
    }
}

#[test]
fn an_inserted_line_is_found_where_it_stands() {
    tries(|random, mut export, about| {
        let at = random.random_range(0..export.lines.len());
        let copied = random.random_range(0..export.lines.len());
        let mut line = export.lines[copied].clone();
        let entry = export.entries().contains(&copied);
        let foreign = entry && random.random_bool(0.5);
        if foreign {
            let text = String::from_utf8(line).unwrap();
            line = text
                .replace(&export.id(copied), "evt_01KE6P4YM99999999999999999")
                .into_bytes();
        }
        export.lines.insert(at, line);
        let finding = found(export.check(), about);
        let next_checkpoint = export.checkpoints().into_iter().find(|it| *it >= at);
        // An end among entries seems to be right, and the entries before it wrong.
        let line_before = export.checkpoints().into_iter().rfind(|it| *it < at);
        let nearest = if entry { at } else { line_before.unwrap_or(0) };
        let furthest = next_checkpoint.unwrap_or(export.lines.len());
        assert!(
            (nearest as u64..=furthest as u64 + 2).contains(&finding.line),
            "{about}: {finding:?} at {at}"
        );
        if entry
            && export
                .lines
                .get(at + 1)
                .is_some_and(|it| it.starts_with(b"{\"entry\""))
        {
            let kinds = [Damage::Inserted, Damage::Reordered];
            assert!(kinds.contains(&finding.damage), "{about}: {finding:?}");
            let second = at.max(copied + usize::from(copied >= at)) as u64 + 1;
            assert!(
                [at as u64 + 1, second].contains(&finding.line),
                "{about}: {finding:?}"
            );
        }
        if foreign {
            assert_eq!(
                (finding.damage, finding.line),
                (Damage::Inserted, at as u64 + 1),
                "{about}: {finding:?}"
            );
        }
    });
}

#[test]
fn two_lines_that_changed_places_are_found() {
    tries(|random, mut export, about| {
        let (a, b) = (
            random.random_range(0..export.lines.len()),
            random.random_range(0..export.lines.len()),
        );
        let (a, b) = (a.min(b), a.max(b));
        if a == b {
            return;
        }
        let entries = export.entries();
        let within = (a..=b).all(|it| entries.contains(&it));
        export.lines.swap(a, b);
        let finding = found(export.check(), about);
        assert!(finding.line > a as u64, "{about}: {finding:?}");
        if within {
            assert_eq!(
                (finding.damage, finding.line),
                (Damage::Reordered, a as u64 + 1),
                "{about}: {finding:?}"
            );
        }
    });
}

#[test]
fn a_file_that_is_cut_anywhere_is_truncated() {
    let whole = history(&key(1), None);
    let bytes = whole.bytes();
    let mut cut_at_a_page = false;
    tries(|random, export, about| {
        let cut = random.random_range(1..bytes.len());
        let finding = found(
            export.check_bytes(&bytes[..cut], false),
            &format!("{about}: {cut}"),
        );
        assert_eq!(
            finding.damage,
            Damage::Truncated,
            "{about}: {cut}: {finding:?}"
        );
        let lines = bytes[..cut]
            .split(|it| *it == b'\n')
            .filter(|it| !it.is_empty());
        assert_eq!(finding.line, lines.count() as u64, "{about}: {cut}");
        cut_at_a_page |= finding.what.contains("pages up to");
    });
    let first_page = whole.lines[..15]
        .iter()
        .map(|it| it.len() + 1)
        .sum::<usize>();
    let finding = found(whole.check_bytes(&bytes[..first_page], false), "one page");
    assert_eq!((finding.damage, finding.line), (Damage::Truncated, 15));
}

#[test]
fn a_tail_that_was_cut_with_a_new_end_is_found_by_the_heads() {
    let signer = key(1);
    let mut export = history(&signer, None);
    // Whoever has the key, or kept an older export, has a good end for it.
    export.lines.truncate(14);
    let (total, head) = (export.heads[1].total, export.heads[1].digest.clone());
    export
        .lines
        .push(end(&signer, 2, total, &head, 2).line().unwrap());
    verified(export.check());
    let finding = found(export.check_with_heads(), "heads");
    assert_eq!(
        (finding.damage, finding.line),
        (Damage::Truncated, 15),
        "{finding:?}"
    );
}

#[test]
fn another_history_is_found_by_the_heads_at_its_first_checkpoint() {
    let signer = key(1);
    for fork in 1..=4 {
        let mut export = history(&signer, None);
        export.lines = history(&signer, Some(fork)).lines;
        verified(export.check());
        let finding = found(export.check_with_heads(), "heads");
        let line = export.checkpoints()[usize::try_from(fork).unwrap() - 1] as u64 + 1;
        assert_eq!(
            (finding.damage, finding.line),
            (Damage::Forked, line),
            "{finding:?}"
        );
    }
}

#[test]
fn two_histories_in_one_file_are_a_fork() {
    let signer = key(1);
    let (one, other) = (history(&signer, None), history(&signer, Some(2)));
    let mut twice = one.clone();
    twice
        .lines
        .splice(14..14, other.lines[7..14].iter().cloned());
    let finding = found(twice.check(), "twice");
    assert_eq!(
        (finding.damage, finding.line),
        (Damage::Forked, 21),
        "{finding:?}"
    );
    let mut goes_on = one.clone();
    goes_on
        .lines
        .splice(15.., other.lines[15..].iter().cloned());
    let finding = found(goes_on.check(), "goes on");
    assert_eq!(
        (finding.damage, finding.line),
        (Damage::Forked, 22),
        "{finding:?}"
    );
}

#[test]
fn what_another_key_signed_does_not_hold() {
    tries(|random, mut export, about| {
        let forged = history(&key(2), Some(random.random_range(1..=4)));
        let from = pick(random, &export.checkpoints());
        export
            .lines
            .splice(from.., forged.lines[from..].iter().cloned());
        let finding = found(export.check(), about);
        assert_eq!(
            (finding.damage, finding.line),
            (Damage::BadSignature, from as u64 + 1),
            "{about}: {finding:?}"
        );
    });
}

#[test]
fn erased_fields_leave_the_proof_whole() {
    tries(|random, mut export, about| {
        let line = pick(random, &export.entries());
        let mut value: Value = serde_json::from_slice(&export.lines[line]).unwrap();
        let erased = value["entry"].as_object_mut().unwrap().remove("clear");
        export.lines[line] = audit_verify::canonical(&value).unwrap();
        let verified = verified(export.check_with_heads());
        let gone = u64::from(erased.is_some());
        let said = (verified.erased.fields, verified.erased.unexplained);
        assert_eq!(said, (gone, gone), "{about}");
    });
}

#[test]
fn a_personal_field_that_was_exchanged_is_found() {
    tries(|random, mut export, about| {
        let entries = export.entries();
        let (line, other) = (pick(random, &entries), pick(random, &entries));
        let read = |line: usize| serde_json::from_slice::<Value>(&export.lines[line]).unwrap();
        let (mut value, other) = (read(line), read(other));
        let clear = &mut value["entry"]["clear"];
        if clear.is_null() || other["entry"]["clear"].is_null() || *clear == other["entry"]["clear"]
        {
            return;
        }
        *clear = other["entry"]["clear"].clone();
        export.lines[line] = audit_verify::canonical(&value).unwrap();
        let finding = found(export.check(), about);
        assert_eq!(
            (finding.damage, finding.line),
            (Damage::Commitment, line as u64 + 1),
            "{about}: {finding:?}"
        );
    });
}
