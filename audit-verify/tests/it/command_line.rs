//! The program as an auditor runs it.

use std::{
    io::Write,
    process::{Command, Output, Stdio},
};

use crate::export::{Export, history, key};

fn run(export: &[u8], arguments: &[&str]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_audit-verify"))
        .arg("-")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // It may have said what it found before it has read everything.
    let _ = stdin.write_all(export);
    drop(stdin);
    child.wait_with_output().unwrap()
}

fn said(output: &Output) -> (i32, String) {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.code().unwrap(), text)
}

fn whole() -> Export {
    history(&key(1), None)
}

#[test]
fn it_says_what_it_verified_and_ends_with_0() {
    let export = whole();
    let (code, text) = said(&run(&export.bytes(), &["--key", &export.trusted]));
    assert_eq!(code, 0, "{text}");
    assert!(
        text.starts_with("verified  24 entries of ten_"),
        "no colour in a pipe: {text}"
    );
    assert!(
        text.contains("in checkpoints 1 to 4, on 30 lines"),
        "{text}"
    );
}

#[test]
fn it_says_what_is_wrong_and_ends_with_1() {
    let mut export = whole();
    let id = export.id(9);
    export.lines.remove(9);
    let (code, text) = said(&run(&export.bytes(), &["--key", &export.trusted]));
    assert_eq!(code, 1, "{text}");
    assert!(
        text.starts_with(&format!("TAMPERED  line 10, {id}: deleted")),
        "{text}"
    );
    let (code, json) = said(&run(&export.bytes(), &["--key", &export.trusted, "--json"]));
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (code, &json["ok"], &json["finding"]["damage"]),
        (1, &false.into(), &"deleted".into())
    );
}

#[test]
fn it_ends_with_2_when_it_could_not_check() {
    let export = whole();
    for (input, key) in [
        (b"hello\nworld\n".to_vec(), export.trusted.as_str()),
        (Vec::new(), &export.trusted),
        (export.bytes(), "no key"),
    ] {
        let output = run(&input, &["--key", key]);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(output.stderr.starts_with(b"error: "), "{output:?}");
    }
}

#[test]
fn it_reads_keys_and_heads_from_files_and_heads_as_they_come_from_the_log() {
    let mut export = whole();
    let folder = tempfile::tempdir().unwrap();
    let (keys, log) = (folder.path().join("audit.pem"), folder.path().join("log"));
    std::fs::write(&keys, &export.trusted).unwrap();
    let lines: Vec<String> = export
        .heads
        .iter()
        .map(|head| {
            format!(
                "2026-01-05T09:00:00 {}",
                serde_json::to_string(head).unwrap()
            )
        })
        .collect();
    std::fs::write(&log, format!("START\n{}\n", lines.join("\n"))).unwrap();
    let arguments = [
        "--key",
        keys.to_str().unwrap(),
        "--heads",
        log.to_str().unwrap(),
    ];
    let (code, text) = said(&run(&export.bytes(), &arguments));
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("agrees with 4 heads"), "{text}");
    let others = lines.join("\n").replace("00001\"", "00002\"");
    for none in [&others, "START"] {
        std::fs::write(&log, none).unwrap();
        let output = run(&export.bytes(), &arguments);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(output.stderr.starts_with(b"error: --heads"), "{output:?}");
    }
    std::fs::write(&log, lines.join("\n")).unwrap();
    export.lines = history(&key(1), Some(3)).lines;
    let (code, text) = said(&run(&export.bytes(), &arguments));
    assert!(code == 1 && text.contains("forked"), "{text}");
}

#[test]
fn a_part_of_an_export_is_accepted_when_that_is_asked_for() {
    let mut export = whole();
    export.lines.drain(..15);
    let (code, text) = said(&run(&export.bytes(), &["--key", &export.trusted]));
    assert!(code == 1 && text.contains("gap"), "{text}");
    let (code, text) = said(&run(&export.bytes(), &["--key", &export.trusted, "--part"]));
    assert!(code == 0 && text.contains("checkpoints 3 to 4"), "{text}");
}
